"""One export, run by the camera's own code in a process of its own, under the device's memory limit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from compress.accuracy import MOST_SHIFT
from compress.bundle import BundleSpec, write_bundle
from compress.camera_process import CameraRun
from compress.capture import RawOutputs
from compress.errors import CancelledError, ExportError
from compress.forms import Form
from compress.limits import megabytes
from compress.measure import max_abs_error, read_raw
from compress.memory_limit import MemoryWatch, memory_limited
from compress.pictures import StoredPictures
from compress.processes import Child, Job
from compress.second_stage import StageFiles
from edge_agent.vision.decode import SCORE_FLOOR
from edge_agent.wire.receipt import EmbeddingMeasurement

_USUAL_PICTURES = 8


@dataclass(frozen=True)
class Trial:
    """One form as the camera ran it; `max_abs_error` is its raw outputs against torch's.

    `folder` is the bundle that was tried, `calibration_file` what it is timed with. `camera` is the process
    that may still have the bundle open; `inference_ms` is known after `time_in_turns`. `memory` is how it was
    held under the strictest limit under which it stayed, `refused` under the stricter ones, where it was
    ended. `ended` tells why it was ended under all of them; then only the memory is known.
    """

    form: Form
    model: Path
    folder: Path
    calibration_file: Path
    run: CameraRun = field(default_factory=CameraRun)
    max_abs_error: float = 0.0
    camera: Child | None = None
    inference_ms: tuple[float, ...] = ()
    stage: StageFiles | None = None
    embedding: EmbeddingMeasurement | None = None
    memory: MemoryWatch | None = None
    ended: str | None = None
    float_layers: int = 0
    refused: tuple[MemoryWatch, ...] = ()

    def under(self, limit_bytes: int) -> Trial:
        """Return it as a device with this memory limit has it: ended, if it was ended under one as strict."""
        over = next((one for one in self.refused if one.limit_bytes >= limit_bytes), None)
        if over is None:
            return self
        # Two runs are never quite alike; what was ended needs more than the limit.
        need_bytes = max(self.run.peak_memory_bytes, over.limit_bytes + 1)
        return replace(
            self,
            run=CameraRun(peak_memory_bytes=need_bytes),
            camera=None,
            inference_ms=(),
            memory=over,
            ended=f"ended when it used more than {megabytes(over.limit_bytes)} of memory",
        )


@dataclass(frozen=True)
class Tryout:
    """How to try the forms of one network.

    Attributes:
        pictures: What is looked at.
        references: torch's raw outputs for the first calibration pictures.
        memory_limits: The memory limits in bytes, one for each device; none: without one.
        threads: Threads of one inference.
    """

    pictures: StoredPictures
    references: Sequence[RawOutputs]
    memory_limits: tuple[int, ...] = ()
    threads: int = 1


def try_form(start: Callable[[], Child], spec: BundleSpec, model: Path, how: Tryout) -> Trial:
    """Run one export as a camera does; what an earlier, ended compression found of it is taken over.

    While it does what a camera does, it is held under the device's memory limit; what it then answers for
    the comparison, hundreds of pictures down to the lowest score, no camera keeps. Of several limits the
    strictest comes first: what stays under it stays under all. A form that is ended at each of them runs
    once more without one, only to tell how much it would need.

    Args:
        start: Starts a `compress.camera_process`.
        spec: What the bundle's manifest says so far.
        model: The export.
        how: Pictures and limits.

    Raises:
        ElfowlError: The camera's code refuses the bundle, or its runtime fails.
    """
    limits = sorted(set(how.memory_limits))
    kept_file = model.parent / f"trial_{spec.form.name}_{'_'.join(map(str, limits)) or 'free'}.json"
    if kept_file.is_file():
        return _read(kept_file, _opened(None, spec, model, how))
    trial = _tried(start, spec, _opened(None, spec, model, how), how)
    _keep(kept_file, trial)
    return trial


def compare_form(child: Child, spec: BundleSpec, model: Path, how: Tryout) -> Trial:
    """Run one export on the first calibration pictures only, to compare its raw outputs with torch's."""
    return _compared(child, spec, _opened(child, spec, model, how), how, full_run=False)


