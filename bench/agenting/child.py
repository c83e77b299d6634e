"""The process that is measured: `python -m bench.agenting.child live|saturated|bare FILE CONFIG OUT`.

`live` looks at a film at its own speed until it is told to stop; `saturated` takes picture after picture as
fast as it can, through the capture that every camera has, which decodes in a thread of its own; `bare` does
that without an agent, in one thread. All but the bare one run the whole agent: capture, gate, cure, track,
spool, key frames, MQTT.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.agent.local_detector import OpenedBundle, OpenedDetector, open_bundle_detector
from edge_agent.agent.parts import real_parts
from edge_agent.agent.runner import Agent
from edge_agent.camera.capture import Capture
from edge_agent.camera.frame import Frame
from edge_agent.camera.open_source import open_source
from edge_agent.camera.picture_source import PictureSource
from edge_agent.config import AgentConfig, CameraConfig, load_config
from edge_agent.main import prepare_process
from edge_agent.pipeline.alike import Sight
from edge_agent.pipeline.cure import DescribingDetector
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.profiles import find_profile
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

SMALL_PROFILE = "arm64-128mb"
WARM_PICTURES = 20
SETTLED_S = 15.0
"""After this the processor time of a live agent is counted: it has started and learned its background."""


@dataclass
class Diary:
    """What happened.

    Attributes:
        looks: Of each picture its moment, when it was handed on, how long the detector took, the processor
            time so far, and of the time and of the processor time so far what a bare loop would take too.
        settled: When the start was over, and the processor time until then.
        needed_s: Time that the camera's thread waited for pictures and for the detector so far.
        needed_cpu_s: Processor time of that thread meanwhile.
        decoding_cpu_s: Processor time that decoding took so far, in whichever thread.
    """

    looks: list[list[float]] = field(default_factory=list)
    settled: tuple[float, float] | None = None
    needed_s: float = 0.0
    needed_cpu_s: float = 0.0
    decoding_cpu_s: float = 0.0

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Count what happens meanwhile as what a bare loop does too."""
        began_s, began_cpu_s = time.monotonic(), time.thread_time()
        try:
            yield
        finally:
            self.needed_s += time.monotonic() - began_s
            self.needed_cpu_s += time.thread_time() - began_cpu_s

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Count what happens meanwhile as decoding."""
        began_cpu_s = time.thread_time()
        try:
            yield
        finally:
            self.decoding_cpu_s += time.thread_time() - began_cpu_s

    def took(self, time_s: float) -> None:
        """Note that a picture of this moment was handed on."""
        now_s = time.monotonic()
        needed_cpu_s = self.needed_cpu_s + self.decoding_cpu_s
        self.looks.append([time_s, now_s, 0.0, time.process_time(), self.needed_s, needed_cpu_s])
        if self.settled is None and now_s - self.looks[0][1] >= SETTLED_S:
            self.settled = now_s, time.process_time()


class OneByOne:
    """Implements `FrameSource`: a film whose next picture waits, decoded, until the one before was taken."""

    def __init__(self, film: Path, diary: Diary, taken: threading.Semaphore) -> None:
        self._film, self._diary, self._taken = film, diary, taken

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures."""
        frames = iter(_pictures(self._film))
        while True:
            with self._diary.decoding():
                frame = next(frames, None)
            if frame is None:
                return
            self._taken.acquire()
            yield frame

    def close(self) -> None:
        """Do nothing."""


class Steady:
    """Implements `PictureSource`: a film through a camera's capture, as fast as it is taken; drops none."""

    def __init__(self, film: Path, diary: Diary, done: threading.Event) -> None:
        self._done, self._taken = done, threading.Semaphore(1)
        self._capture = Capture(lambda: OneByOne(film, diary, self._taken), name="steady")
        self.start, self.health, self.close = self._capture.start, self._capture.health, self._capture.close
        self._rgb: Rgb | None = None

    def latest(self, timeout_s: float) -> Frame | None:
        """Return the next picture."""
        frame = self._capture.latest(timeout_s)
        if frame is not None:
            self._taken.release()
            # Here, so that it counts as what a bare loop does too.
            self._rgb = frame.rgb
        elif self._capture.health().finished:
            self._done.set()
            time.sleep(timeout_s)
        return frame


