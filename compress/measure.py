"""What trials are compared by: raw outputs against torch's, and times taken in turns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compress.capture import RawOutputs
from compress.errors import ParityError
from compress.forms import Form
from edge_agent.runtime.npy import read_arrays

MAX_FLOAT_ERROR = 1e-4
"""A float export may differ from torch by so much in any raw output, or by this share of the largest one."""


def read_raw(file: Path, count: int) -> list[RawOutputs]:
    """Return the raw outputs that a camera process wrote, picture by picture."""
    pairs = [(name.split("/", 1), array) for name, array in read_arrays(file).items()]
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


def check_parity(form: Form, error: float, references: Sequence[RawOutputs]) -> None:
    """Refuse a float export that does not answer as torch does.

    Args:
        form: The float form.
        error: Its largest difference in a raw output.
        references: torch's raw outputs.

    Raises:
        ParityError: It is off by more than `MAX_FLOAT_ERROR`.
    """
    largest = max(
        (float(np.abs(array).max()) for outputs in references for array in outputs.values()), default=0.0
    )
    allowed = MAX_FLOAT_ERROR * max(1.0, largest)
    if not error < allowed:
        message = (
            f"the {form.name} export differs from torch by {error:.2g} "
            f"(allowed {allowed:.2g}): an operation is not exported faithfully"
        )
        raise ParityError(message)


def percentile_ms(times_ms: Sequence[float], percent: float) -> float:
    """Return a percentile of times, rounded to a hundredth of a millisecond."""
    return round(float(np.percentile(times_ms, percent)), 2)
