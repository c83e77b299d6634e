"""Parts of a real clip: who stands where, and what a real detector said, so that only the following is tried.

How both files were made stands in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

Part = Literal["tune", "report"]
Boxes = Sequence[tuple[int, XyxyNorm]]
"""Number of a thing, and where it is."""

LABEL = "person"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Clip:
    """One part of the clip.

    Attributes:
        fps: Pictures a second of all frames.
        tall: The picture's height in widths.
        truth: Who is where, by frame; every fifth frame has it.
        detections: What the detector saw, by frame; all frames have it.
    """

    fps: float
    tall: float
    truth: Mapping[int, Boxes]
    detections: Mapping[int, Sequence[Detection]]


def read_clip(part: Part) -> Clip:
    """Read one part: parameters are chosen on `tune`; `report` is looked at afterwards."""
    identities, seen = _read("vtest_identities.json"), _read("vtest_detections.json")
    info, frames = identities["info"], identities["parts"][part]
    width, height = info["width_px"], info["height_px"]
    first, *_, last = sorted(map(int, frames))
    return Clip(
        fps=info["fps"],
        tall=height / width,
        truth={int(frame): _truth(boxes, width, height) for frame, boxes in frames.items()},
        detections={
            frame: [_detection(row, width, height) for row in seen["frames"][str(frame)]]
            for frame in range(first, last + 1)
        },
    )


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((_FOLDER / name).read_text())
    return document


def _truth(boxes: dict[str, list[float]], width: int, height: int) -> Boxes:
    return [
        (int(number), (x / width, y / height, (x + w) / width, (y + h) / height))
        for number, (x, y, w, h) in boxes.items()
    ]


def _detection(row: list[int], width: int, height: int) -> Detection:
    score, x1, y1, x2, y2 = row
    box = (x1 / 10 / width, y1 / 10 / height, min(1.0, x2 / 10 / width), min(1.0, y2 / 10 / height))
    return Detection(label=LABEL, score=score / 1000, box=box)
