"""Whole-frame tags as labels: what is somewhere in a picture has the whole picture as its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cloud.datasets.frames import LabelledBox, LabelledFrame
from edge_agent.wire.base import WHOLE


def frames_of_tags(frames: Sequence[LabelledFrame]) -> list[LabelledFrame]:
    """Return tagged frames as labelled ones, for teaching and measuring presence."""
    return [
        replace(frame, boxes=tuple(LabelledBox(tag, WHOLE) for tag in frame.tags or ())) for frame in frames
    ]
