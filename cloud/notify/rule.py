"""Alert rules: which events people are told of, and when. Pure: no clock, no database, no network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cloud.errors import InputError
from cloud.notify.windows import Window, end_of_windows, is_within, parse_window
from cloud.store.scans import SCAN_DEVICE
from edge_agent.wire.event import Event

RECORDINGS_COLLECT_S = 60.0
"""What scans see comes many at once: it is collected for so long at least, and told together."""

Picture = Literal["blurred", "clear", "none"]


class AlertRule(BaseModel):
    """What to tell, and where; an empty list means any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    enabled: bool = True
    labels: tuple[str, ...] = ()
    cameras: tuple[str, ...] = Field((), description="camera, or device/camera")
    zones: tuple[str, ...] = Field((), description="the thing is or was in one of them")
    attributes: dict[str, str] = Field(default={}, description="slug to value; all must hold")
    search: str | None = Field(None, description="id of a saved search: only events of its moments")
    recordings: bool = Field(default=False, description="also what scans see in recordings, told together")
    least_score: float = Field(0.0, ge=0.0, le=1.0, description="of the best look at the thing")
    hours: tuple[str, ...] = Field((), description="watch only then, as in 'mon-fri 08:00-18:00'")
    quiet: tuple[str, ...] = Field((), description="do not disturb then; it is told together afterwards")
    timezone: str = Field("UTC", description="of hours and quiet, as in Europe/Berlin")
    cooldown_s: float = Field(60.0, ge=0.0, le=7 * 86_400.0, description="of one camera and label")
    digest_s: float = Field(0.0, ge=0.0, le=7 * 86_400.0, description="collect for so long; 0 tells at once")
    picture: Picture = Field("blurred", description="blurred by the server; clear as the camera sent it")
    channels: tuple[str, ...] = Field(min_length=1, max_length=10, description="Apprise addresses")

    @field_validator("hours", "quiet")
    @classmethod
    def _are_windows(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for text in texts:
                parse_window(text)
        except InputError as error:
            raise ValueError(str(error)) from error
        return texts

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            message = f"there is no time zone {name!r}; write it like Europe/Berlin"
            raise ValueError(message) from error
        return name


@dataclass(frozen=True)
class Past:
    """What a rule did before.

    Attributes:
        last_due_s: When the last message about this camera and label was or is due; none: never.
        collecting_due_s: When a message that still collects is due; none when there is none.
    """

    last_due_s: float | None = None
    collecting_due_s: float | None = None


@dataclass(frozen=True)
class Tell:
    """Tell of the event.

    Attributes:
        due_s: When, in UTC seconds since 1970.
        collects: Together with others of the rule that are due then.
    """

    due_s: float
    collects: bool


@dataclass(frozen=True)
class Silence:
    """The event fits, but the rule spoke of this camera and label a moment ago."""


def decide(rule: AlertRule, event: Event, past: Past, now_s: float) -> Tell | Silence | None:
    """Decide what a rule says of an event that it was not asked about before.

    Args:
        rule: Its hours count at the time of the picture, its quiet hours now.
        event: Its latest state.
        past: What the rule did before.
        now_s: UTC seconds since 1970.

    Returns:
        None when the event does not fit (yet: a later state may).
    """
    if not fits(rule, event):
        return None
    quiet, zone = _windows(rule.quiet), ZoneInfo(rule.timezone)
    collect_s = max(rule.digest_s, RECORDINGS_COLLECT_S if _is_recorded(event) else 0.0)
    if collect_s > 0.0 or is_within(quiet, now_s, zone):
        if past.collecting_due_s is not None:
            return Tell(past.collecting_due_s, collects=True)
        return Tell(end_of_windows(quiet, now_s + collect_s, zone), collects=True)
    # Both ways round: a clock that was set back shall not silence a rule for long.
    if past.last_due_s is not None and abs(now_s - past.last_due_s) < rule.cooldown_s:
        return Silence()
    return Tell(now_s, collects=False)


def fits(rule: AlertRule, event: Event) -> bool:
    """Return whether an event is of the kind that a rule tells of."""
    if not rule.enabled or event.end_reason == "corrected":
        return False
    if _is_recorded(event) and not rule.recordings:
        return False
    here = {event.camera, f"{event.device}/{event.camera}"}
    zones = {*event.zones.entered, *event.zones.current}
    told = {slug: value.value for slug, value in event.attributes.items()}
    return (
        (not rule.labels or event.label in rule.labels)
        and (not rule.cameras or not here.isdisjoint(rule.cameras))
        and (not rule.zones or not zones.isdisjoint(rule.zones))
        and all(told.get(slug) == value for slug, value in rule.attributes.items())
        and event.top_score >= rule.least_score
        and (not rule.hours or is_within(_windows(rule.hours), event.frame_time, ZoneInfo(rule.timezone)))
    )


def _is_recorded(event: Event) -> bool:
    return event.device == SCAN_DEVICE


@lru_cache(maxsize=256)
def _windows(texts: tuple[str, ...]) -> tuple[Window, ...]:
    return tuple(parse_window(text) for text in texts)
