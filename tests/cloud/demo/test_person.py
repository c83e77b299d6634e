"""The simulated person corrects exactly what is wrong."""

from __future__ import annotations

import pytest

from cloud.demo.person import Mistakes, choose_worst, find_mistakes
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

A: XyxyNorm = (0.1, 0.1, 0.3, 0.5)
B: XyxyNorm = (0.6, 0.1, 0.8, 0.5)


def seen(box: XyxyNorm, score: float = 0.9) -> Detection:
    return Detection(label="person", score=score, box=box)


@pytest.mark.parametrize(
    ("truth", "detections", "missed", "wrong"),
    [
        ([], [], 0, 0),
        ([A, B], [seen(A), seen(B)], 0, 0),
        ([A, B], [seen(A)], 1, 0),
        ([A], [seen(A), seen(B)], 0, 1),
        ([A], [seen(A), seen(A, 0.5)], 0, 1),
        ([A], [], 1, 0),
        ([], [seen(B)], 0, 1),
    ],
    ids=["empty", "all right", "one missed", "one wrong", "doubled box", "all missed", "nothing there"],
)
def test_mistakes_of_a_frame_are_what_does_not_match(
    truth: list[XyxyNorm], detections: list[Detection], missed: int, wrong: int
) -> None:
    mistakes = find_mistakes(7, truth, detections)
    assert (len(mistakes.missed), len(mistakes.wrong)) == (missed, wrong)


def test_mistakes_with_a_doubled_box_blame_the_weaker_one() -> None:
    assert find_mistakes(0, [A], [seen(A, 0.4), seen(A, 0.8)]).wrong == (seen(A, 0.4),)


def test_worst_frames_come_first_and_right_ones_not_at_all() -> None:
    frames = [Mistakes(1, (A,), ()), Mistakes(2, (), ()), Mistakes(3, (A, B), (seen(A),))]
    assert [m.frame_index for m in choose_worst(frames, 5)] == [3, 1]
    assert [m.frame_index for m in choose_worst(frames, 1)] == [3]
