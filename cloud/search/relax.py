"""Says what comes nearest when a search found nothing: the same with one demand less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from cloud.search.find import find
from cloud.search.judge import Moment, span_of
from cloud.search.query import Query, Thing, duration_text, number_text
from cloud.store.tables import EventState

MOST = 3
_LONGER_S = (5.0, 30.0, 300.0, 3600.0)
_FARTHER_PERCENT = (50.0, 100.0)


@dataclass(frozen=True)
class Relaxed:
    """A search with a demand less that finds something: what is given up, and its newest moment."""

    given_up: str
    query: Query
    newest: Moment


def nearest(session: Session, query: Query, *, now_s: float, zone: tzinfo = UTC) -> list[Relaxed]:
    """Return the nearest searches that find something, at most `MOST`, the least changed first."""
    found: dict[str, Relaxed] = {}
    for kind, given_up, relaxed in _weaker(query):
        if kind not in found and len(found) < MOST:
            page = find(session, relaxed, span_of(relaxed, now_s=now_s, zone=zone), limit=1)
            if page.moments:
                found[kind] = Relaxed(given_up, relaxed, page.moments[0])
    return list(found.values())


def labels_seen(session: Session) -> list[str]:
    """Return all labels of events, ascending."""
    # One look into the index for each label: to list them all at once reads every event.
    labels: list[str] = []
    while (label := session.scalar(_next_label(labels[-1] if labels else ""))) is not None:
        labels.append(label)
    return labels


def _next_label(after: str) -> Select[str | None]:
    return select(func.min(EventState.label)).where(EventState.label > after)


def _weaker(query: Query) -> Iterator[tuple[str, str, Query]]:
    """Name searches that ask for less: of which kind, what is given up, the search."""
    yield from _longer(query)
    yield from _farther(query)
    for name, thing in (("first", query.first), ("second", query.second)):
        if thing is not None:
            for given_up, weaker in _weaker_things(thing):
                yield given_up, given_up, query.model_copy(update={name: weaker})
    if query.day is not None:
        yield "day", "at any time of day", query.model_copy(update={"day": None})
    if query.since is not None or query.until is not None:
        yield "ends", "at any time", query.model_copy(update={"since": None, "until": None})
    if query.second is not None:
        alone = {"relation": None, "second": None, "within_s": None, "within_percent": None}
        yield "first", f"{query.first.label} alone", query.model_copy(update=alone)
        second = query.model_copy(update={**alone, "first": query.second})
        yield "second", f"{query.second.label} alone", second


def _longer(query: Query) -> Iterator[tuple[str, str, Query]]:
    if query.relation in {"near", "then"}:
        for seconds in _LONGER_S:
            if seconds > query.reach_s:
                longer = query.model_copy(update={"within_s": seconds})
                yield "longer", f"within {duration_text(seconds)}", longer


def _farther(query: Query) -> Iterator[tuple[str, str, Query]]:
    if query.reach_share is not None:
        for percent in _FARTHER_PERCENT:
            if percent > query.reach_share * 100:
                farther = query.model_copy(update={"within_percent": percent})
                yield "farther", f"within {number_text(percent)}% of the picture's width", farther


def _weaker_things(thing: Thing) -> Iterator[tuple[str, Thing]]:
    if thing.above_score is not None:
        yield f"{thing.label} with any score", thing.model_copy(update={"above_score": None})
    for slug, value in thing.attributes:
        fewer = tuple(one for one in thing.attributes if one != (slug, value))
        yield f"{thing.label} with any {slug}", thing.model_copy(update={"attributes": fewer})
    if thing.zone is not None:
        yield f"{thing.label} in any zone", thing.model_copy(update={"zone": None})
    if thing.camera is not None:
        yield f"{thing.label} at any camera", thing.model_copy(update={"camera": None})
