"""What files of labels say, whatever their format; and the files that they are read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from cloud.datasets.frames import LabelledBox
from edge_agent.wire.base import XyxyNorm

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mkv", ".avi", ".mov", ".webm", ".mpg", ".mpeg", ".ts", ".mts"})
MEDIA_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True)
class Refusal:
    """A file, or a part of one, that does not go in, and why; one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class PictureLabels:
    """All that one file of labels says about one picture, or one frame of a video.

    Attributes:
        name: The picture's or video's name as the labels have it, folders before it with `/`; without a
            suffix where the format names only stems.
        place: Where it was said, for errors.
        boxes: Boxes as fractions of the picture; none and no tags: nothing is here.
        frame_index: 0-based over the decoded frames of the original video; none for an image file.
        size_px: Width and height that the labels are for; none where the format does not say.
        trusted_xyxy_norm: See `LabelledFrame`.
        tags: See `LabelledFrame`.
    """

    name: str
    place: str
    boxes: tuple[LabelledBox, ...]
    frame_index: int | None = None
    size_px: tuple[int, int] | None = None
    trusted_xyxy_norm: tuple[XyxyNorm, ...] | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LabelSet:
    """What one reader found: classes in the order of the files, pictures, and what was wrong."""

    classes: tuple[str, ...] = ()
    pictures: tuple[PictureLabels, ...] = ()
    refusals: tuple[Refusal, ...] = ()


Files = Mapping[str, Path]
"""Files by the name that people know, folders before it with `/`; the paths may be called otherwise."""


class LabelReader(Protocol):
    """Reads one format of labels."""

    title: str

    def claims(self, files: Files) -> frozenset[str]:
        """Return which of the files are of this format, by their content."""
        ...

    def read(self, files: Files) -> LabelSet:
        """Return what the files say that were claimed; what is wrong is a refusal, never an exception."""
        ...


def best_match(name: str, known: Mapping[str, list[str]]) -> list[str]:
    """Return the known names that agree longest with `name`, counted in path parts from the end.

    Args:
        name: As labels have it; without a suffix any suffix fits.
        known: See `by_stem`.

    Returns:
        None when nothing has this name; more than one when several agree equally long.
    """
    wanted = _parts(name)
    has_suffix = wanted[-1].lower().endswith(tuple(MEDIA_SUFFIXES))
    stem = _stem(wanted[-1])
    best: list[str] = []
    longest = 0
    for candidate in known.get(stem, []):
        parts = _parts(candidate)
        if has_suffix and parts[-1] != wanted[-1]:
            continue
        agreeing = 1 + _agreeing(parts[:-1], wanted[:-1])
        if agreeing > longest:
            best, longest = [candidate], agreeing
        elif agreeing == longest:
            best.append(candidate)
    return best


def by_stem(names: Mapping[str, object]) -> dict[str, list[str]]:
    """Return names in lists by their last part without its suffix."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_stem(_parts(name)[-1]), []).append(name)
    return found


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}] or [""]


def _stem(last: str) -> str:
    suffix = PurePosixPath(last).suffix
    return last.removesuffix(suffix) if suffix.lower() in MEDIA_SUFFIXES else last


def _agreeing(one: list[str], other: list[str]) -> int:
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
