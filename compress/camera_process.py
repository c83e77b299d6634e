"""A bundle, run as a camera runs it: the agent's own code, one process, no torch; measured from inside.

Job: `bundle` (folder), `threads`, `measure` (else only raw outputs are wanted), `pictures` (.npy files, each
`(h, w, 3) uint8`: the held-out pictures), `calibration` and `golden` (.npy of `(n, h, w, 3) uint8` at the
network's size), `raw` (how many of the calibration pictures give raw outputs), `raw_out` (.npz).
Result: see `CameraRun`.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pydantic import Field

from compress.processes import Job, StepListener, serve
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_backend
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.decode import SCORE_FLOOR
from edge_agent.wire.base import Document
from edge_agent.wire.detection import Detection

_WARM_UPS = 5

PictureDetections = tuple[Detection, ...]


class CameraRun(Document):
    """What the process saw: detections down to `SCORE_FLOOR` for each picture, times, memory."""

    held_out: tuple[PictureDetections, ...] = ()
    calibration: tuple[PictureDetections, ...] = ()
    golden: tuple[PictureDetections, ...] = ()
    inference_ms: tuple[float, ...] = Field((), description="the network alone, picture by picture")
    peak_memory_bytes: int = 0


def main() -> None:
    """Wait for a job and do it."""
    serve(_import, run)


def _import() -> None:
    importlib.import_module("cv2").setNumThreads(1)


def run(job: Job, _on_step: StepListener) -> Job:
    """Do the job; see the module's text."""
    bundle = open_bundle(Path(job["bundle"]))
    backend = open_backend(bundle, job["threads"])
    detector = BundleDetector(bundle, backend)
    first = itertools.islice(_stacked(job["calibration"]), job["raw"])
    _save_raw(job["raw_out"], [backend.infer(picture[None]) for picture in first])
    if not job["measure"]:
        return CameraRun().model_dump()
    peak_memory_bytes = _peak_after_usual_work(detector, job)
    inference_ms: list[float] = []

    def seen(pictures: Iterable[Rgb]) -> tuple[PictureDetections, ...]:
        found = []
        for picture in pictures:
            found.append(tuple(detector.detect(picture, min_score=SCORE_FLOOR)))
            inference_ms.append(detector.inference_ms)
        return tuple(found)

    return CameraRun(
        held_out=seen(np.load(file) for file in job["pictures"]),
        calibration=seen(_stacked(job["calibration"])),
        golden=seen(_stacked(job["golden"])),
        inference_ms=tuple(inference_ms),
        peak_memory_bytes=peak_memory_bytes,
    ).model_dump()


def _peak_after_usual_work(detector: BundleDetector, job: Job) -> int:
    """Return the peak memory of a process that has only done what a camera does; also warms up."""
    usual = (np.load(file) for file in job["pictures"])
    for picture in itertools.islice(itertools.chain(usual, _stacked(job["calibration"])), _WARM_UPS):
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
