"""Late answers laid over what is followed."""

from __future__ import annotations

from edge_agent.pipeline.merge import plan_merge
from edge_agent.pipeline.track import Track, Tracker
from tests.edge_agent.pipeline.scenes import person


def walker(*, start: float = 0.1, looks: int = 10, first_s: float = 0.0) -> Track:
    following = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    for i in range(looks):
        following.update([person(start + 0.03 * i)], first_s + i * 0.2)
    return following.tracks[0]


def test_plan_merge_compares_with_where_the_thing_was_when_asked() -> None:
    track = walker()
    early = person(0.13)
    plan = plan_merge([track], [early], 0.2, {track.number})
    assert plan.confirmed == ((track, early),)
    assert not plan.denied
    assert not plan.missed


def test_plan_merge_answer_without_the_thing_denies_only_what_was_asked() -> None:
    track = walker()
    assert plan_merge([track], [], 0.2, {track.number}).denied == (track,)
    assert plan_merge([track], [], 0.2, set()).denied == ()


def test_plan_merge_other_label_does_not_confirm() -> None:
    track = walker()
    plan = plan_merge([track], [person(0.13, label="car")], 0.2, {track.number})
    assert plan.denied == (track,)
    assert [d.label for d in plan.missed] == ["car"]


def test_plan_merge_thing_born_meanwhile_is_neither_denied_nor_missed() -> None:
    younger = walker(start=0.6, first_s=5.0)
    plan = plan_merge([younger], [person(0.6)], 4.0, {younger.number})
    assert plan == plan_merge([younger], [], 4.0, set())
