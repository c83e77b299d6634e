"""What a search can be made of: labels, cameras, zones and attributes that were seen."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from cloud.search.relax import labels_seen
from cloud.store.tables import EventState

_NEWEST = 2000


@dataclass(frozen=True)
class Known:
    """What was seen; `cameras` are (device, camera) pairs, `attributes` the values of each slug.

    Zones and attributes are those of the newest events: they stand only in their documents.
    """

    labels: tuple[str, ...]
    cameras: tuple[tuple[str, str], ...]
    zones: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]


def known(session: Session) -> Known:
    """Return what was seen, each list ascending."""
    zones: set[str] = set()
    attributes: dict[str, set[str]] = {}
    newest = select(EventState.body).order_by(EventState.start_time.desc()).limit(_NEWEST)
    for body in session.scalars(newest):
        event = json.loads(body)
        zones.update(event.get("zones", {}).get("entered", ()))
        for slug, told in event.get("attributes", {}).items():
            attributes.setdefault(slug, set()).add(told["value"])
    return Known(
        labels=tuple(labels_seen(session)),
        cameras=tuple(cameras_seen(session)),
        zones=tuple(sorted(zones)),
        attributes={slug: tuple(sorted(values)) for slug, values in sorted(attributes.items())},
    )


def cameras_seen(session: Session) -> list[tuple[str, str]]:
    """Return the (device, camera) pairs of all events, ascending."""
    # One look into the index for each camera, as for labels: to list them all at once reads every event.
    cameras: list[tuple[str, str]] = []
    place = tuple_(EventState.device, EventState.camera)
    while True:
        after = select(EventState.device, EventState.camera).order_by(EventState.device, EventState.camera)
        if cameras:
            after = after.where(place > tuple_(*cameras[-1]))
        row = session.execute(after.limit(1)).first()
        if row is None:
            return cameras
        cameras.append((row[0], row[1]))
