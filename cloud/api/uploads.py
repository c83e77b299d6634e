"""Routes: uploads that go on after a cut (tus 1.0.0: core, creation, expiration, termination, checksum).

Beyond tus: a look at what became of an upload (GET), and a list of what one began to send and did not finish.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect

from cloud.actions.media import Role
from cloud.actions.uploads import KEEP_S, MAX_FILE_BYTES, NewUpload, is_preparing
from cloud.api.door import caller_of
from cloud.api.models import JobView
from cloud.api.paging import Paged
from cloud.api.problems import PreconditionError, problem
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.errors import ConflictError, InputError
from cloud.store import detectors
from cloud.store.files import remove_tree
from cloud.store.ids import new_id
from cloud.store.uploads import Purpose, UploadNote, UploadState
from edge_agent.errors import ElfowlError

router = APIRouter(tags=["media"])

_LOG = logging.getLogger(__name__)
_VERSION: Final = "1.0.0"
_BODY_TYPE: Final = "application/offset+octet-stream"
_PART_BYTES: Final = 1 << 20
_SWEEP_S: Final = 3600.0
_WRONG_CHECKSUM: Final = 460
_ALGORITHMS: Final = ("sha1", "sha256")
_ANSWERS: Final = {"Tus-Resumable": _VERSION, "Cache-Control": "no-store"}
_OFFERS: Final = {
    **_ANSWERS,
    "Tus-Version": _VERSION,
    "Tus-Extension": "creation,expiration,termination,checksum",
    "Tus-Max-Size": str(MAX_FILE_BYTES),
    "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {_BODY_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class UploadView(BaseModel):
    """An upload and how much of it came.

    `open`: more has to come; `done`: it is the medium `media_id`, made ready by `job`, if that is needed;
    `here`: it waits for an import; `refused` for the `reason`. It is forgotten at `expires`.
    """

    id: str
    detector_id: str
    name: str
    length_bytes: int
    offset_bytes: int
    purpose: Purpose
    role: Role
    modified_ms: int | None
    state: UploadState
    reason: str | None
    media_id: str | None
    job: str | None
    expires: float


class ImportUploadsBody(BaseModel):
    """Which uploads are imported together."""

    model_config = ConfigDict(extra="forbid")

    uploads: list[str] = Field(min_length=1, max_length=10_000)
    role: Role = "teach"
    folders_are_classes: bool = False


def _speaks_tus(tus_resumable: Annotated[str, Header(description="the version of tus: 1.0.0")]) -> None:
    if tus_resumable != _VERSION:
        message = f"Tus-Resumable: {tus_resumable} is not spoken here, only {_VERSION}"
        raise PreconditionError(message)


_TUS: Final = [Depends(_speaks_tus)]


@router.options("/detectors/{detector_id}/uploads", status_code=204)
def tell_what_is_spoken(detector_id: str) -> Response:  # noqa: ARG001 - part of the path
    """Tell which version and extensions of tus are spoken here."""
    return Response(status_code=204, headers=_OFFERS)


@router.get("/detectors/{detector_id}/uploads")
def list_uploads(request: Request, services: Used, page: Paged, detector_id: str) -> list[UploadView]:
    """List what you began to send to a detector and did not finish, oldest first."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
    begun = services.uploads.under_way(found.id, _account(request))
    return [_view(services, one) for one in page.of(begun)]


@router.post("/detectors/{detector_id}/uploads", status_code=201, dependencies=_TUS)
def begin(
    request: Request,
    response: Response,
    services: Used,
    detector_id: str,
    upload_length: Annotated[int, Header(ge=0, description="of the whole file, in bytes")],
    upload_metadata: Annotated[
        str,
        Header(
            max_length=4000,
            description="pairs of a key and a base64 value: filename (needed), purpose (media, import), "
            "role, modified (milliseconds since 1970), sha256 (hex)",
        ),
    ],
) -> UploadView:
    """Begin an upload; the header Location says where its parts go. Room is looked for now."""
    order = _order(detector_id, upload_length, upload_metadata)
    made = services.uploads.begin(order, _account(request))
    response.headers.update(_headers(services, made))
    response.headers["Location"] = f"/api/v1/uploads/{made.id}"
    return _view(services, made)


