"""Routes: what a version sees in a video, frame by frame."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from cloud.actions.media import refuse_unready
from cloud.actions.watching import WATCH, refuse_picture, watched
from cloud.api.models import JobView
from cloud.api.services import Services, Used
from cloud.api.views import job_view
from cloud.errors import ConflictError, NotFoundError
from cloud.store import detectors, jobs, media
from cloud.store.tables import Job, Media
from cloud.watch.kept import Frames
from edge_agent.wire.base import XyxyNorm

router = APIRouter(prefix="/detectors/{detector_id}/watch", tags=["watching"])

_PAGE_FRAMES = 2000


class WatchBody(BaseModel):
    """Which video to look through, with which version (none: the one in use), and at which frames.

    `motion` passes over frames in which nothing moves.
    """

    model_config = ConfigDict(extra="forbid")

    media_id: str
    version: int | None = Field(None, ge=1)
    frames: Frames = "motion"


class SeenBox(BaseModel):
    """One thing that was seen; the box as fractions of the picture."""

    label: str
    score: float
    box: XyxyNorm


class SeenFrame(BaseModel):
    """A frame that was looked at, and what was seen in it from a score of 0.1 on, best first."""

    frame: int
    seen: list[SeenBox]


class WatchView(BaseModel):
    """What a version saw in a part of a video.

    All frames before `until` are done; those of them that are not in `looked` were passed over, for nothing
    moved. `next` is the first frame of the next part, null at the end of what is done. `frames` says how the
    video was looked at, null when it was not. `job` looks through it now.
    """

    media_id: str
    version: int
    frames: Frames | None
    frame_count: int
    until: int
    looked: list[SeenFrame]
    next: int | None
    job: JobView | None


@router.post("", status_code=202)
def begin(services: Used, detector_id: str, body: WatchBody) -> WatchView:
    """Start to look through a video; what was looked at before is not looked at again."""
    with services.database.read() as session:
        row, version = _find(session, detector_id, body.media_id, body.version)
    refuse_unready(row)
    known = watched(services.settings, row, version)
    is_done = known is not None and known[1].is_whole and known[0] in {body.frames, "every"}
    params = {"media_id": row.id, "version": version, "frames": body.frames}
    if not is_done:
        # Under way already, it is what was asked for.
        with contextlib.suppress(ConflictError):
            services.jobs.submit(WATCH, row.detector_id, params)
    return _view(services, row, version, 0, 0)


@router.get("/{media_id}")
def show(
    services: Used,
    detector_id: str,
    media_id: str,
    version: Annotated[int | None, Query(ge=1, description="by default the version in use")] = None,
    first: Annotated[int, Query(ge=0, description="the first frame of the part")] = 0,
    count: Annotated[int, Query(ge=0, le=10_000, description="how many frames at most")] = _PAGE_FRAMES,
) -> WatchView:
    """Show what a version saw in a part of a video, also while it is still being looked through."""
    with services.database.read() as session:
        row, number = _find(session, detector_id, media_id, version)
    return _view(services, row, number, first, count)


def _find(session: Session, detector_id: str, media_id: str, version: int | None) -> tuple[Media, int]:
    found = detectors.find(session, detector_id)
    row = media.find(session, media_id)
    if row.detector_id != found.id:
        message = f"medium {media_id} is not of detector {detector_id}"
        raise NotFoundError(message)
    refuse_picture(row)
    return row, detectors.find_version(session, found.id, version).version


def _view(services: Services, row: Media, version: int, first: int, count: int) -> WatchView:
    # The job is looked up first: when it ends meanwhile, the page asks once more and sees the rest.
    job = _job_of(services, row, version)
    known = watched(services.settings, row, version)
    view = WatchView(
        media_id=row.id, version=version, frames=None, frame_count=row.frame_count, until=0, looked=[],
        next=None, job=job,
    )  # fmt: skip
    if known is None:
        return view
    frames, kept = known
    end = min(kept.until, first + count)
    looked = [
        SeenFrame(
            frame=one.frame,
            seen=[
                SeenBox(label=each.label, score=round(each.score, 4), box=each.box) for each in one.detections
            ],
        )
        for one in kept.between(first, end)
    ]
    more = end if end < kept.until else None
    return view.model_copy(update={"frames": frames, "until": kept.until, "looked": looked, "next": more})


def _job_of(services: Services, row: Media, version: int) -> JobView | None:
    with services.database.read() as session:
        active: list[Job] = [
            job
            for job in jobs.unfinished(session)
            if job.kind == WATCH
            and job.params.get("media_id") == row.id
            and job.params.get("version") == version
        ]
        return job_view(active[-1]) if active else None
