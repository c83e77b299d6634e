"""Roll-outs whose canaries try the bundle in the shadow first."""

from __future__ import annotations

import pytest

from cloud.fleet.rollout_plan import Plan, Trial
from cloud.fleet.rollout_shadow import sight_of_trial, worse_in_shadow
from cloud.fleet.rollout_states import Sight
from edge_agent.wire.shadow import ShadowCamera, ShadowReport
from tests.cloud.fleet.rollout_world import NEW, OLD, Device, World

DAY_S = 86_400.0
TRIAL = Trial(look_s=3600.0, pictures_min=50)
PLAN = Plan(name="persons v2", bundle_ids=("bun_1",), observe_s=120.0, shadow=TRIAL)


def told(
    now: int, candidate: int, both: int, *, pictures: int = 50, until_s: float = 3600.0, **changes: object
) -> ShadowReport:
    """Return what a device with two cameras tells, one of which saw nothing."""
    camera = ShadowCamera(alerts_now=now, alerts_candidate=candidate, alerts_both=both, pictures=pictures)
    report = ShadowReport(
        bundle_sha256=NEW,
        since=0.0,
        until=until_s,
        cameras={"a": camera, "b": ShadowCamera()},
        summary="fine",
    )
    return report.model_copy(update=changes)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (told(19, 3, 3), None),
        (told(0, 0, 0), None),
        (told(0, 4, 0), None),
        (told(0, 5, 0), "5 alerts instead of 0"),
        (told(10, 20, 10), None),
        (told(10, 21, 10), "21 alerts instead of 10"),
        (told(10, 10, 1), None),
        (told(10, 10, 0), "0 of 10 alerts are left"),
        (told(4, 0, 0), None),
    ],
)
def test_candidate_is_worse_when_it_tells_too_much_or_too_little(
    report: ShadowReport, words: str | None
) -> None:
    found = worse_in_shadow(TRIAL, report)
    assert (found is None) if words is None else (found is not None and words in found)
    assert worse_in_shadow(Trial(alerts_ratio_max=None, kept_share_min=None), report) is None


@pytest.mark.parametrize(
    ("report", "waited_s", "sight"),
    [
        (None, 60.0, Sight.NO_NEWS),
        (None, 2 * DAY_S, Sight.OVERDUE),
        (told(9, 9, 9), 4000.0, Sight.PROVEN),
        (told(0, 9, 0), 4000.0, Sight.WORSE),
        (told(9, 9, 9, until_s=3599.0), 4000.0, Sight.NO_NEWS),
        (told(9, 9, 9, pictures=49), 4000.0, Sight.NO_NEWS),
        (told(9, 9, 9, pictures=49), 2 * DAY_S, Sight.OVERDUE),
        (told(9, 9, 9, bundle_sha256=OLD), 4000.0, Sight.NO_NEWS),
        (told(0, 0, 0, since=None, until=None), 4000.0, Sight.NO_NEWS),
        (told(9, 9, 9, problem="no room"), 3600.0, Sight.NO_NEWS),
        (told(9, 9, 9, problem="no room"), 3601.0, Sight.WORSE),
    ],
)
def test_trial_is_judged_once_enough_was_seen(
    report: ShadowReport | None, waited_s: float, sight: Sight
) -> None:
    found = sight_of_trial(TRIAL, report, NEW, waited_s=waited_s, answer_s=DAY_S)
    assert found[0] is sight


def fleet(report: ShadowReport | None) -> list[Device]:
    return [Device(f"d{number}", counted=report) for number in range(10)]


def test_canary_tries_it_in_the_shadow_before_it_installs_it_and_nobody_else_does() -> None:
    world = World(PLAN, fleet(told(19, 3, 3)))
    world.tick()
    assert world.counts == {"trying": 1, "waiting": 9}
    world.until(lambda: world.rollout.state == "done")
    assert world.counts == {"succeeded": 10}
    devices = world.devices.values()
    assert (sum(one.tried for one in devices), {one.asked for one in devices}) == (1, {1})
    assert {one.shadow for one in devices} == {None}
    assert [one.trial for one in world.members.values() if one.trial] == ["fine"]


def test_candidate_that_does_worse_in_the_shadow_is_installed_nowhere() -> None:
    world = World(PLAN, fleet(told(3, 19, 3)))
    world.until(lambda: world.rollout.state == "halted")
    devices = world.devices.values()
    assert {(one.asked, one.runs, one.desired, one.shadow) for one in devices} == {(0, OLD, OLD, None)}
    assert "19 alerts instead of 3" in str([one.reason for one in world.members.values() if one.reason])


def test_roll_out_that_is_aborted_ends_the_trial() -> None:
    world = World(PLAN, fleet(None))
    world.tick()
    world.order("abort")
    world.until(lambda: world.rollout.state == "aborted")
    assert {(one.asked, one.shadow) for one in world.devices.values()} == {(0, None)}
    assert world.counts == {"skipped": 10}


def test_canary_that_falls_silent_in_its_trial_is_left_out_for_another() -> None:
    world = World(PLAN, fleet(None))
    world.tick()
    (first,) = (one for one in world.devices.values() if one.tried)
    first.online = False
    for device in world.devices.values():
        device.counted = None if device is first else told(9, 9, 9)
    world.until(lambda: world.rollout.state == "done")
    assert world.counts == {"succeeded": 9, "skipped": 1}
    assert (first.shadow, first.runs, sum(one.tried for one in world.devices.values())) == (None, OLD, 2)
