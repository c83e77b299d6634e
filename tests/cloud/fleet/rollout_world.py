"""A small world of devices that a roll-out is played in, without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cloud.fleet.rollout_groups import Candidate, divide
from cloud.fleet.rollout_plan import Health, Member, Plan, Rollout, Seen
from cloud.fleet.rollout_states import Order
from cloud.fleet.rollouts import advance, counts, obey
from edge_agent.wire.shadow import ShadowReport

OLD, NEW = "a" * 64, "b" * 64
HEALTHY = Health(fps=10.0, inference_ms=20.0, memory_bytes=1e8)


@dataclass
class Device:
    """What a device does when it is asked; `installs` is false when it refuses the new bundle.

    `counted` is what it tells of a trial in the shadow, `shadow` what is wanted there.
    """

    name: str
    online: bool = True
    installs: bool = True
    after: Health = HEALTHY
    desired: str = OLD
    runs: str = OLD
    version: int = 1
    last_seen_s: float = 0.0
    refusals: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    counted: ShadowReport | None = None
    shadow: str | None = None
    tried: int = 0

    def wish(self, sha256: str) -> int:
        self.desired, self.version = sha256, self.version + 1
        self.asked += sha256 == NEW
        return self.version

    def live(self, now_s: float) -> None:
        if not self.online:
            return
        self.last_seen_s = now_s
        if self.desired == self.runs:
            return
        if self.desired == NEW and not self.installs:
            self.refusals[f"refusal-{self.version}"] = "smoke test"
        else:
            self.runs = self.desired

    def seen(self) -> Seen:
        health = self.after if self.runs == NEW else HEALTHY
        refusals = self.refusals if self.desired == NEW else {}
        return Seen(
            self.desired,
            self.version,
            self.runs,
            dict(refusals),
            self.last_seen_s,
            health,
            self.shadow,
            self.counted if self.shadow else None,
        )


class World:
    """Plays the part of the store: keeps members, does what each step says."""

    def __init__(self, plan: Plan, devices: list[Device]) -> None:
        self.devices = {device.name: device for device in devices}
        members = divide(plan, [Candidate(d.name, "pi-4", d.online) for d in devices])
        self.members = {member.device: member for member in members}
        groups = max(member.group for member in members) + 1
        self.rollout = Rollout(number=1, plan=plan, groups=groups, created_s=0.0, updated_s=0.0)
        self.now_s = 0.0

    @property
    def counts(self) -> dict[str, int]:
        return counts(list(self.members.values()))

    def tick(self, seconds: float = 60.0) -> None:
        self.now_s += seconds
        for device in self.devices.values():
            device.live(self.now_s)
        seen = {name: device.seen() for name, device in self.devices.items()}
        step = advance(self.rollout, list(self.members.values()), seen, self.now_s)
        self.rollout = step.rollout
        self.members |= {member.device: member for member in step.changed}
        for name in step.end_trial:
            self.devices[name].shadow = None
        for name in step.try_out:
            self.devices[name].shadow = NEW
            self.devices[name].tried += 1
            self.members[name] = self.members[name].model_copy(update={"wanted_sha256": NEW})
        for name in step.ask:
            self.devices[name].shadow = None
            known = tuple(self.devices[name].refusals)
            self._note(name, NEW, {"before": HEALTHY, "known_refusals": known})
        for name in step.send_back:
            self._note(name, OLD, {})

    def order(self, order: Order) -> None:
        step = obey(self.rollout, list(self.members.values()), order, self.now_s)
        self.rollout = step.rollout
        self.members |= {member.device: member for member in step.changed}

    def until(self, condition: Callable[[], bool], ticks: int = 500) -> None:
        for _ in range(ticks):
            if condition():
                return
            self.tick()
        message = f"after {ticks} ticks: {self.rollout.state} {self.rollout.reason} {self.counts}"
        raise AssertionError(message)

    def _note(self, name: str, sha256: str, changes: dict[str, object]) -> None:
        member: Member = self.members[name]
        version = self.devices[name].wish(sha256)
        noted = {"wanted_sha256": sha256, "asked_version": version, **changes}
        self.members[name] = member.model_copy(update=noted)
