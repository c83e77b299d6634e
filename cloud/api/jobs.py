"""Routes: long work, how far it is, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent

from cloud.api.models import JobView
from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.store import detectors, jobs

router = APIRouter(tags=["jobs"])

_LOOK_S = 0.3


@router.get("/detectors/{detector_id}/jobs")
def list_jobs(services: Used, page: Paged, detector_id: str) -> list[JobView]:
    """List the jobs of a detector, newest first."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        return [job_view(job) for job in page.of(jobs.of_detector(session, found.id))]


@router.get("/jobs/{job_id}")
def show(services: Used, job_id: str) -> JobView:
    """Show how far a job is."""
    return _look(services, job_id)


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse)
async def follow(request: Request, services: Used, job_id: str) -> EventSourceResponse:
    """Follow a job by server-sent events; each is the job as JSON, the last one has ended."""
    first = await run_in_threadpool(_look, services, job_id)
    return EventSourceResponse(_changes(request, services, first))


@router.post("/jobs/{job_id}/cancel")
def cancel(services: Used, job_id: str) -> JobView:
    """End a job; what it made so far is thrown away."""
    return job_view(services.jobs.cancel(job_id))


def _look(services: Services, job_id: str) -> JobView:
    with services.database.read() as session:
        return job_view(jobs.find(session, job_id), services.jobs.figures(job_id))


async def _changes(request: Request, services: Services, now: JobView) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(now.model_dump_json())
    while now.state not in jobs.ENDED and not await request.is_disconnected():
        await asyncio.sleep(_LOOK_S)
        seen = await run_in_threadpool(_look, services, now.id)
        if seen != now:
            now = seen
            yield ServerSentEvent(now.model_dump_json())
