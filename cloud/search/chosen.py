"""Which events figures are about."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement

from cloud.store.tables import EventState


@dataclass(frozen=True)
class Chosen:
    """Which events count; none means any. Times are starts, UTC seconds since 1970."""

    since_s: float | None = None
    until_s: float | None = None
    label: str | None = None
    camera: str | None = None
    device: str | None = None


def conditions(chosen: Chosen) -> list[ColumnElement[bool]]:
    """Return what is true of the rows of these events."""
    wanted = _named(chosen)
    if chosen.since_s is not None:
        wanted.append(EventState.start_time >= chosen.since_s)
    if chosen.until_s is not None:
        wanted.append(EventState.start_time < chosen.until_s)
    return wanted


def place_of(chosen: Chosen) -> list[ColumnElement[bool]]:
    """Return what is true of the rows of these cameras, whatever was seen and when."""
    given = ((EventState.camera, chosen.camera), (EventState.device, chosen.device))
    return [column == value for column, value in given if value is not None]


def _named(chosen: Chosen) -> list[ColumnElement[bool]]:
    labelled = [] if chosen.label is None else [EventState.label == chosen.label]
    return [*place_of(chosen), *labelled]
