"""Roll-outs, played in a world of devices: gates, stops, ways back, devices that are away."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import ConflictError
from cloud.fleet.rollout_groups import Candidate, divide, selects
from cloud.fleet.rollout_health import health_of, worse
from cloud.fleet.rollout_plan import Gates, Health, Plan, Selector
from cloud.fleet.rollout_states import MEMBER, MEMBER_STATES, ORDERS, ROLLOUT, Sight
from cloud.fleet.rollouts import ASKED_AT_ONCE
from edge_agent.wire.status import CameraStats, Stats
from tests.cloud.fleet.rollout_world import HEALTHY, NEW, OLD, Device, World

PLAN = Plan(name="persons v2", bundle_ids=("bun_1",), observe_s=120.0)
ENDED = {"done", "halted", "aborted", "returned"}


def fleet(count: int, **changes: Device) -> list[Device]:
    return [changes.get(f"d{number}") or Device(f"d{number}") for number in range(count)]


def canary_of(plan: Plan, count: int) -> str:
    return divide(plan, [Candidate(f"d{number}", "pi-4") for number in range(count)])[0].device


def test_canary_then_growing_groups_until_every_device_runs_it() -> None:
    world = World(PLAN, fleet(20))
    sizes: list[int] = []
    while world.rollout.state == "running":
        world.tick()
        asked = sum(device.asked for device in world.devices.values())
        if not sizes or sizes[-1] != asked:
            sizes.append(asked)
    assert (world.rollout.state, world.counts) == ("done", {"succeeded": 20})
    assert sizes == [1, 2, 10, 20]
    assert {device.asked for device in world.devices.values()} == {1}


def test_canary_that_refuses_stops_everything_and_goes_back() -> None:
    canary = canary_of(PLAN, 20)
    world = World(PLAN, fleet(20, **{canary: Device(canary, installs=False)}))
    world.until(lambda: world.rollout.state == "halted")
    for _ in range(50):
        world.tick()
    assert [device.name for device in world.devices.values() if device.asked] == [canary]
    assert world.devices[canary].desired == OLD
    assert world.members[canary].reason == "smoke test"


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (Health(fps=5.0), "pictures/s"),
        (Health(fps=10.0, inference_ms=60.0), "ms for a picture"),
        (Health(memory_bytes=3e8), "bytes of memory"),
    ],
    ids=["slow", "inference", "memory"],
)
def test_device_that_does_worse_fails_and_gets_its_old_bundle_back(after: Health, reason: str) -> None:
    canary = canary_of(PLAN, 5)
    world = World(PLAN, fleet(5, **{canary: Device(canary, after=after)}))
    world.until(lambda: world.rollout.state == "halted")
    world.tick()
    assert world.devices[canary].runs == OLD
    assert reason in (world.members[canary].reason or "")
    assert world.members[canary].after == after


def test_device_that_falls_silent_after_the_update_fails() -> None:
    world = World(PLAN, fleet(3))
    world.tick()
    world.tick()
    canary = next(name for name, member in world.members.items() if member.state == "watching")
    world.devices[canary].online = False
    world.until(lambda: world.rollout.state == "halted")
    assert "not heard of" in (world.members[canary].reason or "")


def test_error_count_stops_before_the_share_does() -> None:
    plan = PLAN.model_copy(update={"gates": Gates(error_count=2, error_share=0.9), "shares": (1.0,)})
    canary = canary_of(plan, 20)
    bad = [f"d{number}" for number in range(20) if f"d{number}" != canary][:2]
    world = World(plan, fleet(20, **{name: Device(name, installs=False) for name in bad}))
    world.until(lambda: world.rollout.state == "halted")
    assert world.rollout.reason == "2 devices failed; 2 are the limit"


def test_group_with_too_few_successes_stops_below_the_error_share() -> None:
    plan = PLAN.model_copy(update={"gates": Gates(error_share=0.5, success_share=0.95), "shares": (0.5, 1.0)})
    canary = canary_of(plan, 20)
    bad = [member.device for member in divide(plan, [Candidate(f"d{n}", "pi-4") for n in range(20)])][1:4]
    world = World(plan, fleet(20, **{name: Device(name, installs=False) for name in bad}))
    world.until(lambda: world.rollout.state == "halted")
    assert "too few successes" in (world.rollout.reason or "")
    assert canary not in bad
    assert world.counts["waiting"] == 10


def test_stopped_roll_out_goes_on_by_hand_only_and_halts_again_at_the_next_failure() -> None:
    plan = PLAN.model_copy(update={"gates": Gates(error_count=1)})
    order = [member.device for member in divide(plan, [Candidate(f"d{n}", "pi-4") for n in range(10)])]
    bad = {order[0]: Device(order[0], installs=False), order[4]: Device(order[4], installs=False)}
    world = World(plan, fleet(10, **bad))
    world.until(lambda: world.rollout.state == "halted")
    world.order("continue")
    world.until(lambda: world.rollout.state != "running")
    assert (world.rollout.state, world.counts["failed"]) == ("halted", 2)
    world.order("continue")
    world.until(lambda: world.rollout.state != "running")
    assert (world.rollout.state, world.counts) == ("done", {"failed": 2, "succeeded": 8})


def test_offline_devices_dead_lock_nothing_and_get_it_when_they_come() -> None:
    away = {f"d{number}": Device(f"d{number}", online=False) for number in range(8)}
    world = World(PLAN, fleet(20, **away))
    world.until(lambda: world.rollout.state == "done")
    assert world.counts == {"succeeded": 12, "late": 8}
    world.devices["d3"].online = True
    world.until(lambda: world.members["d3"].state == "succeeded")
    assert world.rollout.state == "done"


def test_canary_that_is_away_is_replaced_by_one_that_is_there() -> None:
    away = {f"d{number}": Device(f"d{number}", online=False) for number in range(5)}
    plan = PLAN.model_copy(update={"canary_devices": ("d0",)})
    world = World(plan, fleet(10, **away))
    world.tick()
    assert [name for name, member in world.members.items() if member.state == "asked"] == ["d0"]
    world.until(lambda: world.counts.get("succeeded", 0) == 1)
    assert world.rollout.state == "running"
    world.until(lambda: world.rollout.state == "done")
    assert world.counts == {"succeeded": 5, "late": 5}


def test_late_device_is_called_back_when_everything_stops() -> None:
    order = [member.device for member in divide(PLAN, [Candidate(f"d{n}", "pi-4") for n in range(20)])]
    changed = {name: Device(name, installs=False) for name in order[2:10]}
    world = World(PLAN, fleet(20, **changed))
    world.until(lambda: world.counts.get("succeeded", 0) == 1)
    late = order[1]
    world.devices[late].online = False
    world.until(lambda: world.rollout.state == "halted")
    assert (world.members[late].state, world.devices[late].desired) == ("waiting", OLD)


def test_paused_roll_out_asks_nobody_until_it_goes_on() -> None:
    world = World(PLAN, fleet(20))
    world.until(lambda: world.rollout.group == 2)
    world.order("pause")
    asked = sum(device.asked for device in world.devices.values())
    for _ in range(50):
        world.tick()
    assert sum(device.asked for device in world.devices.values()) == asked
    world.order("continue")
    world.until(lambda: world.rollout.state == "done")


def test_abort_sends_back_who_is_under_way_and_leaves_who_succeeded() -> None:
    world = World(PLAN, fleet(20))
    world.until(lambda: world.counts.get("watching", 0) > 1)
    kept = [name for name, member in world.members.items() if member.state == "succeeded"]
    world.order("abort")
    world.until(lambda: world.rollout.state == "aborted")
    assert kept
    assert {name for name, device in world.devices.items() if device.runs == NEW} == set(kept)


def test_roll_back_brings_every_device_back_except_one_that_somebody_changed() -> None:
    world = World(PLAN, fleet(20))
    world.until(lambda: world.rollout.state == "done")
    world.devices["d7"].desired = world.devices["d7"].runs = "c" * 64
    world.order("roll_back")
    world.until(lambda: world.rollout.state == "returned")
    assert {device.runs for name, device in world.devices.items() if name != "d7"} == {OLD}
    assert world.devices["d7"].desired == "c" * 64


def test_retry_asks_failed_devices_again() -> None:
    plan = PLAN.model_copy(update={"gates": Gates(error_share=1.0, success_share=0.1)})
    order = [member.device for member in divide(plan, [Candidate(f"d{n}", "pi-4") for n in range(10)])]
    world = World(plan, fleet(10, **{order[5]: Device(order[5], installs=False)}))
    world.until(lambda: world.rollout.state == "done")
    assert world.counts == {"succeeded": 9, "failed": 1}
    world.devices[order[5]].installs = True
    world.order("retry")
    world.until(lambda: world.rollout.state == "done")
    assert (world.counts, world.devices[order[5]].asked) == ({"succeeded": 10}, 2)


def test_device_that_somebody_gave_another_bundle_is_left_alone() -> None:
    world = World(PLAN, fleet(4))
    world.tick()
    canary = next(name for name, member in world.members.items() if member.state == "asked")
    world.devices[canary].wish("c" * 64)
    world.until(lambda: world.rollout.state == "done")
    assert world.members[canary].state == "skipped"
    assert world.devices[canary].desired == "c" * 64


def test_large_group_is_asked_in_portions() -> None:
    plan = PLAN.model_copy(update={"shares": (1.0,)})
    world = World(plan, fleet(ASKED_AT_ONCE * 2 + 1))
    world.until(lambda: world.rollout.group == 1)
    assert sum(device.asked for device in world.devices.values()) == ASKED_AT_ONCE + 1
    world.until(lambda: world.rollout.state == "done")


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_whatever_devices_do_it_ends_and_no_later_group_is_asked_after_a_stop(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 15))
    kinds = st.builds(
        lambda online, installs, slow: {"online": online, "installs": installs, "slow": slow},
        st.booleans(), st.booleans(), st.booleans(),
    )  # fmt: skip
    devices = []
    for number in range(count):
        kind = data.draw(kinds)
        after = Health(fps=1.0) if kind["slow"] else HEALTHY
        devices.append(Device(f"d{number}", kind["online"], kind["installs"], after))
    world = World(PLAN, devices)
    # While nobody answers, one device after the other is asked, and each may be silent for an hour.
    world.until(lambda: world.rollout.state in ENDED, ticks=100 * (count + 1))
    asked = sum(device.asked for device in devices)
    for _ in range(20):
        world.tick()
    assert sum(device.asked for device in devices) == asked
    if world.rollout.state == "halted":
        assert world.counts.get("failed", 0) > 0
    for device in devices:
        is_bad = not device.installs or device.after != HEALTHY
        assert not (is_bad and device.online and device.runs == NEW)


def test_tables_have_a_row_for_everything_and_orders_make_sense() -> None:
    assert set(MEMBER) == {(state, sight) for state in MEMBER_STATES for sight in Sight}
    assert {order for _, order in ROLLOUT} == set(ORDERS)
    assert all(MEMBER[state, sight] == state for state in ("succeeded", "failed") for sight in Sight)


def test_order_that_makes_no_sense_is_refused() -> None:
    world = World(PLAN, fleet(1))
    world.until(lambda: world.rollout.state == "done")
    with pytest.raises(ConflictError, match="is done: it cannot pause now"):
        world.order("pause")


def test_groups_are_the_same_whatever_order_devices_are_listed_in() -> None:
    devices = [Candidate(f"d{number}", "pi-4" if number % 2 else "pi-5") for number in range(30)]
    members = divide(PLAN, devices)
    assert members == divide(PLAN, devices[::-1])
    assert {member.profile for member in members if member.group == 0} == {"pi-4", "pi-5"}
    assert [sum(member.group <= group for member in members) for group in range(4)] == [2, 3, 15, 30]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Selector(), True),
        (Selector(groups=("yard", "hall")), True),
        (Selector(groups=("hall",)), False),
        (Selector(labels=("outdoor",)), True),
        (Selector(labels=("outdoor", "night")), False),
        (Selector(devices=("d1",), groups=("yard",)), True),
        (Selector(devices=("d2",)), False),
    ],
)
def test_selector_means_devices_by_name_group_and_labels(selector: Selector, *, expected: bool) -> None:
    device = Candidate("d1", "pi-4", group="yard", labels=("outdoor", "site=berlin"))
    assert selects(selector, device) is expected


def test_health_is_the_mean_of_cameras_and_the_rate_of_events() -> None:
    camera = CameraStats(
        fps_captured=10.0, fps_inferred=2.0, frames_skipped=0, frames_dropped=0, gate_ratio=0.5,
        inference_ms_p50=20.0,
    )  # fmt: skip
    other = camera.model_copy(update={"fps_captured": 20.0, "inference_ms_p50": None})
    stats = Stats(
        device="d1", agent_version="1", uptime_s=1.0, cameras={"a": camera, "b": other}, rss_bytes=7
    )
    assert health_of(stats, events=12, hours=24.0) == Health(
        fps=15.0, inference_ms=20.0, memory_bytes=7.0, events=12, events_per_h=0.5
    )
    assert health_of(None, events=0, hours=1.0) == Health(events_per_h=0.0)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (Health(), HEALTHY, None),
        (HEALTHY, None, None),
        (Health(events=5, events_per_h=1.0), Health(events=0, events_per_h=0.0), None),
        (Health(events=50, events_per_h=10.0), Health(events=0, events_per_h=0.0), "less than 0.1 times"),
        (Health(events=0, events_per_h=0.0), Health(events=500, events_per_h=900.0), "more than 5 times"),
    ],
)
def test_what_was_not_measured_twice_is_no_evidence(
    before: Health | None, after: Health | None, reason: str | None
) -> None:
    found = worse(before, after, Gates())
    assert (found is None) if reason is None else (found is not None and reason in found)
