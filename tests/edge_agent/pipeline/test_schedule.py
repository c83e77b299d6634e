"""Schedules, by the clock on the wall."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from edge_agent.pipeline.schedule import pause_at
from edge_agent.wire.rules import Day, Pause, Schedule

BERLIN = "Europe/Berlin"
ALL: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORK: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")


def at(text: str) -> float:
    """Return the UTC seconds of a moment; 2026-11-30 is a Monday."""
    return datetime.fromisoformat(text).timestamp()


def plan(days: tuple[Day, ...], begin: str, end: str, pause: Pause = "events") -> Schedule:
    return Schedule(days=days, begin=begin, end=end, pause=pause)


@pytest.mark.parametrize(
    ("schedule", "moment", "paused"),
    [
        (plan(WORK, "08:00", "17:00"), "2026-11-30T07:59:59+01:00", False),
        (plan(WORK, "08:00", "17:00"), "2026-11-30T08:00:00+01:00", True),
        (plan(WORK, "08:00", "17:00"), "2026-11-30T16:59:59+01:00", True),
        (plan(WORK, "08:00", "17:00"), "2026-11-30T17:00:00+01:00", False),
        (plan(WORK, "08:00", "17:00"), "2026-11-29T12:00:00+01:00", False),  # a Sunday
        (plan(("fri",), "22:00", "06:00"), "2026-11-27T23:00:00+01:00", True),
        (plan(("fri",), "22:00", "06:00"), "2026-11-28T05:59:00+01:00", True),  # still Friday's night
        (plan(("fri",), "22:00", "06:00"), "2026-11-28T06:00:00+01:00", False),
        (plan(("fri",), "22:00", "06:00"), "2026-11-27T05:00:00+01:00", False),  # Thursday's night
        (plan(("sun",), "22:00", "06:00"), "2026-11-30T01:00:00+01:00", True),  # over the week's end
        (plan(("mon",), "00:00", "24:00"), "2026-11-30T00:00:00+01:00", True),
        (plan(("mon",), "00:00", "24:00"), "2026-11-30T23:59:59+01:00", True),
        (plan(("mon",), "00:00", "24:00"), "2026-12-01T00:00:00+01:00", False),
        (plan(("mon",), "22:00", "00:00"), "2026-11-30T23:59:59+01:00", True),
        (plan(("mon",), "22:00", "00:00"), "2026-12-01T00:00:00+01:00", False),
        # 29 March 2026, 02:00 becomes 03:00: 02:30 never is.
        (plan(ALL, "02:00", "03:00"), "2026-03-29T00:59:59+00:00", False),
        (plan(ALL, "02:00", "03:00"), "2026-03-29T01:00:00+00:00", False),
        (plan(ALL, "01:30", "03:30"), "2026-03-29T00:30:00+00:00", True),
        (plan(ALL, "01:30", "03:30"), "2026-03-29T01:29:59+00:00", True),
        (plan(ALL, "01:30", "03:30"), "2026-03-29T01:30:00+00:00", False),
        # 25 October 2026, 03:00 becomes 02:00: 02:30 is twice.
        (plan(ALL, "02:00", "03:00"), "2026-10-25T00:30:00+00:00", True),
        (plan(ALL, "02:00", "03:00"), "2026-10-25T01:30:00+00:00", True),
        (plan(ALL, "02:00", "03:00"), "2026-10-25T02:00:00+00:00", False),
        # The same clock time in summer and winter, though UTC differs.
        (plan(ALL, "22:00", "23:00"), "2026-07-01T20:00:00+00:00", True),
        (plan(ALL, "22:00", "23:00"), "2026-12-01T21:00:00+00:00", True),
        (plan(ALL, "22:00", "23:00"), "2026-12-01T20:00:00+00:00", False),
    ],
)
def test_pause_at_a_moment_in_berlin(schedule: Schedule, moment: str, paused: bool) -> None:
    assert (pause_at([schedule], at(moment), BERLIN) == "events") is paused


@pytest.mark.parametrize(
    ("zone", "moment"),
    [("Asia/Kathmandu", "2026-11-30T04:15:00+00:00"), ("UTC", "2026-11-30T10:00:00+00:00")],
)
def test_pause_at_is_by_the_clock_of_its_time_zone(zone: str, moment: str) -> None:
    schedule = plan(("mon",), "10:00", "10:01")
    assert pause_at([schedule], at(moment), zone) == "events"
    assert pause_at([schedule], at(moment) + 60.0, zone) is None
    assert datetime.fromtimestamp(at(moment), ZoneInfo(zone)).hour == 10


def test_pause_at_without_a_time_zone_is_by_the_devices_own_clock() -> None:
    noon_s = datetime(2026, 11, 30, 12).astimezone().timestamp()
    assert pause_at([plan(("mon",), "12:00", "12:01")], noon_s, None) == "events"
    assert pause_at([plan(("mon",), "12:01", "12:02")], noon_s, None) is None


def test_pause_at_of_two_schedules_is_the_stronger_one() -> None:
    both = [plan(ALL, "00:00", "24:00"), plan(ALL, "10:00", "11:00", "detection")]
    assert pause_at(both, at("2026-11-30T10:30:00+01:00"), BERLIN) == "detection"
    assert pause_at(both, at("2026-11-30T11:30:00+01:00"), BERLIN) == "events"
    assert pause_at([], 0.0, BERLIN) is None
