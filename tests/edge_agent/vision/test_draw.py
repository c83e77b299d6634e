"""Boxes on pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.vision.draw import draw_detections, label_colour
from edge_agent.wire.detection import Detection


def test_draw_marks_the_box_and_leaves_the_original_alone() -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    drawn = draw_detections(picture, [Detection(label="dog", score=0.9, box=(0.25, 0.5, 0.75, 0.9))])
    assert not picture.any()
    assert tuple(drawn[round(0.9 * 119), round(0.5 * 159)]) == label_colour("dog")
    assert not drawn[100, 80].any()


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0), (0.9, 0.0, 1.0, 0.01)])
def test_draw_at_the_edges_changes_something(box: tuple[float, float, float, float]) -> None:
    drawn = draw_detections(np.zeros((20, 30, 3), np.uint8), [Detection(label="a", score=1.0, box=box)])
    assert drawn.any()