@router.get("/uploads/{upload}")
def show(request: Request, services: Used, upload: str) -> UploadView:
    """Show how much of an upload came, and what became of it."""
    return _view(services, services.uploads.find(upload, _account(request)))


@router.head("/uploads/{upload}", dependencies=_TUS)
def ask_offset(request: Request, services: Used, upload: str) -> Response:
    """Tell in the header Upload-Offset from where to go on."""
    found = services.uploads.find(upload, _account(request))
    headers = {**_headers(services, found), "Upload-Length": str(found.length_bytes)}
    return Response(status_code=200, headers=headers)


@router.patch("/uploads/{upload}", status_code=204, dependencies=_TUS, openapi_extra=_BODY)
async def send_part(
    request: Request,
    services: Used,
    upload: str,
    upload_offset: Annotated[int, Header(ge=0, description="as HEAD told it")],
    content_type: Annotated[str, Header(description=_BODY_TYPE)],
    upload_checksum: Annotated[
        str | None, Header(description="an algorithm (sha1, sha256) and the part's digest in base64")
    ] = None,
) -> Response:
    """Send the next part, from the offset on; with the last one the file is taken in.

    However it is cut, what came counts. An empty part takes in a file that came whole before.
    """
    if content_type != _BODY_TYPE:
        return problem(415, f"a part of an upload is sent as {_BODY_TYPE}, not as {content_type}")
    checksum = None if upload_checksum is None else _checksum(upload_checksum)
    found = await run_in_threadpool(services.uploads.find, upload, _account(request))
    try:
        is_right = await _take_part(request, services, found, upload_offset, checksum)
    except ClientDisconnect:
        await run_in_threadpool(_settle, services, found)
        return problem(400, f"{found.name}: the connection was cut; ask for the offset and go on")
    if not is_right:
        return problem(_WRONG_CHECKSUM, f"{found.name}: this part came damaged; send it again")
    settled = await run_in_threadpool(_settle, services, found)
    if settled.state == "refused":
        raise InputError(str(settled.reason))
    return Response(status_code=204, headers=_headers(services, settled))


@router.delete("/uploads/{upload}", status_code=204, dependencies=_TUS)
def cancel(request: Request, services: Used, upload: str) -> Response:
    """Cancel an upload; what came of it is forgotten. A medium that it became stays."""
    services.uploads.cancel(services.uploads.find(upload, _account(request)))
    return Response(status_code=204, headers=_ANSWERS)


