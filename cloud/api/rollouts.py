"""Routes: roll-outs, and the log of what was done to the fleet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from cloud.actions import rollouts as actions
from cloud.actions.rollout_preview import Preview
from cloud.actions.rollout_preview import preview as preview_of
from cloud.api.door import caller_of
from cloud.api.paging import Paged
from cloud.api.services import Used
from cloud.fleet.rollout_plan import Member, Plan, Rollout, RolloutState
from cloud.fleet.rollout_states import Order
from cloud.store import audit, rollouts

router = APIRouter(tags=["roll-outs"])


class RolloutView(BaseModel):
    """A roll-out and how far it is; `counts` says how many devices are in each state."""

    number: int
    name: str
    state: RolloutState
    reason: str | None
    group: int
    groups: int
    counts: dict[str, int]
    plan: Plan
    created: float
    updated: float
    members: list[Member] | None = None


class PreviewDeviceView(BaseModel):
    """One device of a plan; `bytes` is what it will fetch, `taken_from` a roll-out that loses it."""

    device: str
    profile: str
    group: int
    online: bool
    bytes: int
    runs: str | None
    taken_from: int | None


class PreviewView(BaseModel):
    """What a plan would do now."""

    devices: list[PreviewDeviceView]
    left_out: dict[str, str]
    total_bytes: int


class AuditView(BaseModel):
    """Something that was done to the fleet; `at` is UTC seconds since 1970."""

    at: float
    what: str
    device: str | None
    who: str | None
    detail: str


def rollout_view(
    rollout: Rollout, counts: dict[str, int], members: list[Member] | None = None
) -> RolloutView:
    """Return a roll-out, with its members where those are given."""
    return RolloutView(
        number=rollout.number,
        name=rollout.plan.name,
        state=rollout.state,
        reason=rollout.reason,
        group=rollout.group,
        groups=rollout.groups,
        counts=counts,
        plan=rollout.plan,
        created=rollout.created_s,
        updated=rollout.updated_s,
        members=members,
    )


def preview_view(shown: Preview) -> PreviewView:
    """Return what a plan would do."""
    return PreviewView(
        devices=[PreviewDeviceView(**vars(device)) for device in shown.devices],
        left_out=dict(shown.left_out),
        total_bytes=shown.total_bytes,
    )


@router.get("/rollouts")
def list_all(services: Used, page: Paged) -> list[RolloutView]:
    """List all roll-outs, newest first."""
    with services.database.read() as session:
        return [
            rollout_view(actions.load(session, row.number), rollouts.count_members(session, row.number))
            for row in page.of(rollouts.every(session))
        ]


@router.post("/rollouts", status_code=201)
def begin(request: Request, services: Used, body: Plan) -> RolloutView:
    """Begin a roll-out; it goes on by itself, group by group."""
    with services.database.write(durable=True) as session:
        rollout = actions.begin(session, body, now_s=services.clock.now_s(), who=who_asks(request))
        return rollout_view(rollout, rollouts.count_members(session, rollout.number))


@router.post("/rollouts/preview")
def preview(services: Used, body: Plan) -> PreviewView:
    """Tell which devices a plan means and how many bytes they would fetch; nothing is changed."""
    with services.database.read() as session:
        shown = preview_of(session, services.settings, body)
    return preview_view(shown)


@router.get("/rollouts/{number}")
def show(services: Used, number: int) -> RolloutView:
    """Show a roll-out with each of its devices, its health before and after, and why it failed."""
    with services.database.read() as session:
        rollout = actions.load(session, number)
        members = actions.members_of(session, number)
        return rollout_view(rollout, rollouts.count_members(session, number), members)


@router.post("/rollouts/{number}/{order}")
def order(request: Request, services: Used, number: int, order: Order) -> RolloutView:
    """Pause, continue, abort, roll back or retry a roll-out."""
    with services.database.write(durable=True) as session:
        rollout = actions.order(session, number, order, now_s=services.clock.now_s(), who=who_asks(request))
        return rollout_view(rollout, rollouts.count_members(session, number))


@router.get("/audit")
def log(
    services: Used, device: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
) -> list[AuditView]:
    """List what was done to the fleet, newest first; of one device, or all."""
    with services.database.read() as session:
        rows = audit.newest(session, device=device, limit=limit)
        return [AuditView.model_validate(row, from_attributes=True) for row in rows]


def who_asks(request: Request) -> str | None:
    """Return the name of whoever asks, or the address where nobody has accounts, for the audit log."""
    return caller_of(request).name or (request.client.host if request.client else None)
