"""The route of offload: a camera asks the full detector about a picture."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from cloud.actions.belonging import refuse_foreign_detector
from cloud.api.device import parse_document
from cloud.api.services import calling_device, services_of
from cloud.errors import DeniedError, InputError
from edge_agent.wire.offload import OffloadReply, OffloadRequest

router = APIRouter(tags=["for cameras"])

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
    device = calling_device(request)
    # Before the picture is read: in a crowd a refusal must cost next to nothing.
    services.offload.check_room(device)
    async with request.form(max_files=2, max_fields=4, max_part_size=65_536) as form:
        asked = parse_document(OffloadRequest, await _part(form.get("request"), "request"))
        jpeg = await _part(form.get("image"), "image")
    if asked.device != device:
        message = f"the request names device {asked.device!r}, but {device!r} sent it"
        raise DeniedError(message)
    refuse_foreign_detector(services.database, device, asked.detector_id)
    reply = await services.offload.answer(asked, jpeg)
    return Response(reply.to_json(), media_type="application/json")


async def _part(part: UploadFile | str | None, name: str) -> bytes:
    if part is None:
        message = f"the form has no part {name!r}"
        raise InputError(message)
    return part.encode() if isinstance(part, str) else await part.read()
