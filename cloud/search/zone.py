"""Time zones by their names."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from cloud.errors import InputError


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name.

    Raises:
        InputError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        message = f"there is no time zone {name!r}; write one such as Europe/Berlin"
        raise InputError(message) from error
