"""A simulated person: knows what is on the sample frames, looks at what the detector says, and corrects it.

Pure; the truth is elfowl's own hand-checked boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True)
class Mistakes:
    """What a detector got wrong on one frame."""

    frame_index: int
    missed: tuple[XyxyNorm, ...]
    wrong: tuple[Detection, ...]

    @property
    def count(self) -> int:
        """Return how many corrections this frame needs."""
        return len(self.missed) + len(self.wrong)


def find_mistakes(frame_index: int, truth: Sequence[XyxyNorm], seen: Sequence[Detection]) -> Mistakes:
    """Compare what is there with what the detector says; each box is matched at most once, best score first.

    Args:
        frame_index: Which frame.
        truth: Boxes of what is there.
        seen: What the detector reports on it.
    """
    by_score = sorted(seen, key=lambda detection: -detection.score)
    ious = iou_matrix(_array(truth), _array([detection.box for detection in by_score]))
    free = set(range(len(truth)))
    wrong = []
    for column, detection in enumerate(by_score):
        best = max(free, key=lambda row: ious[row, column], default=None)
        if best is None or ious[best, column] < SAME_OBJECT_IOU:
            wrong.append(detection)
        else:
            free.remove(best)
    return Mistakes(frame_index, tuple(truth[row] for row in sorted(free)), tuple(wrong))


def choose_worst(mistakes: Sequence[Mistakes], limit: int) -> list[Mistakes]:
    """Return the frames with most mistakes, worst first; frames without any are left out."""
    return sorted((m for m in mistakes if m.count), key=lambda m: (-m.count, m.frame_index))[:limit]


def _array(boxes: Sequence[XyxyNorm]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(boxes, np.float32).reshape(-1, 4)
