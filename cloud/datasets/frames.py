"""Labelled pictures as training and evaluation see them; no torch, no database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_agent.wire.base import XyxyNorm


@dataclass(frozen=True)
class PictureSource:
    """Where the pixels are: an image file, or one decoded frame of a video.

    `frame_index` is 0-based over the decoded frames of the file; none for an image file.
    """

    path: Path
    frame_index: int | None = None

    @property
    def name(self) -> str:
        """Return a name for reports."""
        return self.path.name if self.frame_index is None else f"{self.path.name}#{self.frame_index:06d}"


@dataclass(frozen=True)
class LabelledBox:
    """One object: its class by display name, its box as fractions of the picture."""

    label: str
    box_xyxy_norm: XyxyNorm


@dataclass(frozen=True)
class LabelledFrame:
    """A picture and what people said about it.

    `trusted_xyxy_norm` is none when the whole picture was looked at, so that what is not boxed is background
    ("nothing here" is such a frame without boxes). Else it is the regions in which the labels hold; outside
    of them nothing is learned. A correction of one box gives such a partial frame.

    `tags` are the classes that are somewhere in the picture, nobody said where; none when nobody said so. A
    frame with tags and neither boxes nor "nothing here" teaches presence only, never boxes.

    `hard_negative_xyxy_norm` are places where a detector saw something and a person said that nothing is
    there: background, as all that is trusted and not boxed, and worth learning harder.
    """

    source: PictureSource
    width_px: int
    height_px: int
    boxes: tuple[LabelledBox, ...]
    trusted_xyxy_norm: tuple[XyxyNorm, ...] | None = None
    tags: tuple[str, ...] | None = None
    hard_negative_xyxy_norm: tuple[XyxyNorm, ...] = ()
