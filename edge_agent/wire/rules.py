"""The rules of one camera: where to look, for what, when, and what is worth an event.

One schema for the camera's config file and for what the portal sets. Places are fractions of the picture,
from its left and upper edge, so they hold for every stream of the same view.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edge_agent.wire.base import Document, Name

Point = tuple[float, float]
"""(x, y) as fractions of the picture."""

Pause = Literal["detection", "events"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Side = Literal["left", "right"]

EVERY_DAY: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60

_LEAST_CORNERS = 3


def _inside_picture(points: tuple[Point, ...]) -> tuple[Point, ...]:
    for number, (x, y) in enumerate(points, 1):
        if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            message = (
                f"point {number}, [{x:g}, {y:g}], is outside of the picture; "
                "write fractions of its width and height, from 0 to 1"
            )
            raise ValueError(message)
    return points


def _makes_a_polygon(corners: tuple[Point, ...]) -> tuple[Point, ...]:
    if (count := len(set(corners))) < _LEAST_CORNERS:
        message = f"a polygon needs {_LEAST_CORNERS} different corners or more, but has {count}"
        raise ValueError(message)
    return corners


Corners = Annotated[
    tuple[Point, ...],
    Field(max_length=64),
    AfterValidator(_makes_a_polygon),
    AfterValidator(_inside_picture),
]
"""A polygon, closed by itself."""

Label = Annotated[str, Field(min_length=1, max_length=64)]
"""A label's name or slug."""


def _clock_time(value: object) -> object:
    # YAML reads an unquoted 22:30 as a number of base 60.
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value <= MINUTES_OF_DAY:
        return f"{value // 60:02d}:{value % 60:02d}"
    return value


def _is_clock_time(value: str) -> str:
    parts = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", value)
    if parts is None or int(parts[1]) * 60 + int(parts[2]) > MINUTES_OF_DAY:
        message = f'{value!r} is no time of day; write it as "08:00", from "00:00" to "24:00"'
        raise ValueError(message)
    return f"{int(parts[1]):02d}:{parts[2]}"


ClockTime = Annotated[str, BeforeValidator(_clock_time), AfterValidator(_is_clock_time)]
"""A time on the wall clock, `HH:MM`; 24:00 is the end of the day."""


def _is_time_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = difflib.get_close_matches(value, zoneinfo.available_timezones(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "write it as in 'Europe/Berlin'"
        message = f"there is no time zone {value!r} here; {hint}"
        raise ValueError(message) from error
    return value


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_is_time_zone)]
"""A name of the IANA time zone database."""


class MotionMask(Document):
    """A part of the picture in which movement counts for nothing: a tree, a flag, the clock of the camera.

    Things in it are still seen when something else makes the camera look.
    """

    name: Name
    corners: Corners


class ZoneRule(Document):
    """A part of the picture with a name; a thing is in it when the middle of its lower edge is."""

    name: Name
    corners: Corners
    labels: tuple[Label, ...] = Field((), max_length=64, description="only these count in it; none: all")
    loiter_s: float | None = Field(
        None, gt=0.0, le=86_400.0, description="say so when a thing stays for so long; none: never"
    )


class LineRule(Document):
    """A line with a direction, from `start` to `end`; an event tells on which side of it a crossing ended."""

    name: Name
    start: Point
    end: Point
    labels: tuple[Label, ...] = Field((), max_length=64, description="only these count; none: all")
    towards: Literal["left", "right", "both"] = Field(
        "both", description="which crossings count: those that end left or right, seen from `start` to `end`"
    )

    @model_validator(mode="after")
    def _has_two_ends(self) -> Self:
        _inside_picture((self.start, self.end))
        if self.start == self.end:
            message = "'start' and 'end' are the same point; a line needs two"
            raise ValueError(message)
        return self


class LabelLimits(Document):
    """What counts as seen of one label."""

    label: Label
    threshold: float | None = Field(
        None, ge=0.0, le=1.0, description="comes before the camera's; none: the camera's or detector's own"
    )
    min_area: float = Field(
        0.0, ge=0.0, le=1.0, description="smaller boxes are passed over; share of picture"
    )
    max_area: float = Field(1.0, ge=0.0, le=1.0, description="larger boxes are passed over; share of picture")
    required_zones: tuple[Name, ...] | None = Field(
        None, max_length=32, description="in place of the camera's; empty: everywhere"
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.min_area > self.max_area:
            message = (
                f"'min_area' {self.min_area:g} is over 'max_area' {self.max_area:g}; nothing would be seen"
            )
            raise ValueError(message)
        return self


class Schedule(Document):
    """Times at which something is off, on the clock of the time zone; over midnight when `end` is earlier."""

    days: tuple[Day, ...] = Field(EVERY_DAY, min_length=1, description="on which it begins")
    begin: ClockTime = "00:00"
    end: ClockTime = "24:00"
    pause: Pause = Field(
        description="`detection`: nothing is looked at; `events`: things are counted, but no event begins"
    )

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.begin in {self.end, "24:00"}:
            message = f"it begins at {self.begin} and ends at {self.end}; a whole day is 00:00 to 24:00"
            raise ValueError(message)
        return self


class CameraRules(Document):
    """All rules of one camera."""

    look_every_s: float = Field(
        10.0, ge=1.0, le=3600.0, description="look at least this often, also when nothing moves"
    )
    motion_masks: tuple[MotionMask, ...] = Field((), max_length=32)
    zones: tuple[ZoneRule, ...] = Field((), max_length=32)
    lines: tuple[LineRule, ...] = Field((), max_length=32)
    labels: tuple[LabelLimits, ...] = Field((), max_length=128)
    required_zones: tuple[Name, ...] = Field(
        (), max_length=32, description="events only of things in one of these; none: everywhere"
    )
    still_again_s: float = Field(
        60.0,
        ge=0.0,
        le=86_400.0,
        description="what stood still and was lost is no news when it is back at its place within this time",
    )
    schedules: tuple[Schedule, ...] = Field((), max_length=32)
    time_zone: TimeZone | None = Field(None, description="of the schedules; none: the device's own")

    @model_validator(mode="after")
    def _names_are_clear(self) -> Self:
        _refuse_twice("motion mask", (mask.name for mask in self.motion_masks))
        _refuse_twice("zone", (zone.name for zone in self.zones))
        _refuse_twice("line", (line.name for line in self.lines))
        _refuse_twice("label", (limits.label for limits in self.labels))
        return self

    @model_validator(mode="after")
    def _required_zones_exist(self) -> Self:
        known = [zone.name for zone in self.zones]
        for name in (
            *self.required_zones,
            *(n for limits in self.labels for n in limits.required_zones or ()),
        ):
            if name not in known:
                there = f"zones here: {', '.join(known)}" if known else "there are no zones"
                message = f"'required_zones' names {name!r}, which is no zone; {there}"
                raise ValueError(message)
        return self

    def named_labels(self) -> tuple[str, ...]:
        """Return every label that some rule names, once each, in the order of the document."""
        limits = (limit.label for limit in self.labels)
        zones = (label for zone in self.zones for label in zone.labels)
        lines = (label for line in self.lines for label in line.labels)
        return tuple(dict.fromkeys((*limits, *zones, *lines)))


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f"the {what} {name!r} is there twice; give each its own name"
            raise ValueError(message)
        seen.add(name)
