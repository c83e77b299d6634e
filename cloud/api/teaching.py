"""Routes: teaching while somebody draws: where it stands, what the live detector sees, its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent

from cloud.api.frames import check_index, jpeg_of_frame
from cloud.api.services import Services, Used
from cloud.errors import NotFoundError
from cloud.jobs.teaching_protocol import LiveDetections, LiveState
from cloud.store import detectors, media

router = APIRouter(tags=["teaching"])


@router.post("/detectors/{detector_id}/teaching", status_code=202)
async def begin(services: Used, detector_id: str) -> LiveState:
    """Begin to teach a detector live: from now on it learns each time a label of it is saved."""
    return await services.teaching.begin(await run_in_threadpool(_find, services, detector_id))


@router.post("/detectors/{detector_id}/teaching/ready", status_code=204)
async def get_ready(services: Used, detector_id: str) -> None:
    """Start what live teaching needs: somebody is about to draw; the first lesson comes sooner."""
    await run_in_threadpool(_find, services, detector_id)
    await services.teaching.get_ready()


@router.get("/detectors/{detector_id}/teaching")
def show(services: Used, detector_id: str) -> LiveState:
    """Show where live teaching of a detector stands."""
    found = _find(services, detector_id)
    state = services.teaching.state(found)
    if state is None:
        message = f"detector {detector_id!r} is not being taught live; POST begins that"
        raise NotFoundError(message)
    return state


@router.get("/detectors/{detector_id}/teaching/events", response_class=EventSourceResponse)
async def follow(services: Used, detector_id: str) -> EventSourceResponse:
    """Follow live teaching by server-sent events; each is the state as JSON."""
    found = await run_in_threadpool(_find, services, detector_id)
    await services.teaching.begin(found)
    return EventSourceResponse(_events(services, found))


@router.post("/detectors/{detector_id}/teaching/cancel", status_code=202)
async def cancel(services: Used, detector_id: str) -> LiveState:
    """End the update under way; the next saved label begins another one."""
    found = await run_in_threadpool(_find, services, detector_id)
    await services.teaching.cancel(found)
    return await run_in_threadpool(show, services, found)


@router.get("/media/{media_id}/frames/{index}/live")
async def detect(services: Used, media_id: str, index: int) -> LiveDetections:
    """Show what the live detector sees in a frame."""
    detector_id, jpeg = await run_in_threadpool(_question, services, media_id, index)
    return await services.teaching.detect(detector_id, jpeg)


def _find(services: Services, detector_id: str) -> str:
    with services.database.read() as session:
        return detectors.find(session, detector_id).id


def _question(services: Services, media_id: str, index: int) -> tuple[str, bytes]:
    with services.database.read() as session:
        row = media.find(session, media_id)
    check_index(row, index)
    return row.detector_id, jpeg_of_frame(services.settings, row, index).read_bytes()


async def _events(services: Services, detector_id: str) -> AsyncIterator[ServerSentEvent]:
    async for state in services.teaching.follow(detector_id):
        yield ServerSentEvent(state.model_dump_json())
