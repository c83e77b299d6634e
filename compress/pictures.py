"""The detector's pictures as files, so that processes of their own can read them one by one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from compress.errors import ExportError
from compress.protocol import Compressible, HeldOutPicture, Rgb, TruthBox
from edge_agent.vision.letterbox import letterbox

CALIBRATION_PICTURES = 24
"""More did not help in trials; each costs half a second in both quantizers."""

AGREEMENT_PICTURES = 500
LESSON_PICTURES = 300
LATEST_SHARE = 0.15
"""Of the pictures to learn from: a search compares networks on them and teaches none with them."""

_LESSON_SHARE = 0.4
_MOST_LATEST = 36
MAX_HELD_OUT = 200
GOLDEN_PICTURES = 3

_PAD_VALUE = 127
_SHADE = 32
_THUMBNAIL_PX = (16, 12)
_MOST_PX = 1_000_000
_MOST_BYTES = 1_500_000_000

_Item = TypeVar("_Item")


class Digest(Protocol):
    """What `hashlib` gives."""

    def update(self, data: memoryview, /) -> None:
        """Add bytes."""


@dataclass(frozen=True)
class CameraPictures:
    """The detector's pictures as the camera gave them, kept once for all candidates.

    `held_out` are `.npy` files of `(h, w, 3) uint8`, `truth` their objects, `names` their names; `unlabelled`
    are files of pictures that are neither tested nor tuned on; `calibration` are those for int8. Smaller
    networks learn from `lessons`: those that calibrate are of them. Thresholds are tuned by `tuned_files`:
    those that calibrate and the latest lessons, on which networks are compared but never taught.
    """

    held_out: tuple[Path, ...]
    names: tuple[str, ...]
    truth: tuple[tuple[TruthBox, ...], ...]
    unlabelled: tuple[Path, ...]
    calibration: tuple[Rgb, ...]
    tuned_files: tuple[Path, ...]
    golden: tuple[Rgb, ...]
    digest: str
    lessons: tuple[Path, ...] = ()


@dataclass(frozen=True)
class StoredPictures:
    """Where the pictures lie for one size of network.

    `held_out`, `tuned_files` and `unlabelled` are `.npy` files of `(h, w, 3) uint8` as the camera gave
    them, `truth` and `names` the objects and the names of the first; `calibration_file` and `golden_file`
    hold `(n, h, w, 3) uint8` at the network's size, also here as arrays.
    """

    held_out: tuple[Path, ...]
    truth: tuple[tuple[TruthBox, ...], ...]
    calibration: Rgb
    calibration_file: Path
    golden: Rgb
    golden_file: Path
    tuned_files: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()


def keep_pictures(
    detector: Compressible, folder: Path, unlabelled: int = AGREEMENT_PICTURES, lessons: int = 0
) -> CameraPictures:
    """Write the pictures of a detector into `folder`.

    Of the camera's pictures those that differ most calibrate int8; up to `unlabelled` of the others show how
    far two detectors agree. Pictures of more than a megapixel are shrunk to one for that. With `lessons`, the
    earliest pictures, up to so many and at most two fifths, are what smaller networks learn from and int8 is
    calibrated with, so that agreement is measured on later ones that nothing was made from.

    Raises:
        ExportError: The detector has no pictures to calibrate with.
    """
    frames = _ask(detector, CALIBRATION_PICTURES + unlabelled + lessons)
    first = min(lessons, int(_LESSON_SHARE * len(frames))) or len(frames)
    chosen = covering(frames[:first], CALIBRATION_PICTURES)
    apart = set(chosen) if first == len(frames) else set(range(first))
    others = [frame for index, frame in enumerate(frames) if index not in apart]
    held_out = evenly(detector.held_out_pictures(), MAX_HELD_OUT)
    digest = hashlib.sha256()
    calibration = tuple(frames[index] for index in chosen)
    taught = frames[:first] if lessons else ()
    count = min(_MOST_LATEST, round(LATEST_SHARE * first)) if first < len(frames) else 0
    latest = [index for index in range(first - count, first) if index not in chosen]

    def noted(name: str, pictures: Iterable[Rgb]) -> tuple[Path, ...]:
        return tuple(_noted(folder / f"{name}_{n:04d}.npy", rgb, digest) for n, rgb in enumerate(pictures))

    kept = CameraPictures(
        held_out=noted("held_out", (picture.rgb() for picture in held_out)),
        names=tuple(picture.name for picture in held_out),
        truth=tuple(picture.truth for picture in held_out),
        unlabelled=noted("other", (_shrunk(rgb) for rgb in others)),
        calibration=calibration,
        tuned_files=noted("tuned", (*calibration, *(_shrunk(frames[index]) for index in latest))),
        golden=tuple(picture.rgb() for picture in choose_golden(held_out))
        or tuple(evenly(calibration, GOLDEN_PICTURES)),
        digest="",
        lessons=noted("lesson", (_shrunk(rgb) for rgb in taught)),
    )
    digest.update(repr(kept.truth).encode())
    return replace(kept, digest=digest.hexdigest())


def fit_pictures(pictures: CameraPictures, input_size_px: tuple[int, int], folder: Path) -> StoredPictures:
    """Write what a network of this size (width, height) calibrates with and is smoke-tested with."""
    calibration = [_fitted(rgb, input_size_px) for rgb in pictures.calibration]
    golden = [in_few_colours(_fitted(rgb, input_size_px)) for rgb in pictures.golden]
    return StoredPictures(
        held_out=pictures.held_out,
        truth=pictures.truth,
        calibration=np.stack(calibration),
        calibration_file=_saved(folder / "calibration.npy", calibration),
        golden=np.stack(golden),
        golden_file=_saved(folder / "golden.npy", golden),
        tuned_files=pictures.tuned_files,
        unlabelled=pictures.unlabelled,
        names=pictures.names,
    )


def covering(frames: Sequence[Rgb], limit: int) -> list[int]:
    """Return indices, ascending, of up to `limit` pictures that differ most from each other.

    The first is the one nearest to the mean of all; each next one is farthest from those chosen (by the
    colours of 16 x 12 fields). The same pictures give the same choice.
    """
    if len(frames) <= limit:
        return list(range(len(frames)))
    looks = np.stack([_thumbnail(frame) for frame in frames])
    chosen = [int(np.square(looks - looks.mean(axis=0)).sum(axis=1).argmin())]
    away = np.square(looks - looks[chosen[0]]).sum(axis=1)
    while len(chosen) < limit:
        chosen.append(int(away.argmax()))
        away = np.minimum(away, np.square(looks - looks[chosen[-1]]).sum(axis=1))
    return sorted(chosen)


def in_few_colours(rgb: Rgb) -> Rgb:
    """Return a picture with eight shades a channel: as PNG it has a fifth of the bytes.

    A smoke test compares what two machines see in the same picture, and is as sharp on this one.
    """
    return np.asarray(rgb // _SHADE * _SHADE + _SHADE // 2, np.uint8)


def choose_golden(pictures: Sequence[HeldOutPicture]) -> list[HeldOutPicture]:
    """Return up to three pictures for the device's smoke test: many objects, some, few or none."""
    ordered = sorted(pictures, key=lambda picture: -len(picture.truth))
    return list(evenly(ordered, GOLDEN_PICTURES))


