"""A bundle, run as a camera runs it: the agent's own code, one process, no torch; measured from inside.

Every job names its `bundle` (folder) and `threads`; a bundle is opened once and kept for the next jobs.
Job `usual`: `pictures` (.npy files, each `(h, w, 3) uint8`) and `calibration` (.npy of `(n, h, w, 3) uint8`
at the network's size), of which `count` are looked at as a camera does; answers `peak_memory_bytes`.
Job `look`: `measure` (else only raw outputs are wanted), `pictures` (the held-out ones), `tuned` (those of
the calibration as the camera gave them), `unlabelled` (others), `calibration`, `golden`, `floor` (lowest
score of unlabelled pictures that matters), `raw` (how many of the calibration pictures give raw outputs),
`raw_out` (.npz); answers a `CameraRun`.
Job `time`: `pictures` (a stack as above), `count`; answers `inference_ms`, of the processor's time.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from compress.processes import Job, StepListener, serve
from edge_agent.clock import SystemClock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.backend import Backend
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_backend
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.decode import SCORE_FLOOR
from edge_agent.wire.base import Document
from edge_agent.wire.detection import Detection

PictureDetections = tuple[Detection, ...]


class CameraRun(Document):
    """What the process saw, down to `SCORE_FLOOR` for each picture (`unlabelled`: to the job's `floor`)."""

    held_out: tuple[PictureDetections, ...] = ()
    calibration: tuple[PictureDetections, ...] = ()
    golden: tuple[PictureDetections, ...] = ()
    unlabelled: tuple[PictureDetections, ...] = ()
    peak_memory_bytes: int = 0


class ProcessorClock(SystemClock):
    """Counts the processor's time: with one thread, what a network takes on a core of its own.

    On a busy machine others would be timed, too.
    """

    def monotonic_s(self) -> float:
        """Return the seconds for which this process had a processor."""
        return time.process_time()


class CameraProcess:
    """Opens the bundle of the first job and keeps it for the next ones."""

    def __init__(self) -> None:
        self._opened: tuple[BundleDetector, Backend] | None = None

    def handle(self, job: Job, _on_step: StepListener) -> Job:
        """Do a job; see the module's text."""
        detector, backend = self._opened = self._opened or _open(job)
        if job["do"] == "usual":
            return {"peak_memory_bytes": _peak_after_usual_work(detector, job)}
        if job["do"] == "time":
            return {"inference_ms": list(_times_ms(detector, job))}
        return _look(detector, backend, job).model_dump()


def _open(job: Job) -> tuple[BundleDetector, Backend]:
    bundle = open_bundle(Path(job["bundle"]))
    backend = open_backend(bundle, job["threads"])
    return BundleDetector(bundle, backend, ProcessorClock()), backend


def _look(detector: BundleDetector, backend: Backend, job: Job) -> CameraRun:
    first = itertools.islice(_stacked(job["calibration"]), job["raw"])
    _save_raw(job["raw_out"], [backend.infer(picture[None]) for picture in first])
    if not job["measure"]:
        return CameraRun()
    return CameraRun(
        held_out=_seen(detector, (np.load(file) for file in job["pictures"])),
        calibration=_seen(detector, (np.load(file) for file in job["tuned"])),
        golden=_seen(detector, _stacked(job["golden"])),
        unlabelled=_seen(detector, (np.load(file) for file in job["unlabelled"]), job["floor"]),
    )


def _times_ms(detector: BundleDetector, job: Job) -> Iterator[float]:
    for picture in itertools.islice(itertools.cycle(_stacked(job["pictures"])), job["count"]):
        detector.detect(picture)
        yield detector.inference_ms


def main() -> None:
    """Do jobs until nobody asks any more."""
    serve(lambda: importlib.import_module("cv2").setNumThreads(1), CameraProcess().handle)


def _seen(
    detector: BundleDetector, pictures: Iterable[Rgb], floor: float = SCORE_FLOOR
) -> tuple[PictureDetections, ...]:
    return tuple(tuple(detector.detect(picture, min_score=floor)) for picture in pictures)


def _peak_after_usual_work(detector: BundleDetector, job: Job) -> int:
    """Return the peak memory of a process that has only done what a camera does; also warms up."""
    usual = (np.load(file) for file in job["pictures"])
    for picture in itertools.islice(itertools.chain(usual, _stacked(job["calibration"])), job["count"]):
        detector.detect(picture)
    return max(_memory_bytes(), _peak_bytes())


def _save_raw(file: str, raw: list[dict[str, Float32]]) -> None:
    arrays: dict[str, Any] = {
        f"{turn}/{name}": array for turn, outputs in enumerate(raw) for name, array in outputs.items()
    }
    np.savez(file, **arrays)


def _stacked(file: str) -> Iterator[Rgb]:
    """Yield the pictures of a stack, mapped anew for each, so that it does not count as memory."""
    for index in range(len(np.load(file, mmap_mode="r"))):
        yield np.array(np.load(file, mmap_mode="r")[index])


def _memory_bytes() -> int:
    """Return the process's share of memory (PSS), or its resident set where the system has no PSS."""
    info: Any = psutil.Process().memory_full_info()
    return int(getattr(info, "pss", info.rss))


def _peak_bytes() -> int:
    """Return the peak of the resident set, less what is shared with other processes now; 0 where unknown.

    `getrusage` would not do: its peak begins with that of the process which started this one.
    """
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return 0
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    shared_bytes = int(psutil.Process().memory_info().rss) - _memory_bytes()
    return 1024 * kilobytes - max(shared_bytes, 0)


if __name__ == "__main__":
    main()
