"""Routes for cameras: joining, desired and reported state, key frames. Each brings its own token."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from cloud.actions import corrections as correction_actions
from cloud.actions import devices as device_actions
from cloud.api.rolling import write_sightings
from cloud.api.services import CallingDevice, Services, Used, looking_device
from cloud.errors import DeniedError, InputError
from cloud.fleet.desired import etag, follow_home, is_current
from cloud.fleet.enrolment import DeviceRecord, enrol, enrol_reply
from cloud.store import audit, corrections, devices
from edge_agent.wire.base import Document
from edge_agent.wire.sync import Desired, EnrolReply, EnrolRequest, Reported

router = APIRouter(tags=["for cameras"])

_Wire = TypeVar("_Wire", bound=Document)

_WAITING = "somebody has to accept it in the portal, page Cameras; it asks again by itself"
_JPEG_BODY = {"requestBody": {"required": True, "content": {"image/jpeg": {"schema": {"type": "string"}}}}}


@router.post("/enrol", response_model=EnrolReply)
def join(request: Request, services: Used, body: EnrolRequest) -> EnrolReply | Response:
    """Join with a one-time token and the device's own public key; 202: somebody has to accept it first."""
    peer = request.client.host if request.client else "unknown"
    try:
        device = _admit(services, body, peer)
    except DeniedError as error:
        with services.database.write() as session:
            now_s = services.clock.now_s()
            audit.note(session, "refused", now_s=now_s, device=body.name, who=peer, detail=str(error))
        raise
    services.live.publish({"type": "device", "device": device.name, "online": False})
    if device.state == "pending":
        return JSONResponse({"title": "Waiting", "detail": _WAITING}, status_code=202)
    # Not within the transaction: should the broker not answer, the device asks again with the same token.
    mqtt = services.accounts.give(device.name, services.mqtt(request))
    services.leaving.discard(device.name)
    return enrol_reply(device, mqtt=mqtt, root_json=services.repository.root_json())


@router.get("/device/desired", response_model=Desired)
async def desired(
    request: Request,
    services: Used,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Desired | Response:
    """Fetch what is wanted of the calling device; 304 when it has that already."""
    # Thousands of devices look all the time, and nearly always there is nothing new: that is one row by its
    # key, and takes less than to hand it to a thread. In a crowd, threads that wait for each other take twice
    # as long.
    with services.database.read() as session:
        device, version = looking_device(request, session)
        state = Desired(device=device, version=version)
        if not (known := is_current(state, if_none_match)):
            state = devices.desired_of(session, device)
    services.sightings.note(device, services.clock.now_s())
    headers = {"ETag": etag(state), "Cache-Control": "no-cache"}
    if known:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return state


@router.put("/device/reported", status_code=204)
def reported(services: Used, device: CallingDevice, body: Reported) -> None:
    """Tell what the calling device runs."""
    if body.device != device:
        message = f"the report names device {body.device!r}, but {device!r} sent it"
        raise DeniedError(message)
    with services.database.write(durable=True) as session:
        device_actions.note_report(session, body, now_s=services.clock.now_s())
        followed = device_actions.change_desired(
            session, device, lambda now: follow_home(now, body), now_s=services.clock.now_s()
        )
    services.tell(followed)
    services.live.publish({"type": "device", "device": device, "online": True})


@router.put("/device/frames/{request_id}", status_code=204, openapi_extra=_JPEG_BODY)
async def key_frame(request: Request, services: Used, device: CallingDevice, request_id: str) -> None:
    """Send a key frame that desired state asked for, as a JPEG."""
    jpeg = await request.body()
    await run_in_threadpool(_keep_key_frame, services, device, request_id, jpeg)


def _admit(services: Services, body: EnrolRequest, peer: str) -> DeviceRecord:
    # A token is spent once its device has spoken: what is still only in memory counts.
    write_sightings(services)
    with services.database.write(durable=True) as session:
        device = enrol(
            body,
            store=device_actions.EnrolmentTables(session),
            clock=services.clock,
            limit=services.guesses,
            peer=peer,
        )
        what = "enrolled" if device.state == "enrolled" else "waits to be accepted"
        # One that waits asks again and again.
        if [row.what for row in audit.newest(session, device=device.name, limit=1)] != [what]:
            audit.note(session, what, now_s=services.clock.now_s(), device=device.name, who=peer)
    return device


def parse_document(kind: type[_Wire], text: bytes) -> _Wire:
    """Parse a document from outside.

    Raises:
        InputError: It does not match; the text names the first wrong field.
    """
    try:
        return kind.from_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{kind.__name__}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise InputError(message) from error
    except ValueError as error:
        raise InputError(str(error)) from error


def _keep_key_frame(services: Services, device: str, request_id: str, jpeg: bytes) -> None:
    with services.database.write(durable=True) as session:
        correction_actions.receive_key_frame(
            session,
            services.settings,
            device=device,
            request_id=request_id,
            jpeg=jpeg,
            now_s=services.clock.now_s(),
        )
        row = corrections.find(session, request_id)
    services.lesson_changed(row)
    services.live.publish({"type": "key_frame", "correction": request_id, "device": device})
