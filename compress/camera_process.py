"""A bundle, run as a camera runs it: the agent's own code, one process, no torch; measured from inside.

Job: `bundle` (folder), `threads`, `measure` (else only raw outputs are wanted), `pictures` (.npy files, each
`(h, w, 3) uint8`: the held-out pictures), `calibration` and `golden` (.npy of `(n, h, w, 3) uint8` at the
network's size), `raw` (how many of the calibration pictures give raw outputs), `raw_out` (.npz).
Result: see `CameraRun`.
"""

from __future__ import annotations

import importlib
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

_WARM_UPS = 3
_WEIGH_EVERY = 10

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
    # A mapped array is read picture by picture, so that our own inputs do not count as the camera's memory.
    calibration = _mapped(job["calibration"])
    raw = [backend.infer(picture[None]) for picture in calibration[: job["raw"]]]
    _save_raw(job["raw_out"], raw)
    if not job["measure"]:
        return CameraRun().model_dump()
    for _ in range(_WARM_UPS):
        detector.detect(np.array(calibration[0]))
    watched = _Watched(detector)
    return CameraRun(
        held_out=tuple(watched.look(_picture(file)) for file in job["pictures"]),
        calibration=tuple(watched.look(picture) for picture in calibration),
        golden=tuple(watched.look(picture) for picture in _mapped(job["golden"])),
        inference_ms=tuple(watched.inference_ms),
        peak_memory_bytes=max(watched.memory_bytes, _peak_bytes()),
    ).model_dump()


class _Watched:
    """The detector with a stop watch and a scale."""

    def __init__(self, detector: BundleDetector) -> None:
        self._detector = detector
        self.inference_ms: list[float] = []
        self.memory_bytes = 0

    def look(self, picture: Rgb) -> PictureDetections:
        """Return everything that is seen, however unsure."""
        seen = tuple(self._detector.detect(np.array(picture), min_score=SCORE_FLOOR))
        self.inference_ms.append(self._detector.inference_ms)
        if len(self.inference_ms) % _WEIGH_EVERY == 1:
            self.memory_bytes = max(self.memory_bytes, _memory_bytes())
        return seen


def _save_raw(file: str, raw: list[dict[str, Float32]]) -> None:
    arrays: dict[str, Any] = {
        f"{turn}/{name}": array for turn, outputs in enumerate(raw) for name, array in outputs.items()
    }
    np.savez(file, **arrays)


def _picture(file: str) -> Rgb:
    picture: Rgb = np.load(file)
    return picture


def _mapped(file: str | None) -> Rgb:
    if file is None:
        return np.zeros((0, 1, 1, 3), np.uint8)
    pictures: Rgb = np.load(file, mmap_mode="r")
    return pictures


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
