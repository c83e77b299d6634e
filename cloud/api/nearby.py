"""Routes: cameras on the network of a device, found by the device itself, and added from here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.actions import nearby as actions
from cloud.api.rollouts import who_asks
from cloud.api.services import CallingDevice, Services, Used
from cloud.errors import DeniedError
from cloud.store import devices
from edge_agent.wire.base import Name
from edge_agent.wire.nearby import (
    MOST_CHANNELS,
    NearbyAddition,
    NearbyCamera,
    NearbyCameras,
    RequestId,
    SealedLogin,
    Url,
)

router = APIRouter(tags=["devices"])
for_cameras = APIRouter(tags=["for cameras"])


class NearbyView(BaseModel):
    """What a device found around it since the server runs, and what it is about to do; nothing is stored.

    `seal_key` closes a password in the browser, so that only the device can read it: base64 of the
    uncompressed point of a P-256 key; how is said at `SealedLogin`.
    """

    looking: bool
    adding: str | None
    removing: str | None
    found_at: float | None
    cameras: list[NearbyCamera]
    seal_key: str | None
    added: str | None
    removed: str | None
    error: str | None


class AddNearbyBody(BaseModel):
    """One of the cameras that were found; a camera that wants none gets no login."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    service: Url = Field(min_length=1)
    channel: int = Field(1, ge=1, le=MOST_CHANNELS)
    login: SealedLogin | None = None


@router.get("/devices/{name}/nearby")
def show(services: Used, name: str) -> NearbyView:
    """Show which cameras a device found around it, and how far it is with what was asked of it."""
    return _view(services, name)


@router.post("/devices/{name}/nearby", status_code=202)
def look(request: Request, services: Used, name: str) -> NearbyView:
    """Let a device look for cameras on its network; the answer comes some seconds later."""
    _ask(request, services, name)
    return _view(services, name)


@router.post("/devices/{name}/nearby/cameras", status_code=202)
def add(request: Request, services: Used, name: str, body: AddNearbyBody) -> NearbyView:
    """Let a device look at a camera that it found; it opens the stream first. The password comes sealed."""
    addition = NearbyAddition(name=body.name, service=body.service, channel=body.channel, login=body.login)
    _ask(request, services, name, add=addition)
    return _view(services, name)


@router.delete("/devices/{name}/nearby/cameras/{camera}", status_code=202)
def take_out(request: Request, services: Used, name: str, camera: Name) -> NearbyView:
    """Let a device look no longer at a camera that was added here; its events stay."""
    _ask(request, services, name, remove=camera)
    return _view(services, name)


@for_cameras.put("/device/nearby/{request_id}", status_code=204)
def answer(
    services: Used, device: CallingDevice, request_id: Annotated[RequestId, Path()], body: NearbyCameras
) -> None:
    """Tell which cameras are around the calling device, or what came of adding one."""
    if (body.device, body.request_id) != (device, request_id):
        message = f"the answer is one of {body.device!r} to {body.request_id!r}, but {device!r} sent it"
        raise DeniedError(message)
    now_s = services.clock.now_s()
    with services.database.write(durable=True) as session:
        changed = actions.take_answer(session, body, now_s=now_s)
    services.nearby.note(body, now_s=now_s)
    services.tell(changed)
    services.live.publish({"type": "device", "device": device, "online": True})


def _ask(
    request: Request,
    services: Services,
    name: str,
    *,
    add: NearbyAddition | None = None,
    remove: str | None = None,
) -> None:
    now_s, who = services.clock.now_s(), who_asks(request)
    with services.database.write(durable=True) as session:
        desired = actions.ask(session, name, add=add, remove=remove, now_s=now_s, who=who)
    services.nearby.begin(name)
    services.tell(desired)


def _view(services: Services, name: str) -> NearbyView:
    with services.database.read() as session:
        devices.find(session, name)
        wanted = devices.desired_of(session, name).nearby_wanted
    answers = services.nearby.of(name)
    found, last = answers.found, answers.last
    return NearbyView(
        looking=wanted is not None and wanted.add is None and wanted.remove is None,
        adding=wanted.add.name if wanted is not None and wanted.add is not None else None,
        removing=wanted.remove if wanted is not None else None,
        found_at=answers.found_s,
        cameras=list(found.cameras) if found is not None else [],
        seal_key=found.seal_key if found is not None else None,
        added=last.added if last is not None else None,
        removed=last.removed if last is not None else None,
        error=last.error if last is not None else None,
    )
