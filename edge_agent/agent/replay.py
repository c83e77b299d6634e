"""Recorded cases run again: the same pictures, moments and rules give the same events, byte for byte.

A camera's pipeline has no clock and no chance of its own. So a case needs its pictures with their moments,
the camera's rules, the bundle, and a seed for the ids of events.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from edge_agent.agent.added_cameras import with_added
from edge_agent.agent.installer import load_best
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.parts import AgentParts, real_parts
from edge_agent.agent.settings import SettingsStore
from edge_agent.camera.frame import Frame, FrameSource
from edge_agent.camera.open_source import open_source
from edge_agent.camera.recorded import CaseRecorder, CaseSource
from edge_agent.clock import Clock
from edge_agent.config import AgentConfig, CameraConfig
from edge_agent.errors import ConfigError
from edge_agent.pipeline.attributes import AttributeReader
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.update.assembly import open_slots
from edge_agent.wire.detection import FrameSize
from edge_agent.wire.event import Event
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.sync import CameraSettings

_MAX_WIDTH_PX = 1280
_BOOT_ID = "replay"


@dataclass(frozen=True)
class ReplayOptions:
    """What to run again.

    Attributes:
        file: A recorded case's folder, or a video.
        camera: Whose rules count; none: the only camera's.
        start_s: UTC seconds since 1970 at which a video begins; a case knows it by itself.
        seed: For the ids of events.
    """

    file: Path
    camera: str | None = None
    start_s: float = 0.0
    seed: int = 0


class StoppedClock:
    """A clock that stands; recordings are dated from it by their own positions."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        """Return UTC seconds since 1970."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Do not wait."""


def run_replay(
    config: AgentConfig,
    options: ReplayOptions,
    *,
    say: Callable[[str], object] | None = None,
    parts: AgentParts | None = None,
) -> int:
    """Print the events of a case, one JSON document a line: `elfowl-agent run --replay FILE`.

    Args:
        config: The config file of the camera that it happened to.
        options: What to run again.
        say: Takes the lines, each with its end; standard output by default.
        parts: The outside world, of which only the bundle is used.

    Returns:
        The exit status 0.

    Raises:
        ConfigError: There is no such case or camera.
        CameraError: A picture cannot be read.
        ArtifactError: The bundle is damaged.
        BackendError: The bundle cannot be run here.
    """
    say = say or sys.stdout.write
    camera = camera_of(config, options.camera)
    settings = SettingsStore(config.state_dir / "settings.json", (camera,)).get(camera.name)
    detector = open_running_detector(config, parts or real_parts())
    try:
        with closing(_open(options, camera)) as frames:
            for event in replay(frames, camera, settings, detector, device=config.device, seed=options.seed):
                say(event.to_json() + "\n")
    finally:
        detector.unload()
    return 0


def replay(
    frames: Iterable[Frame],
    camera: CameraConfig,
    settings: CameraSettings,
    detector: LocalDetector,
    *,
    device: str,
    seed: int = 0,
) -> Iterator[Event]:
    """Give the events of pictures as a camera's own pipeline would.

    Args:
        frames: Pictures with their moments.
        camera: Which labels are reported.
        settings: Threshold and rules.
        detector: With a network.
        device: The device's name, for the events.
        seed: For their ids.

    Raises:
        BackendError: The network failed.
    """
    pipeline = _pipeline(camera, settings, detector, device, seed)
    last: Frame | None = None
    for frame in frames:
        yield from pipeline.process(frame).events
        last = frame
    if last is not None:
        size = FrameSize(width_px=last.width_px, height_px=last.height_px)
        yield from pipeline.end_all(time_s=last.time_s, monotonic_s=last.monotonic_s, size=size).events


def record_case(source: FrameSource, folder: Path, *, seconds: float, clock: Clock) -> int:
    """Keep what a camera's pipeline would see now: `elfowl-agent record`.

    Args:
        source: The camera, opened; it is closed.
        folder: A new one.
        seconds: How long.
        clock: Where times come from.

    Returns:
        How many pictures there are.

    Raises:
        CameraError: The source stopped giving pictures; what came is kept.
        StorageError: The folder is not empty, or the disk full.
    """
    recorder = CaseRecorder(folder)
    until_s = clock.monotonic_s() + seconds
    with closing(source) as frames:
        for frame in takewhile(lambda _: clock.monotonic_s() < until_s, frames):
            recorder.add(frame)
    return recorder.pictures


def open_running_detector(config: AgentConfig, parts: AgentParts) -> LocalDetector:
    """Return the network that the agent of this config file would run: the installed one, or the config's.

    Raises:
        ConfigError: There is none that can be run.
    """
    detector = LocalDetector(parts.open_bundle)
    installed = open_slots(config.state_dir).current() if config.cloud is not None else None
    base = parts.base_bundle(config, parts.clock)
    if not load_best(detector, [installed.path if installed is not None else None, base]):
        message = "no bundle that can be run here: name one in the config file, or let the cloud install one"
        raise ConfigError(message)
    return detector


def _pipeline(
    camera: CameraConfig, settings: CameraSettings, detector: LocalDetector, device: str, seed: int
) -> CameraPipeline:
    identity = CameraIdentity(device, camera.name, _BOOT_ID)
    rng = random.Random(seed)  # noqa: S311 - the same ids each time are wanted
    pipeline = CameraPipeline(identity, None, {}, rng=rng)
    wanted = camera.labels
    labels = {
        slug: rule
        for slug, rule in detector.labels().items()
        if not wanted or slug in wanted or rule.name in wanted
    }
    rules = detector.attribute_rules
    pipeline.use_detector(detector, labels, AttributeReader(detector, rules) if rules else None)
    pipeline.set_threshold(settings.threshold)
    pipeline.set_rules(settings.rules or CameraRules())
    pipeline.set_snapshots(available=settings.snapshots, blurred=True)
    return pipeline


def _open(options: ReplayOptions, camera: CameraConfig) -> FrameSource:
    if options.file.is_dir():
        return CaseSource(options.file)
    return open_source(
        str(options.file.resolve()),
        clock=StoppedClock(options.start_s),
        real_time=False,
        max_width_px=_MAX_WIDTH_PX,
        max_fps=camera.fps,
    )


def camera_of(config: AgentConfig, name: str | None) -> CameraConfig:
    """Return a camera of the config file by its name; none: the only one.

    Raises:
        ConfigError: There is no such camera, or a name is needed.
    """
    config = with_added(config)
    names = ", ".join(camera.name for camera in config.cameras)
    if name is None and len(config.cameras) > 1:
        message = f"there are several cameras; say whose case it is with --camera, one of: {names}"
        raise ConfigError(message)
    for camera in config.cameras:
        if name in {None, camera.name}:
            return camera
    message = f"there is no camera {name!r}; there are: {names}"
    raise ConfigError(message)
