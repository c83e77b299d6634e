"""Decides how a roll-out goes on: pure functions on its members and on what is seen of their devices.

One call of `advance` is one step, whose result is stored in one transaction: a cloud that is killed in the
middle takes the same step again at its next start, and no device is asked twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cloud.errors import ConflictError
from cloud.fleet.rollout_health import worse
from cloud.fleet.rollout_plan import Member, MemberState, Plan, Rollout, RolloutState, Seen, Trial
from cloud.fleet.rollout_shadow import sight_of_trial
from cloud.fleet.rollout_states import FOLLOWED, MEMBER, ROLLOUT, Order, Sight

ASKED_AT_ONCE: Final = 200
_BUSY: Final[frozenset[MemberState]] = frozenset({"waiting", "trying", "asked", "watching"})
_UNDER_WAY: Final[frozenset[MemberState]] = frozenset({"asked", "watching", "late"})


@dataclass(frozen=True)
class Step:
    """One step: the roll-out and the members that changed, who is to be asked, and who is sent back.

    `try_out` are those who are to try the bundle in the shadow; of `end_trial` this is wanted no more.
    """

    rollout: Rollout
    changed: tuple[Member, ...] = ()
    ask: tuple[str, ...] = ()
    send_back: tuple[str, ...] = ()
    try_out: tuple[str, ...] = ()
    end_trial: tuple[str, ...] = ()


def obey(rollout: Rollout, members: Sequence[Member], order: Order, now_s: float) -> Step:
    """Do what a person says.

    Raises:
        ConflictError: It makes no sense in this state.
    """
    after = ROLLOUT.get((rollout.state, order))
    if after is None:
        message = f"roll-out {rollout.number} is {rollout.state}: it cannot {order.replace('_', ' ')} now"
        raise ConflictError(message)
    changes: dict[str, object] = {"state": after, "reason": None, "updated_s": now_s}
    changed: tuple[Member, ...] = ()
    failures = sum(member.state == "failed" for member in members)
    if order == "continue":
        changes["forgiven"] = failures
    if order == "retry":
        changes["forgiven"] = 0
        changed = tuple(_to(one, "waiting", now_s) for one in members if one.state in {"failed", "late"})
    return Step(rollout.model_copy(update=changes), changed)


def advance(
    rollout: Rollout, members: Sequence[Member], seen: Mapping[str, Seen | None], now_s: float
) -> Step:
    """Return the next step.

    Args:
        rollout: As it is stored.
        members: All of them, in the order in which they are asked.
        seen: What is known of the device of each member that is followed or succeeded; none: it is gone.
        now_s: UTC seconds since 1970.
    """
    looked = [_looked_at(rollout.plan, member, seen, now_s) for member in members]
    # Who failed in the shadow runs what it ran all the time.
    failed = [
        new.device
        for old, new in zip(members, looked, strict=True)
        if _just(old, new, "failed") and old.state != "trying"
    ]
    step = Step(rollout, (), (), tuple(failed))
    if rollout.state in {"aborting", "returning"}:
        step = _going_back(step, looked, seen, now_s)
    elif rollout.state in {"running", "paused"}:
        step = _going_on(step, looked, now_s)
    final = {member.device: member for member in (*looked, *step.changed)}
    before = {member.device: member for member in members}
    changed = tuple(member for name, member in final.items() if member != before[name])
    moved = step.rollout.model_copy(update={"updated_s": now_s}) if step.rollout != rollout else rollout
    ended = tuple(one.device for one in members if one.state == "trying" and _is_over(final[one.device]))
    return replace(step, rollout=moved, changed=changed, end_trial=ended)


def sight_of(plan: Plan, member: Member, seen: Seen | None, now_s: float) -> tuple[Sight, str | None]:
    """Return what is to be seen of a member, and why."""
    if seen is None:
        return Sight.GONE, "the device was removed"
    wanted_sha256 = seen.shadow_sha256 if member.state == "trying" else seen.desired_sha256
    if wanted_sha256 != member.wanted_sha256:
        return Sight.TAKEN, "somebody wants another bundle on it"
    looks = {"trying": _tried, "watching": _watched, "returning": _on_its_way_back}
    look = looks.get(member.state, _asked)
    return look(plan, member, seen, now_s)


def counts(members: Sequence[Member]) -> dict[str, int]:
    """Return how many members are in each state."""
    return dict(Counter(member.state for member in members))


def _tried(plan: Plan, member: Member, seen: Seen, now_s: float) -> tuple[Sight, str | None]:
    if _silent_s(member, seen, now_s) > plan.late_after_s:
        return Sight.SILENT, f"in the shadow trial {_silence(member, seen, now_s)}"
    return sight_of_trial(
        plan.shadow or Trial(),
        seen.shadow,
        member.wanted_sha256,
        waited_s=now_s - member.since_s,
        answer_s=plan.answer_s,
    )


def _asked(plan: Plan, member: Member, seen: Seen, now_s: float) -> tuple[Sight, str | None]:
    if _runs_it(member, seen):
        return Sight.INSTALLED, None
    if (refusal := _refusal(member, seen)) is not None:
        return Sight.REFUSED, refusal
    if member.state == "late":
        has_spoken = (seen.last_seen_s or 0.0) > member.since_s
        return (Sight.NO_NEWS if has_spoken else Sight.SILENT), None
    if _silent_s(member, seen, now_s) > plan.late_after_s:
        return Sight.SILENT, _silence(member, seen, now_s)
    if now_s - member.since_s > plan.answer_s:
        return Sight.OVERDUE, f"no answer within {plan.answer_s:.0f} s"
    return Sight.NO_NEWS, None


def _watched(plan: Plan, member: Member, seen: Seen, now_s: float) -> tuple[Sight, str | None]:
    if not _runs_it(member, seen):
        return Sight.REFUSED, _refusal(member, seen) or "it went back by itself"
    if _silent_s(member, seen, now_s) > plan.late_after_s:
        return Sight.SILENT, f"after the update {_silence(member, seen, now_s)}"
    # It must have spoken after the whole time: one that fell silent meanwhile has proven nothing.
    if (seen.last_seen_s or 0.0) < member.since_s + plan.observe_s:
        return Sight.NO_NEWS, None
    problem = worse(member.before, seen.health, plan.gates)
    return (Sight.PROVEN, None) if problem is None else (Sight.WORSE, problem)


def _on_its_way_back(plan: Plan, member: Member, seen: Seen, now_s: float) -> tuple[Sight, str | None]:
    if _runs_it(member, seen):
        return Sight.BACK, None
    if (refusal := _refusal(member, seen)) is not None:
        return Sight.REFUSED, refusal
    if _silent_s(member, seen, now_s) > plan.late_after_s:
        return Sight.SILENT, f"{_silence(member, seen, now_s)}; it goes back when it comes"
    return Sight.NO_NEWS, None


def _runs_it(member: Member, seen: Seen) -> bool:
    return seen.reported_version >= member.asked_version and seen.installed_sha256 == member.wanted_sha256


def _refusal(member: Member, seen: Seen) -> str | None:
    return next((why for id_, why in seen.refusals.items() if id_ not in member.known_refusals), None)


def _silent_s(member: Member, seen: Seen, now_s: float) -> float:
    return now_s - max(seen.last_seen_s or 0.0, member.since_s)


def _silence(member: Member, seen: Seen, now_s: float) -> str:
    return f"not heard of for {_silent_s(member, seen, now_s):.0f} s"


def _looked_at(plan: Plan, member: Member, seen: Mapping[str, Seen | None], now_s: float) -> Member:
    if member.state not in FOLLOWED:
        return member
    of_device = seen.get(member.device)
    sight, reason = sight_of(plan, member, of_device, now_s)
    after = MEMBER[member.state, sight]
    if after == member.state:
        return member
    moved = _to(member, after, now_s, reason)
    if member.state == "trying":
        went_well = sight is Sight.PROVEN
        return moved.model_copy(update={"trial": reason or "it went well"}) if went_well else moved
    if sight in {Sight.PROVEN, Sight.WORSE} and of_device is not None:
        moved = moved.model_copy(update={"after": of_device.health})
    return moved


def _going_back(step: Step, members: Sequence[Member], seen: Mapping[str, Seen | None], now_s: float) -> Step:
    """Send back who is under way, and when everything is rolled back also who succeeded."""
    all_back = step.rollout.state == "returning"
    states = _UNDER_WAY | {"succeeded"} if all_back else _UNDER_WAY
    # Who succeeded is looked at now only: since then somebody may have given it something else.
    ours = [m for m in members if m.state in states and _still_ours(m, seen.get(m.device))]
    chosen = ours[:ASKED_AT_ONCE]
    changed = tuple(_to(member, "returning", now_s) for member in chosen)
    unasked = [member for member in members if member.state in {"waiting", "trying"}]
    waiting = tuple(_to(member, "skipped", now_s, "the roll-out ended before") for member in unasked)
    left = len(ours) > len(chosen) or bool(chosen) or any(member.state == "returning" for member in members)
    ended: RolloutState = "returned" if all_back else "aborted"
    rollout = step.rollout if left else step.rollout.model_copy(update={"state": ended})
    back = (*step.send_back, *(member.device for member in chosen))
    return Step(rollout, (*changed, *waiting), (), back)


def _going_on(step: Step, members: Sequence[Member], now_s: float) -> Step:
    rollout = step.rollout
    if (problem := _halting(rollout, members)) is not None:
        recalled = [member for member in members if member.state in {"asked", "late"}]
        stopped = [*recalled, *(member for member in members if member.state == "trying")]
        changed = tuple(_to(member, "waiting", now_s, "called back") for member in stopped)
        halted = rollout.model_copy(update={"state": "halted", "reason": problem})
        return Step(halted, changed, (), (*step.send_back, *(member.device for member in recalled)))
    if rollout.state == "paused":
        return step
    members, moved = _with_a_canary(rollout, members)
    if _may_go_on(rollout, members) and rollout.group + 1 < rollout.groups:
        rollout = rollout.model_copy(update={"group": rollout.group + 1})
    due = [member for member in members if member.state == "waiting" and member.group <= rollout.group]
    due = due[:ASKED_AT_ONCE]
    trying = tuple(_to(member, "trying", now_s) for member in due if _tries_first(rollout.plan, member))
    asked = tuple(_to(member, "asked", now_s) for member in due if not _tries_first(rollout.plan, member))
    if not any(member.state in _BUSY for member in members):
        rollout = rollout.model_copy(update={"state": "done"})
    names, tries = (tuple(member.device for member in chosen) for chosen in (asked, trying))
    return Step(rollout, (*moved, *asked, *trying), names, step.send_back, tries)


def _halting(rollout: Rollout, members: Sequence[Member]) -> str | None:
    """Return why everything has to stop, or none."""
    gates = rollout.plan.gates
    begun = [m for m in members if m.group <= rollout.group and m.state not in {"skipped", "late"}]
    failures = sum(member.state == "failed" for member in begun) - rollout.forgiven
    if failures <= 0:
        return None
    if gates.error_count is not None and failures >= gates.error_count:
        return f"{failures} devices failed; {gates.error_count} are the limit"
    if failures > gates.error_share * len(begun):
        return f"{failures} of {len(begun)} devices failed; at most {gates.error_share:.0%} may"
    group = [member for member in begun if member.group == rollout.group]
    if any(member.state in _BUSY for member in group) or _has_enough(rollout, members):
        return None
    return f"group {rollout.group} has too few successes; {gates.success_share:.0%} of it must succeed"


def _may_go_on(rollout: Rollout, members: Sequence[Member]) -> bool:
    """Return whether the next group may begin: enough succeeded, or nobody of this group is there to say."""
    group = [member for member in members if member.group == rollout.group]
    if any(member.state == "waiting" for member in group):
        return False
    if all(member.state in {"skipped", "late"} for member in group):
        return any(member.state == "succeeded" for member in members)
    return _has_enough(rollout, members)


def _has_enough(rollout: Rollout, members: Sequence[Member]) -> bool:
    group = [m for m in members if m.group == rollout.group and m.state not in {"skipped", "late"}]
    succeeded = sum(member.state == "succeeded" for member in group)
    forgiven = min(rollout.forgiven, sum(member.state == "failed" for member in group))
    return succeeded + forgiven >= rollout.plan.gates.success_share * len(group)


def _with_a_canary(
    rollout: Rollout, members: Sequence[Member]
) -> tuple[Sequence[Member], tuple[Member, ...]]:
    """Bring the next device forward when nobody is there to say whether the update is good."""
    group = [member for member in members if member.group <= rollout.group]
    if not all(member.state in {"skipped", "late"} for member in group):
        return members, ()
    following = next((member for member in members if member.state == "waiting"), None)
    if following is None:
        return members, ()
    moved = following.model_copy(update={"group": rollout.group})
    return [moved if member is following else member for member in members], (moved,)


def _still_ours(member: Member, seen: Seen | None) -> bool:
    return seen is not None and seen.desired_sha256 == member.wanted_sha256


def _tries_first(plan: Plan, member: Member) -> bool:
    return plan.shadow is not None and member.group == 0 and member.trial is None


def _is_over(member: Member) -> bool:
    """Return whether nothing is wanted in the shadow any more; who is asked gets that with the question."""
    return member.state not in {"trying", "asked"}


def _just(old: Member, new: Member, state: MemberState) -> bool:
    return new.state == state and old.state != state


def _to(member: Member, state: MemberState, now_s: float, reason: str | None = None) -> Member:
    return member.model_copy(update={"state": state, "since_s": now_s, "reason": reason})
