"""A candidate in the shadow: alerts paired, counted, and told to nobody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge_agent.pipeline.shadow import Alert, Comparison, ShadowScene, compare, summarize, together
from edge_agent.wire.detection import Detection
from edge_agent.wire.rules import CameraRules
from tests.edge_agent.pipeline.scenes import PERSON, START_S, ScriptedDetector, frame, person


def alert(start_s: float, end_s: float, label: str = "person") -> Alert:
    return Alert(label, start_s, end_s)


@pytest.mark.parametrize(
    ("now", "candidate", "both", "only_now", "only_candidate"),
    [
        pytest.param([], [], 0, (), (), id="nothing"),
        pytest.param([alert(0, 5)], [alert(1, 4)], 1, (), (), id="the same"),
        pytest.param([alert(0, 5)], [alert(7, 9)], 1, (), (), id="a little later"),
        pytest.param([alert(0, 5)], [alert(9, 12)], 0, (0,), (9,), id="another time"),
        pytest.param([alert(0, 5)], [alert(0, 5, "dog")], 0, (0,), (0,), id="another label"),
        pytest.param([alert(0, float("inf"))], [alert(60, 70)], 1, (), (), id="still there"),
        pytest.param([alert(0, 9), alert(1, 9)], [alert(1, 9)], 1, (0,), (), id="two, and one of them"),
        pytest.param([alert(10, 20)], [alert(0, 30), alert(10, 20)], 1, (), (0,), id="the nearest start"),
    ],
)
def test_compare_pairs_alerts_of_one_label_and_time(
    now: Sequence[Alert],
    candidate: Sequence[Alert],
    both: int,
    only_now: tuple[float, ...],
    only_candidate: tuple[float, ...],
) -> None:
    found = compare(now, candidate)
    assert found == Comparison(len(now), len(candidate), both, only_now, only_candidate)
    assert found.both + len(found.only_now) == found.now
    assert found.both + len(found.only_candidate) == found.candidate


def test_summary_says_how_many_instead_of_how_many() -> None:
    one = Comparison(18, 2, 2, tuple(range(16)), ())
    other = Comparison(1, 1, 0, (99.0,), (50.0,))
    assert summarize(together([one, other])) == "3 alerts instead of 19 (17 fewer, 1 new)"
    assert summarize(Comparison(1, 1, 1, (), ())) == "1 alert instead of 1"


def watch(scene: ShadowScene, looks: Sequence[tuple[Sequence[Detection], Sequence[Detection]]]) -> None:
    """Show pictures, with what the running detector and the candidate see."""
    for index, (now, candidate) in enumerate(looks):
        CANDIDATE.sees = candidate
        scene.look(frame(0.5 * index), now)


CANDIDATE = ScriptedDetector()


def scene() -> ShadowScene:
    return ShadowScene("front", {"person": PERSON}, CANDIDATE, {"person": PERSON})


def test_scene_counts_what_the_candidate_would_not_tell() -> None:
    shadow = scene()
    walker, ghost = person(0.1), person(0.7)
    watch(shadow, [([walker, ghost], [walker])] * 6 + [([], [])] * 30)
    found = shadow.comparison()
    assert (found.now, found.candidate, found.both) == (2, 1, 1)
    assert list(found.only_now) == [pytest.approx(START_S)]
    assert shadow.pictures == 36


def test_scene_counts_both_in_the_same_pictures_however_few() -> None:
    shadow = scene()
    # Both see the same; that the candidate had time for one picture in five seconds only costs both alike.
    for index in range(6):
        CANDIDATE.sees = [person(0.4)]
        shadow.look(frame(5.0 * index), [person(0.4)])
    found = shadow.comparison()
    assert found.now == found.candidate == found.both


def test_scene_goes_by_the_camera_s_threshold_for_both() -> None:
    shadow = scene()
    shadow.follow(CameraRules(), 0.95)
    watch(shadow, [([person(0.1)], [person(0.1)])] * 6)
    assert shadow.comparison() == Comparison(0, 0, 0, (), ())


def test_scene_of_many_alerts_keeps_what_they_come_to() -> None:
    shadow = scene()
    looks: list[tuple[list[Detection], list[Detection]]] = []
    for index in range(130):
        both = [person(0.1)] if index % 2 else []
        # A walker that both see every other time, and a ghost that only the running detector sees.
        looks += [([*both, person(0.7)], both)] * 3 + [([], [])] * 16
    watch(shadow, looks)
    found = shadow.comparison()
    assert (found.now, found.candidate, found.both) == (195, 65, 65)
    assert len(shadow._books[0].alerts()) < 195
    assert found.only_now[-1] > START_S + 1_200.0
