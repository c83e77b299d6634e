"""Corrections: what a person says about an event becomes a lesson, once the camera has sent its key frame."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.actions.devices import change_desired, receive_picture
from cloud.errors import InputError, NotFoundError
from cloud.fleet.desired import frame_came, want_frame
from cloud.settings import Settings
from cloud.store import corrections, devices, events
from cloud.store.files import write_file
from cloud.store.tables import StoredCorrection
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.correction import Correction
from edge_agent.wire.event import Event
from edge_agent.wire.sync import Desired, FrameWanted

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorded:
    """A stored correction, and the desired state that asks its camera for the picture, where that changed."""

    row: StoredCorrection
    correction: Correction
    desired: Desired | None


def record(
    session: Session, correction: Correction, *, detector_id: str | None = None, now_s: float
) -> Recorded:
    """Store a correction and ask the camera for the key frame that it is about.

    Args:
        session: A write session.
        correction: About an event that is known, or about a camera and a time.
        detector_id: The detector to teach; none: the one of the event, else the one that the device runs.
        now_s: UTC seconds since 1970.

    Raises:
        NotFoundError: There is no such event.
        InputError: It is not said which device it is about.
    """
    event = None if correction.event_id is None else first_sight(session, correction.event_id)
    if event is not None:
        correction = _completed(correction, event)
    detector_id = detector_id or _taught_detector(session, correction, event)
    row = corrections.add(session, correction, detector_id=detector_id)
    return Recorded(row, correction, _ask_for_frame(session, correction, now_s))


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
    row = corrections.find(session, correction_id)
    changes = {"box": box} | ({} if label is None else {"label": label})
    row.body = Correction.from_json(row.body).model_copy(update=changes).to_json()
    row.box = list(box)
    row.label = label or row.label
    return row


def receive_key_frame(
    session: Session, settings: Settings, *, device: str, request_id: str, jpeg: bytes, now_s: float
) -> None:
    """Keep the picture that a device sent for a correction, and stop asking for it.

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
    corrections.note_key_frame(session, request_id, str(path.relative_to(settings.home)))
    devices.put_desired(session, frame_came(current, request_id), now_s=now_s)


def _completed(correction: Correction, event: Event) -> Correction:
    known = {"device": event.device, "camera": event.camera, "time": event.frame_time}
    known |= {"box": correction.box or event.box, "label": correction.label or event.label}
    return correction.model_copy(update=known)


def _taught_detector(session: Session, correction: Correction, event: Event | None) -> str | None:
    if event is not None:
        return event.detector.id
    if correction.device is None:
        message = "say which device the missed object was on"
        raise InputError(message)
    reported = devices.reported_of(session, correction.device)
    return None if reported is None or reported.installed is None else reported.installed.detector_id


def _ask_for_frame(session: Session, correction: Correction, now_s: float) -> Desired | None:
    if correction.device is None or correction.verdict == "right":
        return None
    wanted = FrameWanted(
        request_id=correction.id,
        event_id=correction.event_id,
        camera=correction.camera,
        time=correction.time,
    )
    try:
        return change_desired(session, correction.device, lambda now: want_frame(now, wanted), now_s=now_s)
    except NotFoundError:
        _LOG.warning("correction %s is of %s, which is not enrolled", correction.id, correction.device)
        return None
