"""Which boxes of a student are one, told from held-out pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.candidates import Candidate, Student
from compress.lessons import Material, overlap_of
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from tests.compress.tiny import HEIGHT_PX, STRIDE_PX, WIDTH_PX, TinyDetector

SIZE_PX = (WIDTH_PX, HEIGHT_PX)
FIRST_PX, SECOND_PX = (12, 12, 44, 44), (25, 12, 57, 44)
"""Their IoU is 0.42."""


class SeesTwo(nn.Module):
    """Answers the same two boxes to each picture, the second one less surely."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores and boxes, NHWC."""
        shape = len(image), HEIGHT_PX // STRIDE_PX, WIDTH_PX // STRIDE_PX
        scores, boxes = torch.full((*shape, 1), -9.0), torch.zeros((*shape, 4))
        for logit, (left, top, right, bottom) in ((3.0, FIRST_PX), (2.0, SECOND_PX)):
            column, row = (left + right) // 2 // STRIDE_PX, (top + bottom) // 2 // STRIDE_PX
            x, y = (column + 0.5) * STRIDE_PX, (row + 0.5) * STRIDE_PX
            scores[:, row, column] = logit
            boxes[:, row, column] = torch.tensor([x - left, y - top, right - x, bottom - y]) / STRIDE_PX
        return scores, boxes


def _seen(box_px: tuple[int, int, int, int]) -> Detection:
    left, top, right, bottom = box_px
    box: XyxyNorm = (left / WIDTH_PX, top / HEIGHT_PX, right / WIDTH_PX, bottom / HEIGHT_PX)
    return Detection(label="red_square", score=0.9, box=box)


@pytest.mark.parametrize(
    ("seen_px", "expected"),
    [((FIRST_PX,), 0.4), ((FIRST_PX, SECOND_PX), 0.45), ((), 0.5)],
    ids=["the full detector sees one", "it sees both", "it sees nothing"],
)
def test_overlap_of_a_student_that_sees_two_follows_the_full_detector(
    seen_px: tuple[tuple[int, int, int, int], ...], expected: float
) -> None:
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    material = Material(TinyDetector(), (), (), (picture,) * 4, (tuple(map(_seen, seen_px)),) * 4)

    assert overlap_of(material, SeesTwo(), SIZE_PX) == pytest.approx(expected)


def test_student_drops_boxes_as_its_detector_does_until_it_is_told_otherwise() -> None:
    detector, network = TinyDetector(), nn.Conv2d(3, 1, 1)
    own = Candidate.of(network, SIZE_PX)
    told = Candidate("told", network, SIZE_PX, (), own.macs, own.parameters, own.work, nms_iou=0.4)

    assert Student(detector, own).nms_iou == detector.nms_iou
    assert Student(detector, told).nms_iou == 0.4
