"""Routes: many files at once in, labelled frames out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile

from cloud.actions.exports import export_labels
from cloud.actions.media import Role, plain_name
from cloud.actions.open_home import Home
from cloud.actions.uploads import MAX_FILE_BYTES
from cloud.api.media import check_room, chunks
from cloud.api.models import JobView
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.datasets.export import Format
from cloud.errors import InputError
from cloud.store import detectors
from cloud.store.files import remove_tree, write_stream
from cloud.store.ids import new_id

router = APIRouter(tags=["media"])

_MAX_FILES = 10_000
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}


@router.post("/detectors/{detector_id}/import", status_code=202, openapi_extra=_FORM)
async def import_files(
    request: Request,
    services: Used,
    detector_id: str,
    role: Role = "teach",
    folders_are_classes: Annotated[
        bool, Query(description="tag pictures with the name of the folder they lie in")
    ] = False,
) -> JobView:
    """Take in pictures, videos, zip archives and labels (COCO, YOLO, Pascal VOC, CVAT), each a part `file`.

    The job's result tells what came in, and of each file that did not, why.
    """
    await run_in_threadpool(check_room, services, request)
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
    folder = services.settings.cache_path / "uploads" / new_id("imp")
    try:
        async with request.form(max_files=_MAX_FILES, max_fields=4) as form:
            files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
            _refuse_none(files)
            for number, file in enumerate(files):
                path = folder / f"{number:05d}" / plain_name(file.filename or "unnamed")
                await run_in_threadpool(write_stream, path, chunks(file.file), limit_bytes=MAX_FILE_BYTES)
        params = {
            "folder": str(folder.relative_to(services.settings.home)),
            "role": role,
            "folders_are_classes": folders_are_classes,
        }
        return job_view(services.jobs.submit("import", found.id, params))
    except BaseException:
        remove_tree(folder)
        raise


def _refuse_none(files: list[UploadFile]) -> None:
    if not files:
        message = "the form has no file in the part 'file'"
        raise InputError(message)


@router.get("/detectors/{detector_id}/export", response_class=FileResponse)
def export(
    services: Used,
    detector_id: str,
    kind: Annotated[Format, Query(alias="format")] = "coco",
    images: Annotated[bool, Query(description="with the pictures, in one archive")] = False,
    role: Role = "teach",
) -> FileResponse:
    """Give out all labelled frames as COCO or YOLO."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
    suffix = "json" if kind == "coco" and not images else "zip"
    folder = services.settings.cache_path / "exports" / new_id("exp")
    folder.mkdir(parents=True)
    out = folder / f"labels.{suffix}"
    try:
        export_labels(_home(services), found.id, out, kind, with_images=images, role=role)
    except BaseException:
        remove_tree(folder)
        raise
    name = "".join(sign if sign.isalnum() else "_" for sign in found.name)
    return FileResponse(
        out, filename=f"{name}_{kind}.{suffix}", background=BackgroundTask(remove_tree, folder)
    )


def _home(services: Services) -> Home:
    return Home(services.settings, services.database, services.clock)
