"""Queries about long work and how far it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, NotFoundError
from cloud.store import scope
from cloud.store.ids import new_id
from cloud.store.tables import Detector, Job

ENDED = frozenset({"done", "failed", "cancelled"})


def add(session: Session, *, kind: str, detector_id: str, params: dict[str, Any], now_s: float) -> Job:
    """Note a job that waits.

    Raises:
        ConflictError: The same kind of job already waits or runs for the detector.
    """
    active = select(Job).where(Job.detector_id == detector_id, Job.kind == kind, Job.state.not_in(ENDED))
    for other in session.scalars(active):
        if other.params == params:
            message = f"{kind} of {detector_id} is under way already: job {other.id}"
            raise ConflictError(message)
    job = Job(
        id=new_id("job"),
        workspace_id=scope.inherited(session, Detector, detector_id),
        kind=kind,
        detector_id=detector_id,
        params=params,
        created=now_s,
        updated=now_s,
    )
    session.add(job)
    session.flush()
    return job


def find(session: Session, job_id: str) -> Job:
    """Return one job.

    Raises:
        NotFoundError: There is none.
    """
    job = session.get(Job, job_id)
    if job is None:
        message = f"there is no job {job_id!r}"
        raise NotFoundError(message)
    return job


def of_detector(session: Session, detector_id: str) -> list[Job]:
    """Return the jobs of a detector, newest first."""
    query = select(Job).where(Job.detector_id == detector_id).order_by(Job.created.desc())
    return list(session.scalars(query))


def unfinished(session: Session) -> list[Job]:
    """Return the jobs that wait or run, oldest first."""
    return list(session.scalars(select(Job).where(Job.state.not_in(ENDED)).order_by(Job.created)))


def change(session: Session, job_id: str, *, now_s: float, **fields: Any) -> Job:  # noqa: ANN401 - columns
    """Set columns of a job; one that has ended stays as it ended."""
    job = find(session, job_id)
    if job.state not in ENDED:
        for name, value in fields.items():
            setattr(job, name, value)
        job.updated = now_s
    return job
