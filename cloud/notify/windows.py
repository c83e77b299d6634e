"""Times of the week, such as `22:00-06:00` or `mon-fri 08:00-18:00`, in a time zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from cloud.errors import InputError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"(?:([a-z,\- ]+?)\s+)?([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)")
_DAY_MIN = 24 * 60
# Windows may touch each other; one that follows another is never more than a week long together.
_MOST_STEPS = 16


@dataclass(frozen=True)
class Window:
    """A time of day on some days; one that ends before it begins goes over midnight.

    Attributes:
        days: On which it begins; 0 is Monday.
        start_min: Minutes since midnight.
        end_min: Minutes since midnight, not in it; the same as the start means a whole day.
    """

    days: frozenset[int]
    start_min: int
    end_min: int


def parse_window(text: str) -> Window:
    """Return the window that a text means.

    Raises:
        InputError: It is none.
    """
    match = _FORM.fullmatch(text.strip().lower())
    if match is None:
        raise InputError(_advice(text))
    days, *numbers = match.groups()
    start_h, start_m, end_h, end_m = (int(number) for number in numbers)
    start_min, end_min = start_h * 60 + start_m, end_h * 60 + end_m
    if start_min >= _DAY_MIN or end_min > _DAY_MIN:
        raise InputError(_advice(text))
    return Window(_days_of(days, text), start_min, end_min % _DAY_MIN)


def is_within(windows: Sequence[Window], at_s: float, zone: ZoneInfo) -> bool:
    """Return whether a moment, in UTC seconds since 1970, lies in one of the windows."""
    return any(_end_of(window, at_s, zone) is not None for window in windows)


def end_of_windows(windows: Sequence[Window], at_s: float, zone: ZoneInfo) -> float:
    """Return the first moment from `at_s` on that lies in no window, in UTC seconds since 1970.

    Where windows fill the whole week, it is some days ahead: what waits for it still comes.
    """
    for _ in range(_MOST_STEPS):
        ends = [end_s for window in windows if (end_s := _end_of(window, at_s, zone)) is not None]
        if not ends:
            break
        # Where clocks go back, an end may lie before the moment; a minute on is then tried.
        at_s = max(*ends, at_s + 60.0) if max(ends) <= at_s else max(ends)
    return at_s


def _end_of(window: Window, at_s: float, zone: ZoneInfo) -> float | None:
    """Return when the window around a moment ends, none when it is in none."""
    local = datetime.fromtimestamp(at_s, zone)
    now_min = local.hour * 60 + local.minute
    over_midnight = window.end_min <= window.start_min
    if local.weekday() in window.days and now_min >= window.start_min:
        if over_midnight:
            return _moment(local + timedelta(days=1), window.end_min, zone)
        if now_min < window.end_min:
            return _moment(local, window.end_min, zone)
    if over_midnight and (local.weekday() - 1) % 7 in window.days and now_min < window.end_min:
        return _moment(local, window.end_min, zone)
    return None


def _moment(day: datetime, minute: int, zone: ZoneInfo) -> float:
    return datetime.combine(day.date(), time(minute // 60, minute % 60), zone).timestamp()


def _days_of(text: str | None, whole: str) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise InputError(_advice(whole))
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(days)


def _advice(text: str) -> str:
    return f"{text!r} is no time of the week; write 22:00-06:00 or mon-fri 08:00-18:00"