@router.post("/detectors/{detector_id}/import/uploads", status_code=202)
def import_uploads(request: Request, services: Used, detector_id: str, body: ImportUploadsBody) -> JobView:
    """Import files that were uploaded for it: pictures, videos, zip archives and labels, as `import` does."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
    uploads = [services.uploads.find(one, _account(request)) for one in dict.fromkeys(body.uploads)]
    folder = services.settings.cache_path / "uploads" / new_id("imp")
    params = {
        "folder": str(folder.relative_to(services.settings.home)),
        "role": body.role,
        "folders_are_classes": body.folders_are_classes,
    }
    try:
        services.uploads.hand_over(uploads, folder)
        job = job_view(services.jobs.submit("import", found.id, params))
    except BaseException:
        remove_tree(folder)
        raise
    for upload in uploads:
        services.uploads.cancel(upload)
    return job


async def keep_sweeping(services: Services) -> None:
    """Look every hour, and at the start, what expired and what came whole; errors are logged, tried again."""
    while True:
        try:
            await asyncio.to_thread(_sweep, services)
        except ElfowlError as error:
            _LOG.error("uploads wait: %s", error)
        await asyncio.sleep(_SWEEP_S)


def _sweep(services: Services) -> None:
    for upload in services.uploads.sweep():
        _prepare(services, upload)


def _settle(services: Services, upload: UploadNote) -> UploadNote:
    return _prepare(services, services.uploads.settle(upload))


def _prepare(services: Services, upload: UploadNote) -> UploadNote:
    """Let a job make the playback copy, where one is needed and none is under way."""
    if upload.job is None and is_preparing(services.database, upload):
        with contextlib.suppress(ConflictError):
            job = services.jobs.submit("prepare", upload.detector_id, {"media_id": upload.media_id})
            return services.uploads.note_job(upload, job.id)
    return upload


async def _take_part(
    request: Request,
    services: Services,
    upload: UploadNote,
    offset_bytes: int,
    checksum: tuple[str, bytes] | None,
) -> bool:
    """Write what comes in pieces of a megabyte; return whether it is what the sender's checksum says."""
    turn = services.uploads.take_turn(upload)
    here_bytes = await run_in_threadpool(services.uploads.offset_bytes, upload)
    if here_bytes != offset_bytes:
        message = f"{here_bytes} bytes of {upload.name} are here, not {offset_bytes}: go on from there"
        raise ConflictError(message)
    digest = hashlib.new(checksum[0], usedforsecurity=False) if checksum else None
    async for piece in _pieces(request):
        here_bytes = await run_in_threadpool(services.uploads.append, upload, turn, here_bytes, piece)
        if digest is not None:
            digest.update(piece)
    if checksum is None or digest is None or digest.digest() == checksum[1]:
        return True
    await run_in_threadpool(services.uploads.cut, upload, turn, offset_bytes)
    return False


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield a body in pieces large enough to be worth a write; the last one also when it was cut."""
    gathered = bytearray()
    try:
        async for part in request.stream():
            gathered += part
            if len(gathered) >= _PART_BYTES:
                yield bytes(gathered)
                gathered.clear()
    except ClientDisconnect:
        if gathered:
            yield bytes(gathered)
        raise
    if gathered:
        yield bytes(gathered)


def _order(detector_id: str, length_bytes: int, metadata: str) -> NewUpload:
    told = _metadata(metadata)
    name = told.get("filename")
    if not name:
        message = "Upload-Metadata: the filename is missing"
        raise InputError(message)
    fields: dict[str, Any] = {
        "detector_id": detector_id,
        "name": name,
        "length_bytes": length_bytes,
        "modified_ms": told.get("modified"),
        **{key: told[key] for key in ("purpose", "role", "sha256") if key in told},
    }
    try:
        return NewUpload.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"Upload-Metadata: {first['loc'][0]}: {first['msg']}"
        raise InputError(message) from error


def _metadata(text: str) -> dict[str, str]:
    """Return the pairs of a header such as `filename aG9saWRheS5tcDQ=,role dGVhY2g=`."""
    told = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            told[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            message = f"Upload-Metadata: {key!r} is not base64 of UTF-8 text"
            raise InputError(message) from error
    return told


def _checksum(header: str) -> tuple[str, bytes]:
    algorithm, _, value = header.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm not in _ALGORITHMS or not digest:
        message = f"Upload-Checksum: {header[:80]!r}; write it as 'sha256 <base64>' or 'sha1 <base64>'"
        raise InputError(message)
    return algorithm, digest


def _account(request: Request) -> str | None:
    return caller_of(request).account_id


def _headers(services: Services, upload: UploadNote) -> dict[str, str]:
    return {
        **_ANSWERS,
        "Upload-Offset": str(services.uploads.offset_bytes(upload)),
        "Upload-Expires": formatdate(upload.touched + KEEP_S, usegmt=True),
    }


def _view(services: Services, upload: UploadNote) -> UploadView:
    fields = {name: getattr(upload, name) for name in UploadView.model_fields if hasattr(upload, name)}
    return UploadView(
        **fields,
        offset_bytes=services.uploads.offset_bytes(upload),
        expires=upload.touched + KEEP_S,
    )
