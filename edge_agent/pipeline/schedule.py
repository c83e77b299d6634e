"""What is off at a moment, by the clock on the wall.

Only the clock's hands are compared, so a night that is an hour longer or shorter than others needs no care:
an hour that the clock skips is not paused, one that it shows twice is paused twice.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime

from edge_agent.wire.rules import EVERY_DAY, Pause, Schedule


def pause_at(schedules: Sequence[Schedule], time_s: float, time_zone: str | None) -> Pause | None:
    """Return what is off at a moment; detection when schedules disagree, none when nothing is.

    Args:
        schedules: Times at which something is off.
        time_s: UTC seconds since 1970.
        time_zone: Whose clock counts; none: the device's own.
    """
    if not schedules:
        return None
    moment = datetime.fromtimestamp(time_s, UTC)
    local = moment.astimezone(zoneinfo.ZoneInfo(time_zone) if time_zone is not None else None)
    minute, day = local.hour * 60 + local.minute, local.weekday()
    pauses = {schedule.pause for schedule in schedules if _holds(schedule, day, minute)}
    if "detection" in pauses:
        return "detection"
    return "events" if pauses else None


def _holds(schedule: Schedule, day: int, minute: int) -> bool:
    begin, end = _minutes(schedule.begin), _minutes(schedule.end)
    if begin < end:
        return begin <= minute < end and EVERY_DAY[day] in schedule.days
    if minute >= begin:
        return EVERY_DAY[day] in schedule.days
    # After midnight it is still the pause of the day before.
    return minute < end and EVERY_DAY[day - 1] in schedule.days


def _minutes(clock_time: str) -> int:
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)
