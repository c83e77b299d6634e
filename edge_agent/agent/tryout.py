"""`elfowl-agent try SOURCE`: a camera, video or picture looked at now, without cloud or configuration.

The same camera thread and pipeline as the agent's; added are a preview page, an annotated file, and lines
that tell what happens.
"""

from __future__ import annotations

import itertools
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_agent.agent.camera_worker import CameraPorts, CameraWorker
from edge_agent.agent.device import boot_id
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.parts import AgentParts, real_parts
from edge_agent.agent.preview import Preview, PreviewServer
from edge_agent.agent.settings import SettingsStore
from edge_agent.agent.tryout_home import TryCamera, TryHome, parse_broker
from edge_agent.agent.tryout_record import open_recording
from edge_agent.agent.tryout_source import EveryPicture
from edge_agent.agent.tryout_view import TryView, WatchedPipeline
from edge_agent.camera.capture import Capture
from edge_agent.camera.frame import FrameSource
from edge_agent.camera.open_source import open_source
from edge_agent.camera.picture_source import PictureSource
from edge_agent.camera.uri import SourceAddress, parse_source
from edge_agent.config import CameraConfig
from edge_agent.errors import CameraError, ConfigError
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.report.snapshots import encode_jpeg, make_snapshot
from edge_agent.starter.location import starter_bundle_path

_DEFAULT_PORT = 8642
_MAX_WIDTH_PX = 1280
_TICK_S = 0.2
Say = Callable[[str], None]


@dataclass(frozen=True)
class TryOptions:
    """What to try.

    Attributes:
        source: Camera, video or picture; see `edge_agent.camera.uri.parse_source`.
        bundle: A bundle's folder or zip; none: the starter that comes with elfowl.
        out: Write an annotated .mp4 or .jpg here, instead of a preview page. A recording is then read once,
            every picture, as fast as possible.
        mqtt: Show up in Home Assistant by this broker: HOST, HOST:PORT or USER:PASSWORD@HOST:PORT.
        preview: Serve the preview page (never together with `out`).
        preview_port: Where; none: 8642, or any free one; 0: any free one.
        seconds: Stop after so long; none: at the end of what is read once, else at Ctrl-C.
        threshold: Score from which something counts as seen; none: the detector's own.
        labels: Only these; empty: all.
        fps: Pictures a second that are looked at, of a live source or at a recording's own speed.
        device: The device's name in Home Assistant.
        camera: The camera's name there.
        threads: Threads of one inference.
        first_picture_s: How long to wait for the first picture of a source that cannot be opened.
    """

    source: str
    bundle: Path | None = None
    out: Path | None = None
    mqtt: str | None = None
    preview: bool = True
    preview_port: int | None = None
    seconds: float | None = None
    threshold: float | None = None
    labels: tuple[str, ...] = ()
    fps: float = 10.0
    device: str = "elfowl-try"
    camera: str = "try"
    threads: int = 1
    first_picture_s: float = 10.0


def run_tryout(
    options: TryOptions,
    *,
    say: Say | None = None,
    stop: threading.Event | None = None,
    parts: AgentParts | None = None,
) -> int:
    """Try a source until it ends, the time is over, or Ctrl-C.

    Args:
        options: What to try.
        say: Takes lines for the person; standard output by default.
        stop: Ends the try when set.
        parts: The outside world.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: An option is wrong.
        CameraError: The source cannot be opened.
        ArtifactError: The bundle is damaged.
        BackendError: The bundle cannot be run here.
        StorageError: The annotated file cannot be written.
    """
    say = say or _say_to_stdout
    stop = stop or threading.Event()
    with ExitStack() as stack, _ctrl_c_sets(stop):
        attempt = _Attempt(options, say, stop, parts or real_parts(), stack)
        attempt.run()
    return 0


