"""Exports, run by the camera's own code in processes of their own, and what that tells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compress.bundle import BundleSpec, write_bundle
from compress.camera_process import CameraRun
from compress.capture import RawOutputs
from compress.errors import ParityError
from compress.forms import Form
from compress.pictures import StoredPictures
from compress.processes import Child
from compress.second_stage import StageFiles
from edge_agent.wire.receipt import EmbeddingMeasurement

MAX_FLOAT_ERROR = 1e-4
"""A float export may differ from torch by so much in any raw output, or by this share of the largest one."""

_TURNS = 7
_PICTURES_A_TURN = 4


@dataclass(frozen=True)
class Trial:
    """One form as the camera ran it; `max_abs_error` is its raw outputs against torch's.

    `camera` is the process that still has the bundle open; `inference_ms` is known after `time_in_turns`.
    """

    form: Form
    model: Path
    run: CameraRun
    max_abs_error: float
    camera: Child
    inference_ms: tuple[float, ...] = ()
    stage: StageFiles | None = None
    embedding: EmbeddingMeasurement | None = None


def try_form(
    child: Child,
    spec: BundleSpec,
    model: Path,
    pictures: StoredPictures,
    references: Sequence[RawOutputs],
    *,
    threads: int = 1,
    full_run: bool = True,
) -> Trial:
    """Run one export as a camera does.

    Args:
        child: A started `compress.camera_process`.
        spec: What the bundle's manifest says so far.
        model: The export.
        pictures: What it looks at.
        references: torch's raw outputs for the first calibration pictures.
        threads: Threads of one inference, as the profile says.
        full_run: False: only raw outputs are compared.

    Raises:
        ElfowlError: The camera's code refuses the bundle, or its runtime fails.
    """
    folder = model.parent / f"trial_{spec.form.name}"
    write_bundle(folder, spec, model)
    raw_file = model.parent / f"raw_{spec.form.name}.npz"
    answer = child.ask(
        {
            "do": "look",
            "bundle": str(folder),
            "threads": threads,
            "measure": full_run,
            "pictures": [str(file) for file in pictures.held_out],
            "calibration": str(pictures.calibration_file),
            "golden": str(pictures.golden_file),
            "raw": len(references),
            "raw_out": str(raw_file),
        }
    )
    error = max_abs_error(references, read_raw(raw_file, len(references)))
    return Trial(spec.form, model, CameraRun.model_validate(answer), error, child)


def time_in_turns(trials: Collection[Trial], pictures: Path) -> list[Trial]:
    """Return the trials with the times that their networks took, picture by picture.

    The forms take turns, so that a busy moment of the machine hits all of them alike: times of a machine are
    noisy, ratios of times taken in turns are not.

    Args:
        trials: Forms whose camera processes still run; each works alone in its turn.
        pictures: .npy of `(n, h, w, 3) uint8` at the network's size.
    """
    turn = {"do": "time", "pictures": str(pictures), "count": _PICTURES_A_TURN}
    times_ms: dict[Form, list[float]] = {trial.form: [] for trial in trials}
    for _ in range(_TURNS):
        for trial in trials:
            times_ms[trial.form] += trial.camera.ask(turn)["inference_ms"]
    return [replace(trial, inference_ms=tuple(times_ms[trial.form])) for trial in trials]


def read_raw(file: Path, count: int) -> list[RawOutputs]:
    """Return the raw outputs that a camera process wrote, picture by picture."""
    with np.load(file) as arrays:
        pairs = [(name.split("/", 1), arrays[name]) for name in arrays.files]
    return [{name: array for (index, name), array in pairs if int(index) == turn} for turn in range(count)]


def max_abs_error(expected: Sequence[RawOutputs], found: Sequence[RawOutputs]) -> float:
    """Return the largest difference of any number in any output of any picture."""
    return max(
        (
            float(np.abs(array - outputs[name]).max())
            for reference, outputs in zip(expected, found, strict=True)
            for name, array in reference.items()
        ),
        default=0.0,
    )


def check_parity(trial: Trial, references: Sequence[RawOutputs]) -> None:
    """Refuse a float export that does not answer as torch does.

    Raises:
        ParityError: It is off by more than `MAX_FLOAT_ERROR`.
    """
    largest = max(
        (float(np.abs(array).max()) for outputs in references for array in outputs.values()), default=0.0
    )
    allowed = MAX_FLOAT_ERROR * max(1.0, largest)
    if not trial.max_abs_error < allowed:
        message = (
            f"the {trial.form.name} export differs from torch by {trial.max_abs_error:.2g} "
            f"(allowed {allowed:.2g}): an operation is not exported faithfully"
        )
        raise ParityError(message)


def percentile_ms(times_ms: Sequence[float], percent: float) -> float:
    """Return a percentile of times, rounded to a hundredth of a millisecond."""
    return round(float(np.percentile(times_ms, percent)), 2)
