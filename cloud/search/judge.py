"""Decides what fits: events against things, pairs of events against a search. Pure: no database, no clock."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from cloud.search.query import Ago, At, Query, Thing


@dataclass(frozen=True)
class Seen:
    """One event as far as searches look at it; times in UTC seconds since 1970.

    `box` is normalised xyxy, `aspect` the picture's height by its width.
    """

    device: str
    event_id: str
    camera: str
    label: str
    start_s: float
    until_s: float
    top_score: float = 1.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    aspect: float = 1.0
    zones: frozenset[str] = frozenset()
    attributes: frozenset[tuple[str, str]] = frozenset()

    @property
    def key(self) -> tuple[float, str, str]:
        """Return what orders events."""
        return (self.start_s, self.device, self.event_id)


@dataclass(frozen=True)
class Moment:
    """When a search was fulfilled, `at_s`; how long it was worth a look; by which events.

    `A with B` and `A near B` are fulfilled once both are there, `A then B` once the second comes.
    """

    at_s: float
    start_s: float
    end_s: float
    events: tuple[Seen, ...]

    @property
    def key(self) -> tuple[float, tuple[tuple[float, str, str], ...]]:
        """Return what orders moments; no two have the same."""
        return (self.at_s, tuple(event.key for event in self.events))


@dataclass(frozen=True)
class Span:
    """Which moments count: those from `since_s` on and before `until_s`, in a part of the day of `zone`."""

    since_s: float
    until_s: float
    zone: tzinfo = UTC


def span_of(query: Query, *, now_s: float, zone: tzinfo = UTC) -> Span:
    """Return the time that a query asks about; dates and times of day are those of `zone`."""

    def seconds(when: Ago | At | None, otherwise: float) -> float:
        if when is None:
            return otherwise
        if isinstance(when, Ago):
            return now_s - when.seconds
        return when.local.replace(tzinfo=zone).timestamp()

    return Span(seconds(query.since, -math.inf), seconds(query.until, math.inf), zone)


def seen_of(document: str) -> Seen:
    """Return what searches need of a stored event document."""
    # Documents were checked when they came; a search reads too many of them to check each again.
    event = json.loads(document)
    size = event["frame_size"]
    return Seen(
        device=event["device"],
        event_id=event["id"],
        camera=event["camera"],
        label=event["label"],
        start_s=event["start_time"],
        until_s=event["frame_time"],
        top_score=event["top_score"],
        box=tuple(event["box"]),
        aspect=size["height_px"] / size["width_px"],
        zones=frozenset(event.get("zones", {}).get("entered", ())),
        attributes=frozenset((slug, told["value"]) for slug, told in event.get("attributes", {}).items()),
    )


def is_thing(event: Seen, thing: Thing) -> bool:
    """Return whether an event is of the thing that is looked for."""
    return (
        event.label == thing.label
        and thing.camera in {None, event.camera}
        and (thing.zone is None or thing.zone in event.zones)
        and event.attributes.issuperset(thing.attributes)
        and (thing.above_score is None or event.top_score > thing.above_score)
    )


def gap_share(a: Seen, b: Seen) -> float:
    """Return how far two boxes lie apart, as a share of the picture's width; 0 when they touch."""
    across = max(0.0, a.box[0] - b.box[2], b.box[0] - a.box[2])
    down = max(0.0, a.box[1] * a.aspect - b.box[3] * b.aspect, b.box[1] * b.aspect - a.box[3] * a.aspect)
    return math.hypot(across, down)


def any_camera(query: Query) -> bool:
    """Return whether the two things may be seen by different cameras: `then`, with both cameras named."""
    second = query.second
    return query.relation == "then" and second is not None and None not in {query.first.camera, second.camera}


def moment_of(query: Query, span: Span, first: Seen, second: Seen | None = None) -> Moment | None:
    """Return the moment that these events make, or none.

    Where either event may be either thing, only the pair in the order of their keys is a moment.
    """
    if not is_thing(first, query.first):
        return None
    if query.second is None or second is None:
        return _counted(query, span, Moment(first.start_s, first.start_s, first.until_s, (first,)))
    if not is_thing(second, query.second) or (first.device, first.event_id) == (
        second.device, second.event_id,
    ):  # fmt: skip
        return None
    if not any_camera(query) and (first.device, first.camera) != (second.device, second.camera):
        return None
    return _counted(query, span, _pair(query, first, second))


def _pair(query: Query, first: Seen, second: Seen) -> Moment | None:
    if query.relation == "then":
        if not first.start_s < second.start_s <= first.start_s + query.reach_s:
            return None
        return Moment(second.start_s, first.start_s, max(first.until_s, second.until_s), (first, second))
    if first.key > second.key and _is_either(query, first) and _is_either(query, second):
        return None
    at_s, together_until_s = max(first.start_s, second.start_s), min(first.until_s, second.until_s)
    if together_until_s + query.reach_s < at_s:
        return None
    if query.reach_share is not None and gap_share(first, second) > query.reach_share:
        return None
    return Moment(at_s, min(at_s, together_until_s), max(at_s, together_until_s), (first, second))


def _is_either(query: Query, event: Seen) -> bool:
    return query.second is not None and is_thing(event, query.first) and is_thing(event, query.second)


def in_time(query: Query, span: Span, at_s: float) -> bool:
    """Return whether a moment at a time counts."""
    if not span.since_s <= at_s < span.until_s:
        return False
    if query.day is None:
        return True
    local = datetime.fromtimestamp(at_s, span.zone)
    return query.day.holds(local.hour * 60 + local.minute)


def _counted(query: Query, span: Span, moment: Moment | None) -> Moment | None:
    return moment if moment is not None and in_time(query, span, moment.at_s) else None
