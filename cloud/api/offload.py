"""The route of offload: a camera asks the full detector about a picture."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.routing import Route

from cloud.actions.belonging import refuse_foreign_detector
from cloud.api.device import parse_document
from cloud.api.forms import parts_of
from cloud.api.services import asking_device, services_of
from cloud.errors import DeniedError, InputError
from edge_agent.wire.offload import OffloadReply, OffloadRequest

router = APIRouter(tags=["for cameras"])

_MOST_REQUEST_BYTES: Final = 65_536
_UNANNOUNCED_BYTES: Final = 8_000_000
"""Room that is kept for a picture whose sender does not say how large it is."""

_SENDING_S: Final = 60.0

_OFFLOAD_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["request", "image"],
                    "properties": {
                        "request": {"type": "string", "contentMediaType": "application/json"},
                        "image": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


@router.post("/offload", response_model=OffloadReply, openapi_extra=_OFFLOAD_FORM)
async def offload(request: Request) -> Response:
    """Ask the full detector about a picture; 429 or 503 with Retry-After when it could not answer in time."""
    # Not by `Depends`, and in no thread: to hand this to one costs more than what it does, which is one row
    # by its key (cloud/api/device.py says the same of a look).
    services = services_of(request)
    device, is_shared = asking_device(request)
    # Before the picture is read: in a crowd a refusal must cost next to nothing.
    with services.offload.keep_room(device, _announced_bytes(request)):
        parts = parts_of(request.headers.get("content-type", ""), await _body_of(request))
    asked = parse_document(OffloadRequest, _part(parts, "request", _MOST_REQUEST_BYTES))
    jpeg = _part(parts, "image")
    del parts
    if asked.device != device:
        message = f"the request names device {asked.device!r}, but {device!r} sent it"
        raise DeniedError(message)
    if is_shared:
        refuse_foreign_detector(services.database, device, asked.detector_id)
    reply = await services.offload.answer(asked, jpeg)
    return Response(reply.to_json(), media_type="application/json")


def straight_way(prefix: str) -> Route:
    """Return a route to the same function without what the framework does for all: that takes longer."""
    return Route(f"{prefix}/offload", offload, methods=["POST"], include_in_schema=False)


def _announced_bytes(request: Request) -> int:
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() else _UNANNOUNCED_BYTES


async def _body_of(request: Request) -> bytes:
    """Return the whole body; the request keeps no second one while the picture waits.

    Raises:
        InputError: It comes too slowly.
    """
    try:
        async with asyncio.timeout(_SENDING_S):
            return b"".join([chunk async for chunk in request.stream()])
    except TimeoutError as error:
        message = f"the picture did not come within {_SENDING_S:.0f} s"
        raise InputError(message) from error


def _part(parts: dict[str, bytes], name: str, most_bytes: int | None = None) -> bytes:
    part = parts.get(name)
    if part is None:
        message = f"the form has no part {name!r}"
        raise InputError(message)
    if most_bytes is not None and len(part) > most_bytes:
        message = f"the part {name!r} of the form has {len(part)} bytes; at most {most_bytes} are taken"
        raise InputError(message)
    return part
