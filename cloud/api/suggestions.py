"""Routes: which frames to label next."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.models import JobView
from cloud.api.services import Used
from cloud.api.views import job_view
from cloud.store import detectors, jobs, labels, media

router = APIRouter(tags=["detectors"])


class SuggestBody(BaseModel):
    """Where to look for frames to label next, and how many; `media_id` none looks at all footage."""

    model_config = ConfigDict(extra="forbid")

    media_id: str | None = None
    count: int = Field(10, ge=1, le=100)


class SuggestedFrame(BaseModel):
    """A frame to label next and why; `doubt` is null where there was no detector yet."""

    media: str
    frame: int
    time_s: float
    reason: str
    doubt: dict[str, float] | None


class SuggestionsView(BaseModel):
    """The frames to label next, the most informative first.

    `version` is the version that doubts them, `made` when they were found, `job` a search under way.
    """

    version: int | None
    made: float | None
    job: str | None
    frames: list[SuggestedFrame]


@router.post("/detectors/{detector_id}/suggest", status_code=202)
def suggest(services: Used, detector_id: str, body: SuggestBody | None = None) -> JobView:
    """Start to look for the frames that would teach a detector most."""
    body = body or SuggestBody()
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        if body.media_id is not None:
            media.find(session, body.media_id)
    return job_view(services.jobs.submit("suggest", found.id, body.model_dump(exclude_none=True)))


@router.get("/detectors/{detector_id}/suggestions")
def suggestions(services: Used, detector_id: str) -> SuggestionsView:
    """Show which frames to label next, as last looked for; those labelled since are left out."""
    with services.database.read() as session:
        found = detectors.find(session, detector_id)
        known = [job for job in jobs.of_detector(session, found.id) if job.kind == "suggest"]
        done = next((job for job in known if job.state == "done" and job.result is not None), None)
        busy = next((job for job in known if job.state not in jobs.ENDED), None)
        labelled = {
            (row.id, frame.frame_index)
            for row, frame in labels.of_detector(session, found.id)
            if labels.says_something(frame)
        }
    result = {} if done is None or done.result is None else done.result
    frames = [SuggestedFrame.model_validate(one) for one in result.get("frames", [])]
    return SuggestionsView(
        version=result.get("version"),
        made=None if done is None else done.updated,
        job=None if busy is None else busy.id,
        frames=[one for one in frames if (one.media, one.frame) not in labelled],
    )
