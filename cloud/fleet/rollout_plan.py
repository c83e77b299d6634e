"""What a roll-out is made of: the plan that a person made, its members, and what is known of a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_agent.wire.base import Name
from edge_agent.wire.shadow import ShadowReport

RolloutState = Literal["running", "paused", "halted", "done", "aborting", "aborted", "returning", "returned"]
MemberState = Literal[
    "waiting",
    "trying",
    "asked",
    "watching",
    "succeeded",
    "failed",
    "late",
    "skipped",
    "returning",
    "returned",
]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Ratio = Annotated[float, Field(gt=0.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gates(_Part):
    """What must hold before the next group is asked; ratios are after the update against before."""

    success_share: Share = Field(0.9, description="of a group, less late devices, before the next begins")
    error_share: float = Field(0.2, ge=0.0, le=1.0, description="more failures than this stop everything")
    error_count: int | None = Field(None, ge=1, description="so many failures stop everything")
    fps_ratio_min: Ratio | None = 0.7
    inference_ratio_max: Ratio | None = 1.5
    memory_ratio_max: Ratio | None = 1.5
    event_ratio_max: Ratio | None = 5.0
    event_ratio_min: Ratio | None = 0.1


class Trial(_Part):
    """What a candidate must show in the shadow of what runs on the canaries, before they install it."""

    look_s: float = Field(86_400.0, gt=0.0, description="from the first picture that both saw to the last")
    pictures_min: int = Field(100, ge=1, description="seen by both")
    alerts_ratio_max: Ratio | None = Field(2.0, description="alerts of the candidate, against what runs")
    kept_share_min: Share | None = Field(0.1, description="of the alerts of what runs, told by both")


class Selector(_Part):
    """Which devices: those named, or all with one of the groups and every label; empty means all."""

    devices: tuple[Name, ...] = ()
    groups: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class Plan(_Part):
    """How a roll-out goes: canaries first, then growing shares of all devices.

    One bundle for each kind of device; devices of other kinds are left out.
    """

    name: str = Field(min_length=1, max_length=80)
    bundle_ids: tuple[str, ...] = Field(min_length=1, max_length=50)
    selector: Selector = Selector()
    canaries: int = Field(1, ge=1, description="of each kind of device")
    canary_devices: tuple[Name, ...] = Field((), description="taken as canaries before any others")
    shares: tuple[Share, ...] = Field((0.1, 0.5, 1.0), min_length=1, max_length=20)
    gates: Gates = Gates()
    shadow: Trial | None = Field(None, description="canaries try it in the shadow first")
    observe_s: float = Field(600.0, ge=0.0, description="watched so long after the update")
    late_after_s: float = Field(3600.0, gt=0.0, description="silent so long: late, and not waited for")
    answer_s: float = Field(21_600.0, gt=0.0, description="there, but no answer for so long: failed")

    @model_validator(mode="after")
    def _shares_grow(self) -> Self:
        if list(self.shares) != sorted(set(self.shares)) or self.shares[-1] != 1.0:
            message = "shares must grow and end with 1, as in 0.1, 0.5, 1"
            raise ValueError(message)
        return self


class Health(_Part):
    """How a device does: means over its cameras; none where it did not say."""

    fps: float | None = None
    inference_ms: float | None = None
    memory_bytes: float | None = None
    events: int = 0
    events_per_h: float | None = None


class Member(_Part):
    """One device of a roll-out.

    `wanted_sha256` is what the roll-out last asked of it, by version `asked_version` of its desired state;
    `known_refusals` are failures that it had told before, so that only new ones count. `trial` is what its
    shadow trial told, once that went well.
    """

    device: Name
    profile: str
    group: int
    state: MemberState = "waiting"
    since_s: float = 0.0
    reason: str | None = None
    wanted_sha256: str | None = None
    asked_version: int = 0
    previous_bundle_id: str | None = None
    known_refusals: tuple[str, ...] = ()
    trial: str | None = None
    before: Health | None = None
    after: Health | None = None


class Rollout(_Part):
    """A roll-out as it stands; `group` is the newest that was begun, of `groups`.

    `forgiven` failures were looked at by a person who let it go on.
    """

    number: int
    plan: Plan
    groups: int
    state: RolloutState = "running"
    group: int = 0
    forgiven: int = 0
    reason: str | None = None
    created_s: float
    updated_s: float


@dataclass(frozen=True)
class Seen:
    """What the cloud knows of a device now; `refusals` are failures of the wanted bundle: id → reason.

    `shadow_sha256` is the bundle wanted in the shadow, `shadow` what the device tells of it.
    """

    desired_sha256: str | None
    reported_version: int
    installed_sha256: str | None
    refusals: dict[str, str]
    last_seen_s: float | None
    health: Health | None
    shadow_sha256: str | None = None
    shadow: ShadowReport | None = None
