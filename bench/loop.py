"""`loop`: a mistake is marked, and the better detector answers on the camera; the trunk there stays.

All that a real run does, in one process and its children: a person's correction, the update of the head on
the frames seen so far, the new head on the camera's int8 trunk, signing, the camera's own updater over HTTP
with its smoke test, and the first answer of the new version. The comparison is a whole compression of the
same detector. Teaching and compressing the first version are not counted.
"""

from __future__ import annotations

import http.server
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from bench.corrections import answer, pool_and_test
from bench.result import Metric, Result, spread
from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_picture
from cloud.demo.person import find_mistakes
from cloud.detector.full import FullDetector
from cloud.fleet.tuf_repository import UpdateRepository
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.training.config import TrainConfig
from cloud.training.session import TeachingSession
from compress.refit import Refit, refit
from compress.run import compress
from edge_agent.clock import Clock, SystemClock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.profiles import load_profile
from edge_agent.update.assembly import default_parts, open_updater
from edge_agent.update.identity import Enrolment
from edge_agent.update.updater import Updater
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.sync import BundleTarget, MqttAccess

PROFILE = "pi-4"
START_FRAMES = 10
ROUNDS = 3
_TASK = find_sample_task("persons")
_REF = DetectorRef(id="persons", name="persons", version=1)


@dataclass
class _Round:
    """What one correction took, in seconds by step, and what was sent."""

    seconds: dict[str, float] = field(default_factory=dict)
    head_bytes: int = 0
    sent_bytes: int = 0
    agreement_f1: float = 0.0
    ap50: float | None = None
    full_ap50: float | None = None
    mistakes_before: int = 0
    mistakes_after: int = 0

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())


def run(*, quick: bool = False) -> Result:
    """Measure a few corrections, one after the other; `quick` is one."""
    clip = obtain_clip(
        _TASK, cache_dir=Path.home() / ".cache" / "elfowl", runner=SystemCommandRunner(), report=_tell
    )
    load = os.getloadavg()[0]
    pool, test = pool_and_test(clip, quick=quick)
    with TemporaryDirectory() as folder, _camera(Path(folder)) as camera:
        loop = _Loop(Path(folder), camera, pool, test, SystemClock())
        whole = loop.begin()
        rounds = [loop.correct(number) for number in range(1 if quick else ROUNDS)]
    return _result(whole, rounds, len(pool), load)


@dataclass
class _Whole:
    """The first version, compressed and sent whole."""

    seconds: float
    bytes: int
    agreement_f1: float | None
    ap50: float | None


