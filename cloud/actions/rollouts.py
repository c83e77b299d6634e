"""Roll-outs on our tables: planned, begun, carried on step by step, each step in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from cloud.actions import devices as device_actions
from cloud.actions.devices import PublishAgain, candidate_of
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.fleet.desired import assign_bundle, try_in_shadow
from cloud.fleet.rollout_groups import Candidate, divide, selects
from cloud.fleet.rollout_health import health_of
from cloud.fleet.rollout_plan import Health, Member, Plan, Rollout, Seen
from cloud.fleet.rollout_states import FOLLOWED, Order
from cloud.fleet.rollouts import Step, advance, obey
from cloud.store import audit, bundles, devices, rollouts, scope
from cloud.store.tables import BundleRow, Device
from edge_agent.wire.status import Stats
from edge_agent.wire.sync import Desired

_BEFORE_S: Final = 86_400.0
_TAKEN_FROM: Final = frozenset({"waiting", "trying", "asked", "watching", "late"})


@dataclass(frozen=True)
class Outline:
    """What a plan means now: its bundles by kind of device, its members, and who is left out and why."""

    bundles: dict[str, BundleRow]
    members: tuple[Member, ...]
    left_out: dict[str, str]


def outline(session: Session, plan: Plan) -> Outline:
    """Return what a plan means now; nothing is changed.

    Raises:
        NotFoundError: There is no such bundle or device.
        InputError: A bundle is not published, two are for the same kind of device, or no device is meant.
    """
    by_profile = _bundles_by_profile(session, plan)
    for name in (*plan.selector.devices, *plan.canary_devices):
        devices.find(session, name)
    meant, left_out = [], {}
    for row in devices.every(session):
        device = candidate_of(row)
        if not selects(plan.selector, device):
            continue
        if row.state != "enrolled":
            left_out[device.name] = f"it is {row.state}"
        elif device.profile not in by_profile:
            left_out[device.name] = f"no bundle of this plan is made for {device.profile!r}"
        else:
            meant.append(device)
    _refuse_none(meant, left_out)
    return Outline(by_profile, divide(plan, meant), left_out)


def begin(session: Session, plan: Plan, *, now_s: float, who: str | None = None) -> Rollout:
    """Begin a roll-out; of devices that an older one has not finished, this one takes over.

    Raises:
        NotFoundError: There is no such bundle or device.
        InputError: The plan makes no sense; see `outline`.
        ConflictError: One of this name is under way.
    """
    if any(load(session, row.number).plan.name == plan.name for row in rollouts.active(session)):
        message = f"a roll-out named {plan.name!r} is under way; end it first, or take another name"
        raise ConflictError(message)
    members = outline(session, plan).members
    number = rollouts.add(session, "running").number
    groups = max(member.group for member in members) + 1
    rollout = Rollout(number=number, plan=plan, groups=groups, created_s=now_s, updated_s=now_s)
    _take_over(session, number, [member.device for member in members], now_s)
    rollouts.add_members(session, number, ((m.device, m.state, m.model_dump_json()) for m in members))
    _store(session, Step(rollout))
    detail = f"roll-out {number} {plan.name!r}: {len(members)} devices, {groups} groups"
    audit.note(session, "roll-out begun", now_s=now_s, who=who, detail=detail)
    return rollout


def order(session: Session, number: int, what: Order, *, now_s: float, who: str | None = None) -> Rollout:
    """Do what a person says to a roll-out; the next step carries it out.

    Raises:
        NotFoundError: There is no such roll-out.
        ConflictError: It makes no sense in its state.
    """
    step = obey(load(session, number), members_of(session, number), what, now_s)
    _store(session, step)
    audit.note(session, f"roll-out {what}", now_s=now_s, who=who, detail=f"roll-out {number}")
    return step.rollout


def carry_on(session: Session, *, publish_again: PublishAgain, now_s: float) -> list[Desired]:
    """Take the next step of every roll-out, oldest first; return the states of which devices are to be told.

    Args:
        session: A durable write session.
        publish_again: Signs a bundle under a new release; see `cloud.actions.devices.assign`.
        now_s: UTC seconds since 1970.
    """
    told: list[Desired] = []
    for row in rollouts.followed(session):
        # What a device says it ran before leads to bundles of its own workspace only.
        with scope.seeing(session, row.workspace_id):
            told += _Carrier(session, load(session, row.number), publish_again, now_s).take_step()
    return told


def load(session: Session, number: int) -> Rollout:
    """Return a roll-out as it stands.

    Raises:
        NotFoundError: There is none.
    """
    return Rollout.model_validate_json(rollouts.find(session, number).body)


def members_of(session: Session, number: int) -> list[Member]:
    """Return the members in the order in which they are asked."""
    return [Member.model_validate_json(row.body) for row in rollouts.members_of(session, number)]


class _Carrier:
    """Takes one step of one roll-out."""

    def __init__(self, session: Session, rollout: Rollout, publish_again: PublishAgain, now_s: float) -> None:
        self._session = session
        self._rollout = rollout
        self._publish_again = publish_again
        self._now_s = now_s
        self._told: list[Desired] = []

    def take_step(self) -> list[Desired]:
        members = members_of(self._session, self._rollout.number)
        step = advance(self._rollout, members, self._seen(members), self._now_s)
        final = {member.device: member for member in (*members, *step.changed)}
        changed = {member.device: member for member in step.changed}
        changed |= {name: self._ask(final[name]) for name in step.ask}
        changed |= {name: self._try_out(final[name]) for name in step.try_out}
        changed |= {name: self._send_back(final[name]) for name in step.send_back}
        before = {member.device: member for member in members}
        ended = [_end_trial(self._session, before[name], self._now_s) for name in step.end_trial]
        self._told += [desired for desired in ended if desired is not None]
        _store(self._session, replace(step, changed=tuple(changed.values())))
        if step.rollout.state != self._rollout.state:
            self._note(step.rollout)
        return self._told

    def _seen(self, members: Sequence[Member]) -> Mapping[str, Seen | None]:
        all_back = self._rollout.state == "returning"
        states = FOLLOWED | {"succeeded"} if all_back else FOLLOWED
        return {one.device: self._look_at(one) for one in members if one.state in states}

    def _look_at(self, member: Member) -> Seen | None:
        try:
            device = devices.find(self._session, member.device)
        except NotFoundError:
            return None
        if device.state != "enrolled":
            return None
        desired = devices.desired_of(self._session, device.name)
        reported = devices.reported_of(self._session, device.name)
        outcomes = reported.outcomes if reported is not None else ()
        return Seen(
            desired_sha256=desired.bundle.sha256 if desired.bundle else None,
            reported_version=reported.desired_version if reported else 0,
            installed_sha256=reported.installed.sha256 if reported and reported.installed else None,
            refusals={
                one.id: one.reason or "it gave no reason"
                for one in outcomes
                if one.outcome == "failure" and one.bundle_sha256 == member.wanted_sha256
            },
            last_seen_s=device.last_seen,
            health=self._health(device, member.since_s) if member.state == "watching" else None,
            shadow_sha256=desired.shadow.sha256 if desired.shadow else None,
            shadow=reported.shadow if reported else None,
        )

    def _health(self, device: Device, since_s: float) -> Health:
        stats = None if device.stats is None else Stats.from_json(device.stats)
        events = rollouts.count_events(self._session, device.name, since_s, self._now_s)
        return health_of(stats, events=events, hours=(self._now_s - since_s) / 3600.0)

    def _try_out(self, member: Member) -> Member:
        """Let a device try the bundle in the shadow; one with nothing to compare it with is asked at once."""
        seen = self._look_at(member)
        asked = member.model_copy(update={"state": "asked"})
        if seen is None:
            return self._ask(asked)
        profile = devices.find(self._session, member.device).profile
        bundle = _bundles_by_profile(self._session, self._rollout.plan).get(profile)
        if bundle is None or seen.installed_sha256 in {None, bundle.sha256}:
            return self._ask(asked)
        try:
            desired = device_actions.try_out(
                self._session,
                member.device,
                bundle.id,
                publish_again=self._publish_again,
                now_s=self._now_s,
            )
        except (InputError, NotFoundError) as error:
            return member.model_copy(update={"state": "failed", "reason": str(error)})
        self._told.append(desired)
        wanted = desired.shadow.sha256 if desired.shadow else None
        return member.model_copy(update={"wanted_sha256": wanted, "asked_version": desired.version})

    def _ask(self, member: Member) -> Member:
        _end_trial(self._session, member, self._now_s)
        seen = self._look_at(member)
        if seen is None:
            return member.model_copy(update={"state": "skipped", "reason": "it is no longer in the fleet"})
        device = devices.find(self._session, member.device)
        try:
            bundle = _bundles_by_profile(self._session, self._rollout.plan).get(device.profile)
            if bundle is None:
                return member.model_copy(update={"state": "skipped", "reason": "it is of another kind now"})
            desired = self._assign(device.name, bundle.id)
        except (InputError, NotFoundError) as error:
            return member.model_copy(update={"state": "failed", "reason": str(error)})
        wanted = desired.bundle.sha256 if desired.bundle else None
        known = tuple(self._known_refusals(device.name, wanted))
        if known and desired.bundle is not None:
            again = desired.bundle.model_copy(update={"attempt": len(known) + 1})
            desired = self._change(device.name, assign_bundle(desired, again)) or desired
        # What it runs counts, not what was wanted of it and it may never have had.
        ran = next(
            (one for one in (seen.installed_sha256, seen.desired_sha256) if one not in {None, wanted}), None
        )
        previous = None if ran is None else bundles.id_of(self._session, ran)
        noted = {
            "wanted_sha256": wanted,
            "asked_version": desired.version,
            "previous_bundle_id": previous,
            "known_refusals": known,
            "before": self._health(device, self._now_s - _BEFORE_S),
            "after": None,
        }
        return member.model_copy(update=noted)

    def _send_back(self, member: Member) -> Member:
        """Want again what the device ran before; when that is not known, want nothing: it stays as it is."""
        if self._look_at(member) is None:
            return member
        previous = member.previous_bundle_id
        try:
            desired = self._assign(member.device, previous)
        except (InputError, NotFoundError):
            previous, desired = None, self._assign(member.device, None)
        wanted = desired.bundle.sha256 if desired.bundle else None
        noted: dict[str, object] = {
            "wanted_sha256": wanted,
            "asked_version": desired.version,
            "known_refusals": tuple(self._known_refusals(member.device, wanted)),
        }
        if previous is None and member.state == "returning":
            noted |= {"state": "returned", "reason": "it ran no bundle from here before; it keeps this one"}
        return member.model_copy(update=noted)

    def _assign(self, device: str, bundle_id: str | None) -> Desired:
        desired = device_actions.assign(
            self._session, device, bundle_id, publish_again=self._publish_again, now_s=self._now_s
        )
        self._told.append(desired)
        return desired

    def _change(self, device: str, wanted: Desired) -> Desired | None:
        changed = device_actions.change_desired(self._session, device, lambda _: wanted, now_s=self._now_s)
        self._told += [changed] if changed is not None else []
        return changed

    def _known_refusals(self, device: str, sha256: str | None) -> list[str]:
        reported = devices.reported_of(self._session, device)
        outcomes = reported.outcomes if reported is not None else ()
        return [one.id for one in outcomes if one.outcome == "failure" and one.bundle_sha256 == sha256]

    def _note(self, after: Rollout) -> None:
        detail = f"roll-out {after.number}: {after.reason}" if after.reason else f"roll-out {after.number}"
        audit.note(self._session, f"roll-out {after.state}", now_s=self._now_s, detail=detail)


def _bundles_by_profile(session: Session, plan: Plan) -> dict[str, BundleRow]:
    found: dict[str, BundleRow] = {}
    for bundle_id in plan.bundle_ids:
        bundle = bundles.find(session, bundle_id)
        if bundle.target is None:
            message = (
                f"bundle {bundle_id} is not published; `elfowl-cloud bundle publish {bundle_id}` signs it"
            )
            raise InputError(message)
        if bundle.profile in found:
            both = f"{found[bundle.profile].id} and {bundle_id}"
            message = f"bundles {both} are both for {bundle.profile!r}; name one of them"
            raise InputError(message)
        found[bundle.profile] = bundle
    return found


def _refuse_none(meant: Sequence[Candidate], left_out: Mapping[str, str]) -> None:
    if meant:
        return
    why = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
    message = f"this plan means no device{f' ({why})' if why else '; look at `elfowl-cloud device list`'}"
    raise InputError(message)


def _end_trial(session: Session, member: Member, now_s: float) -> Desired | None:
    """Want the trial of a member no more; none: there was none, or another one is wanted meanwhile."""

    def ended(now: Desired) -> Desired:
        is_ours = now.shadow is not None and now.shadow.sha256 == member.wanted_sha256
        return try_in_shadow(now, None) if is_ours else now

    try:
        return device_actions.change_desired(session, member.device, ended, now_s=now_s)
    except NotFoundError:
        return None


def _take_over(session: Session, number: int, names: Sequence[str], now_s: float) -> None:
    """Let older roll-outs leave these devices alone: of two that overlap, the newer one wins."""
    for row in rollouts.active(session):
        if row.number == number:
            continue
        for taken in rollouts.members_among(session, row.number, names):
            member = Member.model_validate_json(taken.body)
            if member.state in _TAKEN_FROM:
                if member.state == "trying":
                    _end_trial(session, member, now_s)
                changes = {"state": "skipped", "reason": f"roll-out {number} took it over"}
                _store_member(session, row.number, member.model_copy(update=changes))


def _store(session: Session, step: Step) -> None:
    rollout = step.rollout
    rollouts.put(session, rollout.number, state=rollout.state, body=rollout.model_dump_json())
    for member in step.changed:
        _store_member(session, rollout.number, member)


def _store_member(session: Session, number: int, member: Member) -> None:
    rollouts.put_member(
        session, number, device=member.device, state=member.state, body=member.model_dump_json()
    )