class Logged:
    """Implements `PictureSource`: another one, with a diary."""

    def __init__(self, inner: PictureSource, diary: Diary) -> None:
        self._inner, self._diary = inner, diary
        self.start, self.health, self.close = inner.start, inner.health, inner.close

    def latest(self, timeout_s: float) -> Frame | None:
        """Return the next picture."""
        with self._diary.needed():
            frame = self._inner.latest(timeout_s)
        if frame is not None:
            self._diary.took(frame.time_s)
        return frame


class Timed:
    """Implements `OpenedDetector` and `DescribingDetector`: another one, with a diary."""

    def __init__(self, inner: OpenedDetector, diary: Diary) -> None:
        self._inner, self._diary = inner, diary
        self.inference_ms = 0.0

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen."""
        started_s = time.monotonic()
        with self._diary.needed():
            found = self._inner.detect(rgb, min_score=min_score)
        self._note(started_s)
        return found

    def detect_sights(self, rgb: Rgb, *, min_score: float | None = None) -> list[Sight]:
        """Return what is seen, and how it looks."""
        if not isinstance(self._inner, DescribingDetector):
            raise TypeError
        started_s = time.monotonic()
        with self._diary.needed():
            sights = self._inner.detect_sights(rgb, min_score=min_score)
        self._note(started_s)
        return sights

    def close(self) -> None:
        """Let go of the network."""
        self._inner.close()

    def _note(self, started_s: float) -> None:
        self.inference_ms = self._inner.inference_ms
        if self._diary.looks:
            self._diary.looks[-1][2] = time.monotonic() - started_s


def run_agent(mode: str, film: Path, config: AgentConfig) -> Diary:
    """Run the agent until the film is over, or SIGTERM comes."""
    diary, stopping = Diary(), threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    parts = real_parts(http=False)

    def open_camera(camera: CameraConfig) -> Logged:
        steady = mode == "saturated"
        inner: PictureSource = Steady(film, diary, stopping) if steady else parts.open_camera(camera)
        return Logged(inner, diary)

    def open_bundle(path: Path, threads: int) -> OpenedBundle:
        opened = open_bundle_detector(path, threads)
        return replace(opened, detector=Timed(opened.detector, diary))

    Agent(config, replace(parts, open_camera=open_camera, open_bundle=open_bundle)).run(stopping)
    return diary


def run_bare(film: Path) -> Diary:
    """Look at every picture of the film, and do nothing else."""
    diary, detector = Diary(), BundleDetector.open(starter_bundle_path())
    for frame in _pictures(film):
        diary.took(frame.time_s)
        started_s = time.monotonic()
        detector.detect(frame.rgb)
        diary.looks[-1][2] = time.monotonic() - started_s
    diary.took(0.0)
    return diary


def _pictures(film: Path) -> Iterator[Frame]:
    return iter(open_source(str(film), real_time=False))


def main() -> None:
    """Run, and write what happened."""
    mode, film, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[4])
    if mode == "bare":
        diary = run_bare(film)
    else:
        config = load_config(Path(sys.argv[3]))
        prepare_process(find_profile(config.profile).ram_for_us_bytes, config.state_dir)
        diary = run_agent(mode, film, config)
    settled_s, settled_cpu_s = diary.settled or (time.monotonic(), time.process_time())
    told = {
        "looks": diary.looks,
        "cpu_s": time.process_time() - settled_cpu_s,
        "wall_s": time.monotonic() - settled_s,
        "written_bytes": written_bytes(),
    }
    out.write_text(json.dumps(told))


def written_bytes() -> int:
    """Return what this process made the disk write since it began, as the kernel counts."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("write_bytes")))


if __name__ == "__main__":
    main()
