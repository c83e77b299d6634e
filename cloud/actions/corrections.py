"""Corrections: what a person says becomes a lesson, at once or when the camera has sent its key frame."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.actions.corrected import Standing, standing_of
from cloud.actions.devices import change_desired, receive_picture
from cloud.errors import InputError, NotFoundError
from cloud.fleet.desired import frame_came, want_frame
from cloud.settings import Settings
from cloud.store import corrections, devices, events, media, scope
from cloud.store.files import write_file
from cloud.store.tables import Detector, Media, StoredCorrection
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.correction import Correction
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.event import Event
from edge_agent.wire.sync import Desired, FrameWanted

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorded:
    """A stored correction, and the desired state that asks its camera for the picture, where that changed.

    `is_new` is false when the very same was said before: then nothing was stored again.
    """

    row: StoredCorrection
    correction: Correction
    desired: Desired | None
    is_new: bool = True


def record(
    session: Session, correction: Correction, *, detector_id: str | None = None, now_s: float
) -> Recorded:
    """Store a correction and ask the camera for the key frame that it is about.

    The same said again is stored once, so that messages may come twice. A picture that came for another
    correction of the same moment serves this one too.

    Args:
        session: A write session.
        correction: About an event that is known, about a camera and a time, or about a frame of a medium.
        detector_id: The detector to teach; none: the one of the event or medium, else the one that the device
            runs.
        now_s: UTC seconds since 1970.

    Raises:
        NotFoundError: There is no such event or medium.
        InputError: It is not said which device it is about, or of which class it is.
    """
    subject = _subject_of(session, correction, detector_id)
    correction = subject.correction
    if subject.detector_id is not None:
        scope.refuse_foreign(session, Detector, subject.detector_id)
    if correction.verdict == "other_class":
        _check_label(session, correction)
    others = corrections.about_the_same(session, correction)
    if (said := _said_before(correction, others)) is not None:
        return Recorded(said, corrections.document_of(said), None, is_new=False)
    row = corrections.add(session, correction, detector_id=subject.detector_id)
    known = next((other for other in others if other.key_frame_path is not None), None)
    if known is not None:
        sha256 = corrections.document_of(known).key_frame_sha256
        corrections.note_key_frame(session, row.id, str(known.key_frame_path), sha256)
        return Recorded(row, corrections.document_of(row), None)
    return Recorded(row, correction, _ask_for_frame(session, correction, now_s))


def withdraw(session: Session, correction_id: str, *, now_s: float) -> Recorded:
    """Take a correction back: it stays as a record, teaches nothing, and its picture is no longer wanted.

    Raises:
        NotFoundError: There is no such correction.
    """
    row = corrections.find(session, correction_id)
    if row.withdrawn is not None:
        return Recorded(row, corrections.document_of(row), None, is_new=False)
    row = corrections.change(session, correction_id, withdrawn=now_s)
    desired = None
    if row.device is not None:
        with contextlib.suppress(NotFoundError):
            desired = change_desired(
                session, row.device, lambda now: frame_came(now, correction_id), now_s=now_s
            )
    return Recorded(row, corrections.document_of(row), desired)


def standing(session: Session, row: StoredCorrection) -> Standing:
    """Return what becomes of a correction: whether it teaches, or what it lacks."""
    said = corrections.document_of(row)
    if said.media_id is not None:
        found = session.get(Media, said.media_id)
        picture, can_come = found is not None and found.role == "teach", False
    else:
        picture, can_come = row.key_frame_path is not None, _is_wanted(session, said)
    return standing_of(said, taught=row.detector_id is not None, picture=picture, can_come=can_come)


def first_sight(session: Session, event_id: str) -> Event:
    """Return the first document of an event: the one whose picture the camera keeps.

    Raises:
        NotFoundError: There is no such event.
    """
    history = events.history(session, events.find(session, event_id))
    return min(history, key=lambda event: event.frame_time)


def add_box(
    session: Session, correction_id: str, *, box: XyxyNorm, label: str | None = None
) -> StoredCorrection:
    """Set the box of a missed object, drawn once the picture has come.

    Raises:
        NotFoundError: There is no such correction.
    """
    changes = {"box": box} | ({} if label is None else {"label": label})
    return corrections.change(session, correction_id, **changes)


def receive_key_frame(
    session: Session, settings: Settings, *, device: str, request_id: str, jpeg: bytes, now_s: float
) -> None:
    """Keep the picture that a device sent for a correction, and stop asking for it.

    Other corrections of the same moment are complete with it as well.

    Raises:
        InputError: It is not a JPEG that can be read.
        NotFoundError: Nobody asked this device for it.
    """
    current = devices.desired_of(session, device)
    if all(wanted.request_id != request_id for wanted in current.frames_wanted):
        message = f"no picture {request_id!r} is wanted of {device}"
        raise NotFoundError(message)
    receive_picture(jpeg, f"key frame {request_id}")
    path = settings.media_path / "corrections" / f"{request_id}.jpg"
    write_file(path, jpeg)
    said = corrections.document_of(corrections.find(session, request_id))
    same = [row.id for row in corrections.about_the_same(session, said) if row.key_frame_path is None]
    for correction_id in (request_id, *same):
        corrections.note_key_frame(
            session, correction_id, str(path.relative_to(settings.home)), hashlib.sha256(jpeg).hexdigest()
        )
        current = frame_came(current, correction_id)
    devices.put_desired(session, current, now_s=now_s)


@dataclass(frozen=True)
class _Subject:
    """What a correction is about, with all that is known of it, and the detector that it teaches."""

    correction: Correction
    detector_id: str | None


def _subject_of(session: Session, correction: Correction, detector_id: str | None) -> _Subject:
    if correction.media_id is not None:
        return _of_medium(session, correction, media.find(session, correction.media_id))
    event = None if correction.event_id is None else first_sight(session, correction.event_id)
    if event is not None:
        known: dict[str, object] = {
            "device": event.device,
            "camera": event.camera,
            "detector": event.detector,
        }
        if correction.verdict != "missed":
            known |= {"time": event.frame_time, "box": correction.box or event.box}
            known |= {"label": correction.label or event.label}
        correction = correction.model_copy(update=known)
        return _Subject(correction, detector_id or event.detector.id)
    if correction.device is None:
        message = "say which device the missed object was on"
        raise InputError(message)
    reported = devices.reported_of(session, correction.device)
    runs = None if reported is None else reported.installed
    if runs is not None and detector_id in {None, runs.detector_id}:
        ref = DetectorRef(id=runs.detector_id, name=runs.detector_name, version=runs.detector_version)
        correction = correction.model_copy(update={"detector": ref})
    detector_id = detector_id or (None if runs is None else runs.detector_id)
    return _Subject(_with_only_label(session, correction, detector_id), detector_id)


def _of_medium(session: Session, correction: Correction, medium: Media) -> _Subject:
    if correction.frame_index is None or correction.frame_index >= medium.frame_count:
        message = f"{medium.name} has {medium.frame_count} frames, numbered from 0"
        raise InputError(message)
    return _Subject(_with_only_label(session, correction, medium.detector_id), medium.detector_id)


def _with_only_label(session: Session, correction: Correction, detector_id: str | None) -> Correction:
    """Name the class where there is no choice: the detector knows only one."""
    if correction.label is not None or detector_id is None or correction.verdict == "other_class":
        return correction
    detector = session.get(Detector, detector_id)
    if detector is None or len(detector.labels) != 1:
        return correction
    return correction.model_copy(update={"label": detector.labels[0]})


def _check_label(session: Session, correction: Correction) -> None:
    event = None if correction.event_id is None else first_sight(session, correction.event_id)
    if not (correction.label or "").strip() or (event is not None and correction.label == event.label):
        message = "say of which other class it is: 'label'"
        raise InputError(message)


def _said_before(correction: Correction, others: Sequence[StoredCorrection]) -> StoredCorrection | None:
    """Return the correction that says the same; of an event only the last word counts."""
    if correction.event_id is not None and correction.verdict != "missed":
        others = others[:1]
    box = None if correction.box is None else list(correction.box)
    same = (correction.verdict, correction.label, box)
    return next((row for row in others if (row.verdict, row.label, row.box) == same), None)


def _is_wanted(session: Session, correction: Correction) -> bool:
    if correction.device is None:
        return False
    wanted = devices.desired_of(session, correction.device).frames_wanted
    return any(frame.request_id == correction.id for frame in wanted)


def _ask_for_frame(session: Session, correction: Correction, now_s: float) -> Desired | None:
    if correction.device is None:
        return None
    wanted = FrameWanted(
        request_id=correction.id,
        event_id=None if correction.verdict == "missed" else correction.event_id,
        camera=correction.camera,
        time=correction.time,
    )
    try:
        return change_desired(session, correction.device, lambda now: want_frame(now, wanted), now_s=now_s)
    except NotFoundError:
        _LOG.warning("correction %s is of %s, which is not enrolled", correction.id, correction.device)
        return None