def evenly(items: Sequence[_Item], limit: int) -> Sequence[_Item]:
    """Return at most `limit` items, evenly spread, the first and the last among them."""
    if len(items) <= limit:
        return items
    return [items[int(index)] for index in np.linspace(0, len(items) - 1, limit).round()]


def _ask(detector: Compressible, limit: int) -> Sequence[Rgb]:
    """Ask for pictures, for no more than memory holds."""
    few = detector.calibration_pictures(min(limit, CALIBRATION_PICTURES))
    if not few:
        message = f"detector {detector.ref.name} has no pictures to calibrate with: add some of its camera"
        raise ExportError(message)
    if len(few) < CALIBRATION_PICTURES or limit == CALIBRATION_PICTURES:
        return few
    most = _MOST_BYTES // max(picture.nbytes for picture in few)
    return detector.calibration_pictures(max(min(limit, most), CALIBRATION_PICTURES))


def _thumbnail(rgb: Rgb) -> npt.NDArray[np.float32]:
    return letterbox(rgb, *_THUMBNAIL_PX, _PAD_VALUE).pixels.astype(np.float32).reshape(-1)


def _shrunk(rgb: Rgb) -> Rgb:
    height_px, width_px = rgb.shape[:2]
    scale = math.sqrt(_MOST_PX / (width_px * height_px))
    if scale >= 1.0:
        return rgb
    return letterbox(rgb, round(width_px * scale), round(height_px * scale), _PAD_VALUE).pixels


def _fitted(rgb: Rgb, input_size_px: tuple[int, int]) -> Rgb:
    return letterbox(rgb, *input_size_px, _PAD_VALUE).pixels


def _noted(file: Path, rgb: Rgb, digest: Digest) -> Path:
    digest.update(np.ascontiguousarray(rgb).data)
    np.save(file, rgb)
    return file


def _saved(file: Path, pictures: Sequence[Rgb]) -> Path:
    np.save(file, np.stack(pictures))
    return file