def _opened(child: Child | None, spec: BundleSpec, model: Path, how: Tryout) -> Trial:
    folder = model.parent / f"trial_{spec.form.name}"
    write_bundle(folder, spec, model)
    return Trial(spec.form, model, folder, how.pictures.calibration_file, camera=child)


def _tried(start: Callable[[], Child], spec: BundleSpec, trial: Trial, how: Tryout) -> Trial:
    refused: list[MemoryWatch] = []
    for limit_bytes in sorted(set(how.memory_limits)) or (None,):
        child = start()
        peak_bytes, memory = _run_usual(child, _usual(trial, how), limit_bytes)
        if memory is not None and memory.over:
            child.close()
            refused.append(memory)
            continue
        trial = _compared(child, spec, replace(trial, camera=child), how, full_run=True)
        run = trial.run.model_copy(update={"peak_memory_bytes": peak_bytes})
        return replace(trial, run=run, memory=memory, refused=tuple(refused))
    return _with_need(start(), replace(trial, refused=tuple(refused)), how)


def _run_usual(child: Child, job: Job, memory_bytes: int | None) -> tuple[int, MemoryWatch | None]:
    """Return the peak memory of a camera's usual work, and how it was held; over its limit it is ended."""
    if memory_bytes is None:
        return int(child.ask(job)["peak_memory_bytes"]), None
    peak_bytes, failure = 0, None
    with memory_limited(child.pid, memory_bytes, child.kill) as memory:
        try:
            peak_bytes = int(child.ask(job)["peak_memory_bytes"])
        except (ExportError, CancelledError) as error:
            failure = error
    if failure is not None and not memory.over:
        raise failure
    return peak_bytes, memory


def _with_need(child: Child, trial: Trial, how: Tryout) -> Trial:
    peak_bytes = int(child.ask(_usual(trial, how))["peak_memory_bytes"])
    child.close()
    return replace(trial, run=CameraRun(peak_memory_bytes=peak_bytes)).under(max(how.memory_limits))


def _usual(trial: Trial, how: Tryout) -> Job:
    files = (*how.pictures.held_out, *how.pictures.unlabelled)[:_USUAL_PICTURES]
    return _job(trial, how) | {"do": "usual", "pictures": list(map(str, files)), "count": _USUAL_PICTURES}


def _compared(child: Child, spec: BundleSpec, trial: Trial, how: Tryout, *, full_run: bool) -> Trial:
    raw_file = trial.model.parent / f"raw_{spec.form.name}.npz"
    answer = child.ask(
        _job(trial, how)
        | {
            "do": "look",
            "measure": full_run,
            "pictures": [str(file) for file in how.pictures.held_out],
            "tuned": [str(file) for file in how.pictures.tuned_files],
            "unlabelled": [str(file) for file in how.pictures.unlabelled],
            "golden": str(how.pictures.golden_file),
            "floor": max(SCORE_FLOOR, min(label.threshold for label in spec.detector.labels) - MOST_SHIFT),
            "raw": len(how.references),
            "raw_out": str(raw_file),
        }
    )
    error = max_abs_error(how.references, read_raw(raw_file, len(how.references)))
    return replace(trial, run=CameraRun.model_validate(answer), max_abs_error=error)


def _job(trial: Trial, how: Tryout) -> Job:
    return {
        "bundle": str(trial.folder),
        "threads": how.threads,
        "calibration": str(trial.calibration_file),
    }


def _keep(file: Path, trial: Trial) -> None:
    document = {
        "run": trial.run.model_dump(),
        "max_abs_error": trial.max_abs_error,
        "memory": asdict(trial.memory) if trial.memory else None,
        "ended": trial.ended,
        "refused": [asdict(one) for one in trial.refused],
    }
    part = file.with_suffix(".part")
    part.write_text(json.dumps(document), "utf-8")
    part.replace(file)


def _read(file: Path, trial: Trial) -> Trial:
    found = json.loads(file.read_text("utf-8"))
    return replace(
        trial,
        run=CameraRun.model_validate(found["run"]),
        max_abs_error=found["max_abs_error"],
        memory=MemoryWatch(**found["memory"]) if found["memory"] else None,
        ended=found["ended"],
        refused=tuple(MemoryWatch(**one) for one in found.get("refused", ())),
        camera=None if found["ended"] else trial.camera,
    )
