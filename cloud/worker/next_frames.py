"""Which frame to label next: at once by time alone, then by what the live detector doubts.

By time: what is farthest from all labels shows most that is new. By doubt: see `cloud.active`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.actions.lessons import source_of
from cloud.actions.open_home import Home
from cloud.active.candidates import Candidate, away_from
from cloud.active.look import Detector
from cloud.active.propose import ProposePlan, propose
from cloud.jobs.teaching_protocol import NextFrame
from cloud.store import labels, media
from cloud.store.tables import Media

_DOUBTED_AT = 24
_USUAL_FPS = 25.0
_LOOKED_AT = 64


@dataclass(frozen=True)
class Footage:
    """A picture (one frame) or video; `fps` none counts as one frame a second."""

    media_id: str
    frame_count: int
    fps: float | None


def farthest_frames(
    footage: Sequence[Footage], labelled: Mapping[str, AbstractSet[int]], count: int
) -> tuple[NextFrame, ...]:
    """Return up to `count` frames without labels, each as far as can be from labelled ones and the others.

    A file in which nothing is labelled comes before all others. The rule is farthest-first traversal
    (Gonzalez 1985) on the time line of each file.

    Args:
        footage: The files to choose from.
        labelled: Indices of labelled frames by file.
        count: How many frames at most.
    """
    known = {one.media_id: set(labelled.get(one.media_id, ())) for one in footage}
    chosen: list[NextFrame] = []
    while len(chosen) < count:
        ranked = [best for one in footage if (best := _farthest(one, known[one.media_id])) is not None]
        if not ranked:
            break
        distance_s, frame = max(ranked, key=lambda pair: pair[0])
        known[frame.media_id].add(frame.frame_index)
        untouched = distance_s == float("inf")
        reason = (
            "nothing is labelled in this file yet" if untouched else f"{distance_s:.0f} s from any labels"
        )
        chosen.append(frame.model_copy(update={"reason": reason}))
    return tuple(chosen)


def _farthest(one: Footage, known: AbstractSet[int]) -> tuple[float, NextFrame] | None:
    """Return the frame farthest from `known` and its distance in seconds, endless when nothing is known."""
    looked_at = min(_LOOKED_AT, one.frame_count)
    spread = {(2 * i + 1) * one.frame_count // (2 * looked_at) for i in range(looked_at)}
    free = sorted(spread - known)
    if not free:
        return None
    if not known:
        return float("inf"), NextFrame(media_id=one.media_id, frame_index=free[len(free) // 2])
    distance = {index: min(abs(index - other) for other in known) for index in free}
    index = max(free, key=lambda candidate: distance[candidate])
    return distance[index] / (one.fps or 1.0), NextFrame(media_id=one.media_id, frame_index=index)


def next_frames_of(home: Home, detector_id: str, count: int) -> tuple[NextFrame, ...]:
    """Return which frames of a detector's files to label next by time alone, the best first."""
    with home.database.read() as session:
        files = [row for row in media.of_detector(session, detector_id) if _can_be_labelled(row)]
        said = {row.id: labels.of_media(session, row.id) for row in files}
    footage = [Footage(row.id, row.frame_count, row.fps) for row in files]
    labelled = {
        media_id: {frame.frame_index for frame in frames if labels.says_something(frame)}
        for media_id, frames in said.items()
    }
    return farthest_frames(footage, labelled, count)


def doubted_frames(
    home: Home,
    detector_id: str,
    detector: Detector,
    count: int,
    refuse_if_cancelled: Callable[[int], None],
) -> tuple[NextFrame, ...]:
    """Return which frames to label next by what the detector doubts, the best first.

    Only some frames are looked at: those that are farthest from all labels in time.

    Args:
        home: Where everything lies.
        detector_id: Whose files are looked at.
        detector: The live detector.
        count: How many frames at most.
        refuse_if_cancelled: Called with the number of frames looked at; may raise.

    Raises:
        InputError: A picture cannot be read.
    """
    looked_at = next_frames_of(home, detector_id, _DOUBTED_AT)
    with home.database.read() as session:
        files = {row.id: row for row in media.of_detector(session, detector_id)}
        known = {role: _candidates(home, session, detector_id, role) for role in ("teach", "test")}
    candidates = {
        _candidate(home, files[one.media_id], one.frame_index): one
        for one in looked_at
        if one.media_id in files
    }
    plan = ProposePlan(count, labelled=known["teach"], test=known["test"])
    if not away_from(away_from(candidates, plan.test), plan.labelled, plan.gap_s):
        return ()
    proposals = propose(detector, [*candidates], plan, refuse_if_cancelled=refuse_if_cancelled)
    return tuple(candidates[one.frame].model_copy(update={"reason": one.reason}) for one in proposals)


def _can_be_labelled(row: Media) -> bool:
    return row.role == "teach" and row.state == "ready"


def _candidates(home: Home, session: Session, detector_id: str, role: str) -> tuple[Candidate, ...]:
    return tuple(
        _candidate(home, row, frame.frame_index)
        for row, frame in labels.of_detector(session, detector_id, role)
        if labels.says_something(frame)
    )


def _candidate(home: Home, row: Media, index: int) -> Candidate:
    source = source_of(home.settings.home, row, index)
    return Candidate(source, row.sha256, index / (row.fps or _USUAL_FPS))
