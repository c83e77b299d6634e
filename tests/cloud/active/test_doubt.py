"""How much a detector doubts a frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.active.doubt import disagreement, doubt_of, flicker, mirror_back, near_threshold
from edge_agent.wire.detection import Detection

THRESHOLDS = {"cat": 0.4}
BOX = (0.1, 0.2, 0.3, 0.4)
FAR = (0.6, 0.6, 0.8, 0.8)


def seen(score: float = 0.9, box: tuple[float, float, float, float] = BOX, label: str = "cat") -> Detection:
    return Detection(label=label, score=score, box=box)


@pytest.mark.parametrize(("score", "doubt"), [(0.4, 1.0), (0.45, 0.5), (0.35, 0.5), (0.5, 0.0), (0.95, 0.0)])
def test_score_near_its_threshold_is_in_doubt(score: float, doubt: float) -> None:
    assert near_threshold([seen(score)], THRESHOLDS) == pytest.approx(doubt)


def test_class_that_the_detector_no_longer_knows_is_not_in_doubt() -> None:
    assert near_threshold([seen(0.4, label="dog")], THRESHOLDS) == 0


@pytest.mark.parametrize(
    ("here", "mirrored", "doubt"),
    [
        ([seen()], [seen()], 0.0),
        ([seen(0.9)], [], 0.9),
        ([], [seen(0.8)], 0.8),
        ([seen(0.9)], [seen(0.7, FAR)], 1.6),
        ([seen(0.1)], [], 0.0),
        ([seen(0.9)], [seen(0.9, label="dog")], 0.9),
    ],
)
def test_answer_that_changes_when_mirrored_is_in_doubt(
    here: list[Detection], mirrored: list[Detection], doubt: float
) -> None:
    assert disagreement(here, mirrored, THRESHOLDS) == pytest.approx(doubt)


@pytest.mark.parametrize(
    ("before", "here", "after", "doubt"),
    [
        ([seen()], [], [seen()], 1.0),
        ([], [seen()], [], 1.0),
        ([seen()], [seen()], [seen()], 0.0),
        ([seen()], [], [], 0.0),
        ([], [seen()], [seen()], 0.0),
        (None, [], [seen()], 0.0),
        ([seen()], [], None, 0.0),
    ],
)
def test_object_that_is_not_there_for_one_frame_flickers(
    before: list[Detection] | None, here: list[Detection], after: list[Detection] | None, doubt: float
) -> None:
    assert flicker(here, before, after, THRESHOLDS) == doubt


def test_crowd_is_capped() -> None:
    crowd = [seen(0.4, (x / 40, 0.1, x / 40 + 0.01, 0.2)) for x in range(30)]
    doubt = doubt_of(crowd, [], None, None, THRESHOLDS)
    assert (doubt.near_threshold, doubt.disagreement, doubt.flicker, doubt.total) == (6.0, 6.0, 0.0, 12.0)


corner = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.5, 1), st.floats(0.5, 1))


@given(st.lists(corner, max_size=5))
def test_mirrored_twice_is_as_it_was(boxes: list[tuple[float, float, float, float]]) -> None:
    found = [seen(0.9, box) for box in boxes]
    back = mirror_back(mirror_back(found))
    assert [one.box for one in back] == [pytest.approx(one.box) for one in found]


@given(st.lists(st.tuples(st.floats(0, 1), corner), max_size=6))
def test_answer_that_holds_when_mirrored_and_in_time_leaves_only_scores_in_doubt(
    found: list[tuple[float, tuple[float, float, float, float]]],
) -> None:
    here = [seen(score, box) for score, box in found if box[0] < box[2] and box[1] < box[3]]
    doubt = doubt_of(here, here, here, here, THRESHOLDS)
    assert (doubt.disagreement, doubt.flicker) == (0.0, 0.0)
    assert doubt.near_threshold >= 0
