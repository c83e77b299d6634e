"""Routes: when was it seen, and how often."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from cloud.api.services import Used
from cloud.search.aged import aged_of, last_moved
from cloud.search.counts import By, Counting, as_csv, chosen_of, count_events
from cloud.search.find import find
from cloud.search.judge import Moment, Seen, span_of
from cloud.search.parse import parse_query
from cloud.search.relax import labels_seen, nearest
from cloud.search.zone import zone_of
from cloud.store import events as stored
from cloud.store import scans
from cloud.store.scans import SCAN_DEVICE

router = APIRouter(tags=["search"])

Zone = Annotated[str, Query(description="of dates and times of day, such as Europe/Berlin")]


class RecordedView(BaseModel):
    """Where a scan saw it: the recording, the medium that it is (null: a file), and its first picture."""

    recording: str
    name: str
    media: str | None
    frame: int


class SeenView(BaseModel):
    """An event of a moment; times in UTC seconds since 1970, `box` normalised xyxy of its last look.

    `thumbnail` tells whether it has a small picture; `recorded` where a scan saw it, null for cameras.
    """

    device: str
    event_id: str
    camera: str
    label: str
    start: float
    end: float
    top_score: float
    box: tuple[float, float, float, float]
    thumbnail: bool = False
    recorded: RecordedView | None = None


class MomentView(BaseModel):
    """When a search was fulfilled (`at`), and how long it is worth a look; UTC seconds since 1970."""

    at: float
    start: float
    end: float
    events: list[SeenView]


class RelaxedView(BaseModel):
    """The nearest search that finds something, what it gives up, and its newest moment."""

    query: str
    given_up: str
    newest: MomentView


class SearchView(BaseModel):
    """A page of moments, newest first; `after` names the next page, none when there is none.

    A page may be short, even empty, and still name a next one: then much was looked at. When nothing was
    found at all, `nearest` tells what would be, and `labels` what there is if a label never came.
    `not_before`: older events were moved into files, where searches do not look; null: the search does not
    ask for them, or there are none.
    """

    query: str
    moments: list[MomentView]
    after: str | None
    nearest: list[RelaxedView] = []
    labels: list[str] | None = None
    not_before: float | None = None


class CountView(BaseModel):
    """How many events there were; `key` holds a text for each of what they are counted by."""

    key: dict[By, str]
    events: int


def search_view(
    session: Session,
    text: str,
    *,
    now_s: float,
    timezone: str = "UTC",
    limit: int = 50,
    after: str | None = None,
) -> SearchView:
    """Return a page of what a search finds.

    Raises:
        InputError: The search, the zone or the page is none.
    """
    query, zone = parse_query(text), zone_of(timezone)
    page = find(session, query, span_of(query, now_s=now_s, zone=zone), limit=limit, after=after)
    seen = [(event.device, event.event_id) for moment in page.moments for event in moment.events]
    pictured = stored.with_thumbnail(session, seen)
    moments = [_moment_view(moment, pictured) for moment in page.moments]
    _say_where(session, moments)
    view = SearchView(query=str(query), moments=moments, after=page.after)
    moved_s = last_moved(session)
    if moved_s is not None and span_of(query, now_s=now_s, zone=zone).since_s <= moved_s:
        view.not_before = moved_s
    if not page.moments and page.after is None and after is None:
        view.nearest = [
            RelaxedView(query=str(one.query), given_up=one.given_up, newest=_moment_view(one.newest))
            for one in nearest(session, query, now_s=now_s, zone=zone)
        ]
        labels = labels_seen(session)
        wanted = {thing.label for thing in (query.first, query.second) if thing is not None}
        view.labels = None if wanted <= set(labels) else labels
    return view


@router.get("/search")
def search(
    services: Used,
    q: Annotated[str, Query(description="such as: person near dog within 5s since 30d")],
    timezone: Zone = "UTC",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: str | None = None,
) -> SearchView:
    """Find moments: when was A seen, with B, near B or before B."""
    with services.database.read() as session:
        return search_view(
            session, q, now_s=services.clock.now_s(), timezone=timezone, limit=limit, after=after
        )


@router.get("/counts", responses={200: {"content": {"text/csv": {}}}})
def counts(  # noqa: PLR0913 - parameters of a route
    services: Used,
    by: Annotated[list[By], Query(min_length=1, max_length=5)],
    since: Annotated[float | None, Query(description="start time, UTC seconds since 1970")] = None,
    until: float | None = None,
    label: str | None = None,
    camera: str | None = None,
    device: str | None = None,
    timezone: Zone = "UTC",
    *,
    csv: bool = False,
) -> list[CountView]:
    """Count events by hour, day, device, camera and label; on request as CSV."""
    names = tuple(dict.fromkeys(by))
    counting = Counting(names, since, until, label, camera, device)
    with services.database.read() as session:
        old = aged_of(session, services.settings.home, chosen_of(counting))
        found = count_events(session, counting, zone_of(timezone), old)
    if csv:
        return Response(as_csv(names, found), media_type="text/csv")  # type: ignore[return-value]
    return [CountView(key=dict(zip(names, one.key, strict=True)), events=one.events) for one in found]


def _moment_view(moment: Moment, pictured: Collection[tuple[str, str]] = ()) -> MomentView:
    events = [
        _seen_view(event, thumbnail=(event.device, event.event_id) in pictured) for event in moment.events
    ]
    return MomentView(at=moment.at_s, start=moment.start_s, end=moment.end_s, events=events)


def _say_where(session: Session, moments: Iterable[MomentView]) -> None:
    """Say of events that a scan saw where in which recording they are."""
    seen = [event for moment in moments for event in moment.events if event.device == SCAN_DEVICE]
    rows = scans.of_cameras(session, {event.camera for event in seen}) if seen else {}
    for event in seen:
        if (row := rows.get(event.camera)) is not None:
            frame = round((event.start - row.began) * row.fps)
            event.thumbnail = True
            event.recorded = RecordedView(recording=row.id, name=row.name, media=row.media_id, frame=frame)


def _seen_view(event: Seen, *, thumbnail: bool) -> SeenView:
    return SeenView(
        device=event.device,
        event_id=event.event_id,
        camera=event.camera,
        label=event.label,
        start=event.start_s,
        end=event.until_s,
        top_score=event.top_score,
        box=event.box,
        thumbnail=thumbnail,
    )
