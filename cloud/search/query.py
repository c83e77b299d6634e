"""What can be asked for: one thing, or two and how they belong together; with the text that says it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Relation = Literal["with", "near", "then"]

THEN_WITHIN_S = 10.0
"""So soon the second thing comes in `A then B`, unless said otherwise."""

MOST_WITHIN_S = 3600.0
"""So far apart in time two things can be: what is farther belongs to too many others."""

NEAR_PERCENT = 25.0
"""So near things are in `A near B`, in percent of the picture's width, unless said otherwise."""

KEYWORDS = frozenset(
    {"with", "near", "then", "in", "camera", "zone", "is", "score", "within", "between", "and", "since"}
    | {"until"}
)
_PLAIN = re.compile(r"[^\s\"=>]+")
_UNITS_S = (("d", 86_400), ("h", 3600), ("m", 60))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Thing(_Part):
    """One thing that was seen; `above_score` is of its best look."""

    label: str
    camera: str | None = None
    zone: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    above_score: float | None = None


class Ago(_Part):
    """A moment so long before the search."""

    seconds: float = Field(gt=0)


class At(_Part):
    """A moment on the clock of whoever asks, without a zone."""

    local: datetime


class Day(_Part):
    """A part of each day, in minutes after midnight; one that ends before it begins goes over midnight."""

    begin_min: int = Field(ge=0, lt=1440)
    end_min: int = Field(ge=0, lt=1440)

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if self.begin_min == self.end_min:
            message = "a part of the day must end at another time than it begins"
            raise ValueError(message)
        return self

    def holds(self, minute: int) -> bool:
        """Return whether a minute after midnight is in it."""
        if self.begin_min < self.end_min:
            return self.begin_min <= minute < self.end_min
        return minute >= self.begin_min or minute < self.end_min


class Query(_Part):
    """A search; `within_s` is the most time between two things, `within_percent` the most distance.

    `with`: both in sight of one camera at once. `near`: as `with`, or so few seconds apart, with boxes so
    near each other. `then`: the second begins after the first has begun, so few seconds later.
    """

    first: Thing
    relation: Relation | None = None
    second: Thing | None = None
    within_s: float | None = Field(None, gt=0)
    within_percent: float | None = Field(None, gt=0)
    day: Day | None = None
    since: Ago | At | None = None
    until: Ago | At | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        message = None
        if (self.relation is None) != (self.second is None):
            message = "two things need one of: with, near, then"
        elif self.within_s is not None and self.relation not in {"near", "then"}:
            message = "seconds belong to near or then"
        elif self.within_s is not None and self.within_s > MOST_WITHIN_S:
            message = f"two things can be at most {duration_text(MOST_WITHIN_S)} apart"
        elif self.within_percent is not None and self.relation != "near":
            message = "a distance belongs to near"
        if message is not None:
            raise ValueError(message)
        return self

    @property
    def reach_s(self) -> float:
        """Return how many seconds may lie between the two things."""
        return self.within_s or (THEN_WITHIN_S if self.relation == "then" else 0.0)

    @property
    def reach_share(self) -> float | None:
        """Return how far the two boxes may lie apart, as a share of the picture's width; none: any way."""
        return (self.within_percent or NEAR_PERCENT) / 100 if self.relation == "near" else None

    def __str__(self) -> str:
        """Return the text that means this query."""
        parts = [_thing_text(self.first)]
        if self.relation is not None and self.second is not None:
            parts += [self.relation, _thing_text(self.second)]
        if self.within_percent is not None:
            parts.append(f"within {number_text(self.within_percent)}%")
        if self.within_s is not None:
            parts.append(f"within {duration_text(self.within_s)}")
        if self.day is not None:
            parts.append(f"between {_clock_text(self.day.begin_min)} and {_clock_text(self.day.end_min)}")
        ends = (("since", self.since), ("until", self.until))
        parts += [f"{word} {_when_text(when)}" for word, when in ends if when is not None]
        return " ".join(parts)


def number_text(number: float) -> str:
    """Return a number without an exponent, to six places."""
    text = f"{number:.6f}"
    return text.rstrip("0").rstrip(".")


def duration_text(seconds: float) -> str:
    """Return a duration in its largest unit that needs no fraction."""
    for unit, length_s in _UNITS_S:
        if seconds % length_s == 0:
            return f"{number_text(seconds / length_s)}{unit}"
    return f"{number_text(seconds)}s"


def _thing_text(thing: Thing) -> str:
    parts = [_name_text(thing.label)]
    if thing.camera is not None:
        parts.append(f"in camera {_name_text(thing.camera)}")
    if thing.zone is not None:
        parts.append(f"in zone {_name_text(thing.zone)}")
    parts += [f"is {_name_text(slug)}={_name_text(value)}" for slug, value in thing.attributes]
    if thing.above_score is not None:
        parts.append(f"score > {number_text(thing.above_score)}")
    return " ".join(parts)


def _name_text(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name.lower() not in KEYWORDS else f'"{name}"'


def _clock_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _when_text(when: Ago | At) -> str:
    if isinstance(when, Ago):
        return duration_text(when.seconds)
    text = when.local.isoformat()
    return text.removesuffix("T00:00:00")