class _Attempt:
    """One try, put together in the order in which things can go wrong for the person."""

    def __init__(
        self, options: TryOptions, say: Say, stop: threading.Event, parts: AgentParts, stack: ExitStack
    ) -> None:
        self._options = options
        self._say = say
        self._stop = stop
        self._parts = parts
        self._stack = stack
        _check_numbers(options)
        self._address = parse_source(options.source)
        self._mqtt = parse_broker(options.mqtt) if options.mqtt else None
        self._recording = open_recording(options.out) if options.out else None
        self._config = CameraConfig(
            name=options.camera, source=options.source, threshold=options.threshold, labels=options.labels
        )

    def run(self) -> None:
        """Put everything together, wait, and take it apart."""
        self._say(f"Opening {self._address.shown} …")
        detector = self._load_detector()
        source = self._open_source()
        view = TryView(
            self._address.shown, source, detector, self._say, recording=self._recording, stop=self._stop
        )
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="elfowl-try-")))
        settings = SettingsStore(folder / "settings.json", (self._config,))
        home = TryHome(folder, self._camera(detector), self._mqtt, self._parts, settings)
        worker = self._make_worker(source, detector, settings, home, view)
        self._check_labels(worker, detector)
        preview = self._serve_preview(view)
        self._introduce(preview)
        home.start()
        worker.start()
        try:
            self._wait(source, worker, home)
        finally:
            worker.stop()
            home.stop()
            detector.unload()
            if self._recording is not None:
                self._recording.close()
        view.raise_failure()
        self._sum_up(view)

    def _load_detector(self) -> LocalDetector:
        detector = LocalDetector(self._parts.open_bundle, threads=self._options.threads)
        detector.load(self._options.bundle or starter_bundle_path())
        return detector

    def _camera(self, detector: LocalDetector) -> TryCamera:
        manifest = detector.manifest
        name, release = (manifest.name, manifest.release) if manifest else ("detector", 1)
        return TryCamera(self._options.device, self._options.camera, detector.labels(), name, release)

    def _open_source(self) -> PictureSource:
        # Opened here first, so that a wrong address ends the try instead of being tried for ever.
        first = self._open(self._address)
        if self._reads_once():
            return EveryPicture(first, self._parts.clock)
        again = itertools.chain([first], iter(partial(self._open, self._address), None))
        return Capture(
            lambda: next(again), name=self._options.camera, clock=self._parts.clock, rng=self._parts.rng
        )

    def _open(self, address: SourceAddress) -> FrameSource:
        once = self._reads_once()
        return open_source(
            address.location,
            clock=self._parts.clock,
            loop=not once,
            real_time=not once,
            max_width_px=_MAX_WIDTH_PX,
            max_fps=None if once else self._options.fps,
        )

    def _reads_once(self) -> bool:
        return self._recording is not None and self._address.kind in {"video", "image"}

    def _make_worker(
        self,
        source: PictureSource,
        detector: LocalDetector,
        settings: SettingsStore,
        home: TryHome,
        view: TryView,
    ) -> CameraWorker:
        identity = CameraIdentity(self._options.device, self._options.camera, boot_id())
        pipeline = WatchedPipeline(identity, None, {}, rng=self._parts.rng)
        pipeline.spectator = view
        ports = CameraPorts(
            detector=detector,
            reporter=home.reporter,
            settings=settings,
            offload=None,
            keyframes=None,
            snapshot=make_snapshot,
            keyframe_jpeg=encode_jpeg,
            offload_detector=lambda: None,
            is_hot=lambda: False,
            clock=self._parts.clock,
        )
        return CameraWorker(self._config, source, pipeline, ports)

    def _check_labels(self, worker: CameraWorker, detector: LocalDetector) -> None:
        if worker.labels():
            return
        known = ", ".join(sorted(rule.name for rule in detector.labels().values()))
        message = f"this detector knows none of {', '.join(self._options.labels)}; it knows: {known}"
        raise ConfigError(message)

    def _serve_preview(self, view: TryView) -> str | None:
        if not self._options.preview or self._recording is not None:
            return None
        preview = view.preview = Preview(view.state())
        server = self._stack.enter_context(_preview_server(preview, self._options.preview_port))
        return server.url

    def _introduce(self, preview_url: str | None) -> None:
        options = self._options
        if preview_url is not None:
            self._say(f"Preview: {preview_url}")
        if options.out is not None:
            self._say(f"Writing {options.out}")
        if self._mqtt is not None:
            self._say(
                f"Home Assistant: device '{options.device}' by MQTT at {self._mqtt.host}:{self._mqtt.port}"
            )
        if self._reads_once():
            self._say("Stops at the end of the recording, or with Ctrl-C")
        else:
            self._say("Stop with Ctrl-C")

    def _wait(self, source: PictureSource, worker: CameraWorker, home: TryHome) -> None:
        clock, seconds = self._parts.clock, self._options.seconds
        until_s = float("inf") if seconds is None else clock.monotonic_s() + seconds
        give_up_s = clock.monotonic_s() + self._options.first_picture_s
        while not self._stop.wait(_TICK_S):
            health, now_s = source.health(), clock.monotonic_s()
            if health.finished or now_s >= until_s:
                return
            if health.frames == 0 and health.status == "offline" and now_s >= give_up_s:
                # Some sources are only opened when a picture is taken: a wrong address shows here.
                message = f"no picture came within {self._options.first_picture_s:.0f} s; {health.reason}"
                raise CameraError(message)
            home.tick(worker.stats())

    def _sum_up(self, view: TryView) -> None:
        self._say(view.summary())
        if self._options.out is not None and self._options.out.exists():
            self._say(f"Wrote {self._options.out}")


def _check_numbers(options: TryOptions) -> None:
    if options.threshold is not None and not 0.0 <= options.threshold <= 1.0:
        message = f"the threshold is {options.threshold}; it lies between 0 and 1"
        raise ConfigError(message)
    if options.seconds is not None and not options.seconds > 0:
        message = f"{options.seconds} seconds are no time to look; give a positive number"
        raise ConfigError(message)


def _preview_server(preview: Preview, port: int | None) -> PreviewServer:
    if port is not None:
        return PreviewServer(preview, port)
    try:
        return PreviewServer(preview, _DEFAULT_PORT)
    except ConfigError:
        return PreviewServer(preview, 0)


@contextmanager
def _ctrl_c_sets(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the try in good order; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
