"""Routes: events and corrections."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import ValidationError

from cloud.actions.corrections import add_box, withdraw
from cloud.actions.open_home import Home
from cloud.actions.recorded_pictures import small_picture
from cloud.api.models import CorrectionBox, CorrectionView, EventView, NewCorrection
from cloud.api.paging import Paged
from cloud.api.services import Used
from cloud.api.views import correction_view, event_view
from cloud.errors import InputError, NotFoundError
from cloud.store import corrections, events
from cloud.store.events import EventQuery
from cloud.store.ids import new_id
from edge_agent.wire.correction import Correction

router = APIRouter(tags=["events"])


@router.get("/events")
def list_events(
    services: Used,
    device: str | None = None,
    camera: str | None = None,
    detector: str | None = None,
    label: str | None = None,
    before: Annotated[float | None, Query(description="start time, UTC seconds since 1970")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[EventView]:
    """List the latest states of events, newest first."""
    wanted = EventQuery(device, camera, detector, label, before, limit)
    with services.database.read() as session:
        return [event_view(session, state) for state in events.listing(session, wanted)]


@router.get("/events/{event_id}")
def show(services: Used, event_id: str) -> EventView:
    """Show an event with all its documents."""
    with services.database.read() as session:
        state = events.find(session, event_id)
        return event_view(session, state, events.history(session, state))


@router.get(
    "/events/{event_id}/thumbnail.jpg",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def thumbnail(services: Used, event_id: str) -> Response:
    """Show the small picture of an event: as its camera sent it, or out of the recording that was scanned."""
    jpeg = small_picture(Home(services.settings, services.database, services.clock), event_id)
    return Response(jpeg, media_type="image/jpeg", headers={"X-Content-Type-Options": "nosniff"})


@router.post("/corrections", status_code=201)
def correct(services: Used, body: NewCorrection) -> CorrectionView:
    """Say that an event is right, wrong, of another class, or that something was missed."""
    said = body.model_dump(exclude={"detector_id"})
    try:
        correction = Correction(id=new_id("cor"), created=services.clock.now_s(), **said)
    except ValidationError as error:
        raise InputError(str(error.errors()[0]["msg"])) from error
    row = services.record_correction(correction, body.detector_id).row
    with services.database.read() as session:
        return correction_view(session, corrections.find(session, row.id))


@router.get("/corrections")
def list_corrections(
    services: Used, page: Paged, detector: str | None = None, *, withdrawn: bool = False
) -> list[CorrectionView]:
    """List corrections with their provenance, newest first; on request with those taken back."""
    with services.database.read() as session:
        rows = corrections.every(session, detector, withdrawn=withdrawn)
        return [correction_view(session, row) for row in page.of(rows)]


@router.get("/corrections/{correction_id}")
def show_correction(services: Used, correction_id: str) -> CorrectionView:
    """Show a correction, and whether its picture has come."""
    with services.database.read() as session:
        return correction_view(session, corrections.find(session, correction_id))


@router.patch("/corrections/{correction_id}")
def draw(services: Used, correction_id: str, body: CorrectionBox) -> CorrectionView:
    """Set where a missed object is, drawn on its key frame."""
    with services.database.write(durable=True) as session:
        row = add_box(session, correction_id, box=body.box, label=body.label)
        view = correction_view(session, row)
    services.lesson_changed(row)
    return view


@router.delete("/corrections/{correction_id}")
def take_back(services: Used, correction_id: str) -> CorrectionView:
    """Take a correction back: it stays as a record and teaches nothing."""
    with services.database.write(durable=True) as session:
        done = withdraw(session, correction_id, now_s=services.clock.now_s())
        view = correction_view(session, done.row)
    services.tell(done.desired)
    services.live.publish({"type": "correction", "correction": view.correction})
    services.lesson_changed(done.row)
    return view


@router.get("/corrections/{correction_id}/frame.jpg", response_class=FileResponse)
def key_frame(services: Used, correction_id: str) -> FileResponse:
    """Show the key frame that the camera sent for a correction."""
    with services.database.read() as session:
        path = corrections.find(session, correction_id).key_frame_path
    if path is None:
        message = f"the picture of correction {correction_id} has not come yet"
        raise NotFoundError(message)
    return FileResponse(services.settings.home / path, media_type="image/jpeg")
