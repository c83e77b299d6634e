"""The detector's pictures as files, so that processes of their own can read them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from compress.errors import ExportError
from compress.protocol import Compressible, HeldOutPicture, Rgb, TruthBox
from edge_agent.vision.letterbox import letterbox

CALIBRATION_PICTURES = 24
"""More did not help in trials; each costs half a second in both quantizers."""

MAX_HELD_OUT = 200
GOLDEN_PICTURES = 3

_PAD_VALUE = 127

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class StoredPictures:
    """Where the pictures lie.

    `held_out` are `.npy` files of `(h, w, 3) uint8` as the camera gave them, `truth` their objects;
    `calibration_file` and `golden_file` hold `(n, h, w, 3) uint8` at the network's size, also here as arrays.
    """

    held_out: tuple[Path, ...]
    truth: tuple[tuple[TruthBox, ...], ...]
    calibration: Rgb
    calibration_file: Path
    golden: Rgb
    golden_file: Path


def store_pictures(detector: Compressible, folder: Path) -> StoredPictures:
    """Write the pictures of a detector into `folder`.

    Raises:
        ExportError: The detector has no pictures to calibrate with.
    """
    calibration = [_fitted(rgb, detector) for rgb in detector.calibration_pictures(CALIBRATION_PICTURES)]
    if not calibration:
        message = f"detector {detector.ref.name} has no pictures to calibrate with: add some of its camera"
        raise ExportError(message)
    held_out = evenly(detector.held_out_pictures(), MAX_HELD_OUT)
    files = []
    for index, picture in enumerate(held_out):
        files.append(folder / f"held_out_{index:04d}.npy")
        np.save(files[-1], picture.rgb())
    golden = [_fitted(picture.rgb(), detector) for picture in choose_golden(held_out)]
    golden = golden or list(evenly(calibration, GOLDEN_PICTURES))
    return StoredPictures(
        held_out=tuple(files),
        truth=tuple(picture.truth for picture in held_out),
        calibration=np.stack(calibration),
        calibration_file=_saved(folder / "calibration.npy", calibration),
        golden=np.stack(golden),
        golden_file=_saved(folder / "golden.npy", golden),
    )


def choose_golden(pictures: Sequence[HeldOutPicture]) -> list[HeldOutPicture]:
    """Return up to three pictures for the device's smoke test: many objects, some, few or none."""
    ordered = sorted(pictures, key=lambda picture: -len(picture.truth))
    return list(evenly(ordered, GOLDEN_PICTURES))


def evenly(items: Sequence[_Item], limit: int) -> Sequence[_Item]:
    """Return at most `limit` items, evenly spread, the first and the last among them."""
    if len(items) <= limit:
        return items
    return [items[int(index)] for index in np.linspace(0, len(items) - 1, limit).round()]


def _fitted(rgb: Rgb, detector: Compressible) -> Rgb:
    width_px, height_px = detector.input_size_px
    return letterbox(rgb, width_px, height_px, _PAD_VALUE).pixels


def _saved(file: Path, pictures: Sequence[Rgb]) -> Path:
    np.save(file, np.stack(pictures))
    return file
