"""Suggests which frames of a detector's footage to label next."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from cloud.actions.frozen import read_split
from cloud.actions.lessons import source_of
from cloud.actions.open_home import Home
from cloud.active.candidates import Candidate, spread_over_clip
from cloud.active.propose import Proposal, ProposePlan, propose
from cloud.datasets.frames import PictureSource
from cloud.errors import InputError
from cloud.store import detectors, labels, media
from cloud.store.tables import Detector, Media
from cloud.training.config import CancelledError
from cloud.worker.loader import load_version
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody

MOST_FRAMES = 240
"""So many frames are looked at, however long the footage is: a minute or less on two cores."""

_USUAL_FPS = 25.0


def suggest(
    home: Home,
    reference: str,
    *,
    media_id: str | None = None,
    count: int = 10,
    progress: Listener = to_nobody,
    cancelled: Cancelled = never,
) -> dict[str, Any]:
    """Return which frames to label next, the most informative first, and why.

    Args:
        home: Where everything lies.
        reference: Name or id of the detector; before it is trained, frames are chosen to cover the footage.
        media_id: Only of this medium; none: of all that it may learn from.
        count: How many frames at most.
        progress: Told how far it is.
        cancelled: Asked after every frame.

    Raises:
        NotFoundError: There is no such detector or medium.
        InputError: There is no footage, or no frame is left.
        CancelledError: `cancelled` said so.
    """
    with home.database.read() as session:
        found = detectors.find(session, reference)
        version = found.versions[-1].version if found.versions else None
        frames = _footage(session, home, found, media_id)
        plan = ProposePlan(
            count,
            labelled=tuple(_labelled(session, home, found.id, "teach")),
            test=(*_labelled(session, home, found.id, "test"), *_frozen(home, found.id)),
        )

    def looked(done: int) -> None:
        if cancelled():
            message = "the search for frames was cancelled"
            raise CancelledError(message)
        progress(Progress("looking", done / len(frames), f"looked at {done} frames"))

    detector = None if version is None else load_version(home, found.id)
    proposals = propose(detector, [*frames], plan, refuse_if_cancelled=looked)
    return {
        "detector": found.id,
        "version": version,
        "looked_at": len(frames),
        "frames": [_as_json(proposal, frames) for proposal in proposals],
    }


def _footage(
    session: Session, home: Home, detector: Detector, media_id: str | None
) -> dict[Candidate, tuple[str, int]]:
    """Return the frames to choose from, with medium and frame number, spread over all footage."""
    rows = [row for row in media.of_detector(session, detector.id) if row.role == "teach"]
    if media_id is not None:
        rows = [row for row in rows if row.id == media.find(session, media_id).id]
    total = sum(row.frame_count for row in rows)
    if not total:
        message = f"detector {detector.name!r} has no footage to choose from; add pictures or a video"
        raise InputError(message)
    frames: dict[Candidate, tuple[str, int]] = {}
    for row in rows:
        most = max(1, MOST_FRAMES * row.frame_count // total)
        first = source_of(home.settings.home, row, 0)
        fps = row.fps or _USUAL_FPS
        for one in spread_over_clip(first, row.sha256, fps, row.frame_count, most):
            index = one.source.frame_index or 0
            frames[Candidate(source_of(home.settings.home, row, index), one.clip, one.time_s)] = (
                row.id,
                index,
            )
    return dict(list(frames.items())[:: max(1, len(frames) // MOST_FRAMES)])


def _labelled(session: Session, home: Home, detector_id: str, role: str) -> Iterable[Candidate]:
    for row, frame in labels.of_detector(session, detector_id, role):
        if labels.says_something(frame):
            yield _candidate(home, row, frame.frame_index)


def _frozen(home: Home, detector_id: str) -> Iterable[Candidate]:
    """Yield the frames of the frozen test split, by file and second."""
    split = read_split(home, detector_id)
    for mark in () if split is None else split.test:
        yield Candidate(PictureSource(Path(mark.file), mark.frame), mark.file, mark.second or 0.0)


def _candidate(home: Home, row: Media, index: int) -> Candidate:
    return Candidate(source_of(home.settings.home, row, index), row.sha256, index / (row.fps or _USUAL_FPS))


def _as_json(proposal: Proposal, frames: dict[Candidate, tuple[str, int]]) -> dict[str, Any]:
    media_id, index = frames[proposal.frame]
    doubt = None if proposal.doubt is None else vars(proposal.doubt)
    return {
        "media": media_id,
        "frame": index,
        "time_s": round(proposal.frame.time_s, 3),
        "reason": proposal.reason,
        "doubt": doubt,
    }
