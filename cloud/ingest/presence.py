"""Whether a device that is said to be gone has come back meanwhile; knows no network."""

from __future__ import annotations


class Presence:
    """Remembers the connection of each device by its name, which MQTT 5 carries beside `online` and the will.

    A broker may find out late that a connection broke, and publish its will when the device has long been
    back by another one. Who speaks an older protocol gives no name: of those every word counts.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}

    def came(self, device: str, session: str | None) -> None:
        """Note by which connection a device is there."""
        if session is None:
            self._sessions.pop(device, None)
        else:
            self._sessions[device] = session

    def is_stale(self, device: str, session: str | None) -> bool:
        """Return whether a will is that of a connection before the present one."""
        present = self._sessions.get(device)
        return session is not None and present is not None and session != present
