"""The camera's tracker on real detections of a real clip, against a plain one by overlap."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from functools import cache

import pytest

from bench.following.followers import PlainSettings, follow_as_camera, follow_plainly
from bench.following.score import Score, TrackEvalError, score
from bench.following.sequences import Boxes, Clip, Part, read_clip
from bench.tracking import PLAIN, TUNED


@cache
def clip() -> Clip:
    return read_clip("report")


def scored(told: Mapping[int, Boxes]) -> Score:
    try:
        return score(clip(), told)
    except TrackEvalError as error:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(str(error))


@cache
def camera(every: int) -> Score:
    return scored(follow_as_camera(clip(), every))


@pytest.mark.parametrize("part", ["tune", "report"])
def test_annotation_covers_two_hundred_frames_every_fifth(part: Part) -> None:
    truth = read_clip(part).truth
    frames = sorted(truth)
    assert frames[-1] - frames[0] >= 200
    assert {b - a for a, b in itertools.pairwise(frames)} == {5}
    for boxes in truth.values():
        assert len({number for number, _ in boxes}) == len(boxes)
        assert all(0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 for _, (x1, y1, x2, y2) in boxes)


def test_score_of_the_truth_itself_is_one() -> None:
    assert scored(clip().truth) == Score(1.0, 1.0, 0, 0, 0)


def test_score_counts_a_changed_number_as_one_switch() -> None:
    told = {
        frame: [(number + 100 * (number == 2 and frame >= 700), box) for number, box in boxes]
        for frame, boxes in clip().truth.items()
    }
    found = scored(told)
    assert found.switches == 1
    assert found.mota < 1.0
    assert found.idf1 < 1.0


@pytest.mark.parametrize("every", [1, 2, 5], ids=["10-fps", "5-fps", "2-fps"])
@pytest.mark.parametrize("plain", [PLAIN, TUNED], ids=["plain", "plain-tuned"])
def test_tracker_is_better_than_a_plain_one_in_mota_and_idf1(every: int, plain: PlainSettings) -> None:
    rival = scored(follow_plainly(clip(), every, plain))
    assert camera(every).mota > rival.mota
    assert camera(every).idf1 > rival.idf1
    assert camera(every).switches < rival.switches


@pytest.mark.parametrize(("every", "mota", "idf1"), [(1, 0.66, 0.74), (2, 0.67, 0.79), (5, 0.66, 0.72)])
def test_tracker_keeps_the_scores_it_has(every: int, mota: float, idf1: float) -> None:
    assert camera(every).mota >= mota
    assert camera(every).idf1 >= idf1
