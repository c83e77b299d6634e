"""How films are composed of real footage, and how events are judged by what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from bench.composing.cuttings import Passage, cut_out, read_passages, usual
from bench.composing.film import light
from bench.composing.script import Appearance, Script, write_script
from bench.truth import Told, judge

BOXES = {frame: (0.1 + frame / 1000, 0.4, 0.2 + frame / 1000, 0.7) for frame in range(300, 402, 2)}
FILM = Script(60.0, (Appearance(Passage("tune", 1, BOXES), 10.0, "whole", 300),), (20.2, 60.0))


def test_script_keeps_its_length_and_lets_nobody_follow_another_at_once() -> None:
    passages = read_passages()
    script = write_script(passages, ("whole", "half", "scene"), 60.0, 25.0)
    turns = sorted({(one.start_s, one.kind) for one in script.appearances})
    ends = [max(o.end_s for o in script.appearances if o.start_s == start_s) for start_s, _ in turns]
    gaps = [start_s - end_s for (start_s, _), end_s in zip(turns[1:], ends, strict=False)]
    assert min(gaps) >= 11.5
    assert max(gaps) >= 25 * 60
    assert ends[-1] < script.duration_s == 3600
    assert sum(one.kind == "whole" for one in script.appearances) == len(passages)
    for one in script.appearances:
        assert one.box(one.shown_s) is not None
        assert one.box(one.end_s + 0.2) is None
        assert one.end_s - one.shown_s >= 2.0


def test_script_too_short_a_film_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        write_script(read_passages(), ("whole", "half"), 5.0, 1.0)


@pytest.mark.parametrize(
    ("told", "found", "repeated", "false"),
    [
        ([(12.0, (0.42, 0.4, 0.52, 0.7))], 1, 0, 0),
        ([(12.0, (0.43, 0.41, 0.51, 0.55))], 1, 0, 0),
        ([(12.0, (0.42, 0.4, 0.52, 0.7)), (15.0, (0.45, 0.4, 0.55, 0.7))], 1, 1, 0),
        ([(12.0, (0.62, 0.4, 0.72, 0.7))], 0, 0, 1),
        ([(30.0, (0.42, 0.4, 0.52, 0.7))], 0, 0, 1),
        ([], 0, 0, 0),
    ],
    ids=["told", "part of it", "twice", "elsewhere", "too late", "nothing"],
)
def test_judge_event_is_somebodys_only_where_and_while_they_are(
    told: list[tuple[float, tuple[float, float, float, float]]], found: int, repeated: int, false: int
) -> None:
    verdict = judge(FILM, [Told(*one) for one in told])
    assert (len(verdict.late_s), len(verdict.repeated), len(verdict.false)) == (found, repeated, false)
    assert verdict.recall == found
    assert verdict.false_an_hour == pytest.approx(false * 60.0)


def test_usual_picture_has_nothing_that_only_few_pictures_show() -> None:
    pictures = [np.full((4, 4, 3), 100 + i % 3, np.uint8) for i in range(27)]
    for i in range(0, 27, 4):
        pictures[i][1:3, 1:3] = 250
    assert np.abs(usual(pictures).astype(int) - 101).max() <= 1


def test_light_dims_amid_the_still_time_only() -> None:
    dim = [at_s for at_s in range(60) if light(FILM, at_s) < 0.9]
    assert dim
    assert min(dim) >= 20.2


def test_cut_out_shows_no_strip_of_whoever_walks_beside() -> None:
    person, beside = (0.4, 0.2, 0.5, 0.8), (0.3, 0.2, 0.41, 0.8)
    alone = cut_out([person], [], (100, 100))
    cut = cut_out([person], [beside], (100, 100))
    assert alone[50, 38]
    assert not cut[:, :40].any()
    assert cut[20:80, 40:50].all()
    assert (cut[:, 50:] == alone[:, 50:])[:, 5:].all()


def test_cut_out_two_side_by_side_hides_nothing_of_either() -> None:
    pair = [(0.3, 0.2, 0.41, 0.8), (0.4, 0.2, 0.5, 0.8)]
    assert cut_out(pair, [], (100, 100))[20:80, 30:50].all()
