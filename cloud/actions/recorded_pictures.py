"""Small pictures of what scans saw: taken out of the recording when somebody first wants to see one."""

from __future__ import annotations

import io

from PIL import Image

from cloud.actions.open_home import Home
from cloud.actions.scans import file_of
from cloud.errors import InputError, NotFoundError
from cloud.scan.recording import picture_at
from cloud.store import events, scans
from cloud.store.scans import SCAN_DEVICE
from cloud.store.tables import EventState

LONGEST_PX = 320


def small_picture(home: Home, event_id: str) -> bytes:
    """Return the small picture of an event as a JPEG.

    What a camera saw has the one that it sent. What a scan saw has the picture of its last look, clear:
    whoever gives it away blurs it for those who may only see it so.

    Raises:
        NotFoundError: There is none, or its recording is gone.
    """
    with home.database.read() as session:
        state = events.find(session, event_id)
        if state.has_thumbnail or state.device != SCAN_DEVICE:
            return events.thumbnail(session, event_id)
        row = scans.of_cameras(session, [state.camera]).get(state.camera)
    if row is None:
        message = f"event {event_id}: its recording is not known any more"
        raise NotFoundError(message)
    try:
        rgb = picture_at(file_of(home.settings, row), max(0.0, state.frame_time - row.began))
    except InputError as error:
        message = f"event {event_id} has no picture: {error}"
        raise NotFoundError(message) from error
    picture = Image.fromarray(rgb)
    picture.thumbnail((LONGEST_PX, LONGEST_PX))
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    _keep(home, state, stream.getvalue())
    return stream.getvalue()


def _keep(home: Home, state: EventState, jpeg: bytes) -> None:
    """Keep a picture with its event, unless the event was deleted meanwhile."""
    with home.database.write() as session:
        known = session.get(EventState, (state.device, state.event_id))
        if known is not None:
            events.put_thumbnail(session, state.device, state.event_id, jpeg)
            known.has_thumbnail = True