class _Loop:
    """The cloud's side: what is taught, and what was sent."""

    def __init__(
        self,
        folder: Path,
        camera: _Camera,
        pool: Sequence[LabelledFrame],
        test: Sequence[LabelledFrame],
        clock: Clock,
    ) -> None:
        self._folder, self._camera, self._clock = folder, camera, clock
        self._pool, self._test = list(pool), tuple(test)
        self._known = self._pool[:: max(1, len(self._pool) // START_FRAMES)][:START_FRAMES]
        self._session = TeachingSession(list(_TASK.classes), TrainConfig(ref=_REF), clock=clock)
        self._version = 1
        self._base = Path()

    def begin(self) -> _Whole:
        """Teach the first version, compress it whole, and let the camera install it."""
        for frame in self._known:
            self._session.put_frame(frame)
        detector = self._detector()
        start_s = self._clock.monotonic_s()
        result = compress(detector, load_profile(PROFILE), self._folder / "whole", clock=self._clock)
        target = self._camera.publish(result.chosen)
        self._camera.install(target)
        seconds = self._clock.monotonic_s() - start_s
        self._base = result.chosen
        chosen = next(one for one in result.receipt.after if one.form == result.receipt.chosen)
        _tell(f"whole: {seconds:.1f} s, {target.length_bytes} bytes, agreement {chosen.agreement_f1}")
        return _Whole(seconds, target.length_bytes, chosen.agreement_f1, chosen.ap50)

    def correct(self, number: int) -> _Round:
        """Mark the worst frame of the camera, and wait until the camera answers with what that taught."""
        seen = self._camera.detector
        left = [frame for frame in self._pool if frame not in self._known]
        worst = max(left, key=lambda frame: _mistakes(seen, frame))
        one = _Round(mistakes_before=_mistakes(seen, worst))
        sent_before = self._camera.sent_bytes
        with self._step(one, "learn"):
            lesson, _ = answer(self._last, worst)
            self._session.put_frame(lesson or worst)
            detector = self._detector()
        with self._step(one, "refit"):
            made = self._refit(detector, self._folder / f"refit_{number}")
        with self._step(one, "sign"):
            target = self._camera.publish(made.bundle, made.update)
        with self._step(one, "install"):
            self._camera.install(target)
        with self._step(one, "answer"):
            one.mistakes_after = _mistakes(self._camera.detector, worst)
        self._known.append(worst)
        one.head_bytes, one.sent_bytes = made.update_bytes, self._camera.sent_bytes - sent_before
        one.agreement_f1, one.ap50, one.full_ap50 = made.agreement_f1, made.ap50, made.full_ap50
        steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in one.seconds.items())
        _tell(
            f"correction {number}: {one.total_s:.1f} s ({steps}), {one.sent_bytes} bytes, agreement "
            f"{one.agreement_f1}, AP50 {one.ap50} of {one.full_ap50}"
        )
        return one

    def _refit(self, detector: FullDetector, out: Path) -> Refit:
        return refit([detector], self._base, out, self._clock, release=self._version)

    def _detector(self) -> FullDetector:
        """Return the newest version, with the camera's pictures to calibrate with."""
        taught = self._session.update(lambda _: None, lambda: False).detector
        ref = _REF.model_copy(update={"version": self._version})
        self._version += 1
        self._last = replace(
            taught,
            spec=taught.spec.model_copy(update={"detector": ref}),
            examples=tuple(self._pool),
            test_frames=self._test,
        )
        return self._last

    @contextmanager
    def _step(self, one: _Round, name: str) -> Iterator[None]:
        start_s = self._clock.monotonic_s()
        yield
        one.seconds[name] = self._clock.monotonic_s() - start_s


class _Camera:
    """A device with its updater, and the signed repository that it follows over HTTP."""

    def __init__(self, repository: UpdateRepository, updater: Updater, counted: list[int]) -> None:
        self._repository, self._updater, self._counted = repository, updater, counted
        self._detector: BundleDetector | None = None

    @property
    def sent_bytes(self) -> int:
        """Return what it fetched so far."""
        return sum(self._counted)

    @property
    def detector(self) -> BundleDetector:
        """Return what runs."""
        if self._detector is None:
            message = "nothing is installed yet"
            raise RuntimeError(message)
        return self._detector

    def publish(self, bundle: Path, head_update: Path | None = None) -> BundleTarget:
        """Sign a bundle."""
        return self._repository.publish(bundle, head_update=head_update)

    def install(self, target: BundleTarget) -> None:
        """Fetch, verify, try and open a bundle."""
        outcome = self._updater.apply(target)
        current = self._updater.current()
        if outcome.outcome != "success" or current is None:
            message = f"the camera refused the bundle: {outcome.reason}"
            raise RuntimeError(message)
        self._detector = BundleDetector.open(current.path)


@contextmanager
def _camera(folder: Path) -> Iterator[_Camera]:
    clock = SystemClock()
    repository = UpdateRepository(folder / "tuf", folder / "keys", clock)
    repository.init()
    counted: list[int] = []
    with _served(folder / "tuf", counted) as url, httpx.Client() as client:
        enrolment = Enrolment(
            device="bench",
            cloud_url=url,
            mqtt=MqttAccess(host="127.0.0.1", port=1883),
            tuf_root=repository.root_json(),
            tuf_metadata_url=f"{url}metadata/",
            tuf_targets_url=f"{url}targets/",
        )
        updater = open_updater(
            enrolment,
            folder / "device",
            profile=PROFILE,
            agent_version="0.1.0",
            parts=default_parts(client, clock),
        )
        updater.recover()
        yield _Camera(repository, updater, counted)


@contextmanager
def _served(folder: Path, counted: list[int]) -> Iterator[str]:
    """Serve a folder on loopback; `counted` gets the size of each body that is sent."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:  # noqa: ANN401 - as in the base class
            content = source.read()
            counted.append(len(content))
            outputfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _mistakes(detector: BundleDetector | FullDetector, frame: LabelledFrame) -> int:
    seen = detector.detect(read_picture(frame.source))
    return find_mistakes(0, [box.box_xyxy_norm for box in frame.boxes], seen).count


def _result(whole: _Whole, rounds: Sequence[_Round], pool: int, load: float) -> Result:
    totals = [one.total_s for one in rounds]
    steps: dict[str, Metric] = {
        name: spread([one.seconds[name] for one in rounds]) for name in rounds[0].seconds
    }
    return Result(
        name="loop",
        baseline="the same detector compressed whole, without a search, and sent whole",
        metrics={
            "seconds": max(totals),
            "bytes_sent": max(one.head_bytes for one in rounds),
            "seconds_spread": spread(totals),
            "seconds_by_step": steps,
            "bytes_sent_with_metadata": max(one.sent_bytes for one in rounds),
            "agreement_f1": [one.agreement_f1 for one in rounds],
            "ap50": [one.ap50 for one in rounds],
            "full_ap50": [one.full_ap50 for one in rounds],
            "mistakes_on_the_marked_frame": {
                "before": [one.mistakes_before for one in rounds],
                "after": [one.mistakes_after for one in rounds],
            },
            "whole_seconds": whole.seconds,
            "whole_bytes": whole.bytes,
            "whole_agreement_f1": whole.agreement_f1,
            "whole_ap50": whole.ap50,
        },
        ratios={
            "of_whole_seconds": max(totals) / whole.seconds,
            "of_whole_bytes": max(one.sent_bytes for one in rounds) / whole.bytes,
        },
        notes=(
            f"{len(rounds)} corrections of one frame of {pool} of one clip; seconds and bytes are the worst",
            f"load of the machine at the start {load:.1f}",
            "cloud and camera share this machine and talk over loopback; the desired state's way is left out",
        ),
    )


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # stdout is the result's
