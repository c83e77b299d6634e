"""Routes: pictures and videos, their frames and labels."""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import Iterator
from typing import Annotated, BinaryIO

import simplejpeg
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.datastructures import UploadFile

from cloud.actions import proposals
from cloud.actions.labels import import_for_media
from cloud.actions.media import Role, look_at_upload, new_media_path, note, refuse_unready
from cloud.actions.uploads import MAX_FILE_BYTES
from cloud.api.frames import JPEG_QUALITY, check_index, jpeg_of_frame
from cloud.api.models import ImportedView, LabelsBody, LabelsView, MediaView
from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.api.views import labels_view, media_view
from cloud.datasets.coco import parse_coco
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.store import detectors, labels, media
from cloud.store.files import write_stream
from cloud.store.labels import FrameLabels
from cloud.store.tables import Frame

router = APIRouter(tags=["media"])

_CHUNK_BYTES = 1 << 20
_PLAIN_TYPES = {"video": "video/mp4", "image": "image/jpeg"}
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_COCO = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get("/detectors/{detector_id}/media")
def list_media(services: Used, page: Paged, detector_id: str) -> list[MediaView]:
    """List the pictures and videos of a detector, oldest first."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        return [media_view(session, row) for row in page.of(media.of_detector(session, found.id))]


@router.post("/detectors/{detector_id}/media", status_code=201, openapi_extra=_UPLOAD)
async def upload(request: Request, services: Used, detector_id: str, role: Role = "teach") -> MediaView:
    """Upload a picture or video as the part `file` of a form; with `role=test` it is never learned from.

    A video that needs a playback copy comes back as `preparing`, with the `job` that makes it.
    """
    await run_in_threadpool(check_room, services, request)
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            message = "the form has no file in the part 'file'"
            raise InputError(message)
        return await run_in_threadpool(
            _take_in, services, detector_id, file.file, file.filename or "unnamed", role
        )


def _take_in(services: Services, detector_id: str, stream: BinaryIO, name: str, role: Role) -> MediaView:
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
    path = new_media_path(services.settings, found.id, name)
    stored = write_stream(path, chunks(stream), limit_bytes=MAX_FILE_BYTES)
    staged = look_at_upload(stored, name)
    with services.database.write(durable=True) as session:
        row = note(session, services.settings, staged, found.id, services.clock.now_s(), role)
        view = media_view(session, row)
    if row.state == "preparing":
        # Uploaded again while it is being prepared: its job is known already.
        with contextlib.suppress(ConflictError):
            view.job = services.jobs.submit("prepare", found.id, {"media_id": row.id}).id
    return view


def check_room(services: Services, request: Request) -> None:
    """Refuse what there is no room for before it is read, where its length is announced.

    Raises:
        TooLargeError: It is larger than what is taken, or than what is left of the quota.
        StorageError: The disk has no room for it.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal():
        services.uploads.check_room(int(announced), "the upload")


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield an upload in parts."""
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


@router.post("/detectors/{detector_id}/labels", openapi_extra=_COCO)
async def import_labels(request: Request, services: Used, detector_id: str, media: str) -> ImportedView:
    """Import labels of one medium from a COCO document; they replace those of the frames that it names."""
    data = await request.body()
    return await run_in_threadpool(_import_coco, services, detector_id, media, data)


def _import_coco(services: Services, detector_id: str, media_id: str, data: bytes) -> ImportedView:
    coco = parse_coco(data, "labels")
    with services.database.write(durable=True) as session:
        row = media.find(session, media_id)
        if row.detector_id != detectors.find(session, detector_id).id:
            message = f"medium {media_id} is not of detector {detector_id}"
            raise NotFoundError(message)
        done = import_for_media(session, row, coco, now_s=services.clock.now_s())
    services.teaching.labels_changed(row.detector_id)
    return ImportedView(frames=done.frames, boxes=done.boxes)


@router.get("/media/{media_id}")
def show(services: Used, media_id: str) -> MediaView:
    """Show one picture or video."""
    with services.database.read() as session:
        return media_view(session, media.find(session, media_id))


@router.get("/media/{media_id}/playback", response_class=FileResponse)
def playback(services: Used, media_id: str) -> FileResponse:
    """Stream a picture, or a video's playback copy; answers Range requests."""
    with services.database.read() as session:
        row = media.find(session, media_id)
    refuse_unready(row)
    path = services.settings.home / row.path
    # What a name says of itself is not believed: a video named page.html would be a page of ours.
    guessed = mimetypes.guess_type(path.name)[0] or ""
    kind = guessed if guessed.startswith(f"{row.kind}/") and "svg" not in guessed else _PLAIN_TYPES[row.kind]
    return FileResponse(path, media_type=kind, headers={"X-Content-Type-Options": "nosniff"})


@router.get("/media/{media_id}/frames/{index}.jpg", response_class=FileResponse)
def frame(
    services: Used,
    media_id: str,
    index: int,
    width: Annotated[int | None, Query(ge=16, le=4096, description="at least so wide is enough")] = None,
) -> Response:
    """Show one decoded frame, whole or scaled down."""
    with services.database.read() as session:
        row = media.find(session, media_id)
    check_index(row, index)
    path = jpeg_of_frame(services.settings, row, index)
    headers = {"Cache-Control": "private, max-age=86400"}
    if width is None or width >= row.width_px:
        return FileResponse(path, media_type="image/jpeg", headers=headers)
    # Scaling while decoding (by 2, 4 or 8) is cheap enough to be done each time.
    small = simplejpeg.decode_jpeg(path.read_bytes(), "RGB", min_width=width, min_height=1)
    return Response(simplejpeg.encode_jpeg(small, JPEG_QUALITY, "RGB"), 200, headers, "image/jpeg")


@router.get("/media/{media_id}/frames/{index}/labels")
def show_labels(services: Used, media_id: str, index: int) -> LabelsView:
    """Show the labels of a frame; revision 0 when nobody labelled it."""
    with services.database.read() as session:
        check_index(media.find(session, media_id), index)
        return labels_view(labels.find(session, media_id, index))


@router.put("/media/{media_id}/frames/{index}/labels")
def put_labels(services: Used, media_id: str, index: int, body: LabelsBody) -> LabelsView:
    """Replace the labels of a frame; 409 when somebody changed them meanwhile."""
    if body.nothing_here and (body.boxes or body.tags):
        message = "a frame with boxes or tags is not 'nothing here'"
        raise InputError(message)
    with services.database.write(durable=True) as session:
        row = media.find(session, media_id)
        check_index(row, index)
        said = _said(body, labels.find(session, media_id, index))
        names = [*(box.label for box in body.boxes), *(said.tags or ())]
        detectors.add_labels(session, row.detector_id, names)
        changed = labels.put(
            session,
            media_id=media_id,
            frame_index=index,
            revision=body.revision,
            labels=said,
            now_s=services.clock.now_s(),
        )
        proposals.settle(session, media_id, index)
        view = labels_view(changed)
    services.teaching.labels_changed(row.detector_id)
    return view


def _said(body: LabelsBody, before: Frame | None) -> FrameLabels:
    """Return what a body says; tags that it does not speak of stay, unless nothing is here."""
    tags = body.tags
    if "tags" not in body.model_fields_set and before is not None and before.tags is not None:
        tags = [] if body.nothing_here else before.tags
    return FrameLabels(
        tuple((box.label, box.box) for box in body.boxes),
        body.nothing_here,
        None if body.trusted is None else tuple(body.trusted),
        None if tags is None else tuple(dict.fromkeys(tags)),
    )
