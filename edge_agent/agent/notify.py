"""Tells systemd how the agent is: the protocol of sd_notify(3), over the socket that systemd names."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Speaks to systemd; outside of it every word is dropped."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take the socket, and how often systemd wants a sign of life, from the environment."""
        self._address = environment.get("NOTIFY_SOCKET", "")
        wanted_us = environment.get("WATCHDOG_USEC", "")
        # Four signs in the time that systemd allows: one that comes late costs nothing.
        self.alive_every_s = int(wanted_us) / 4e6 if wanted_us.isdigit() else None

    def ready(self) -> None:
        """Say that the start is over."""
        self._say("READY=1")

    def alive(self) -> None:
        """Give a sign of life."""
        self._say("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in one line how things are; `systemctl status` shows it."""
        self._say(f"STATUS={' '.join(text.split())}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._say("STOPPING=1")

    def _say(self, words: str) -> None:
        if not self._address:
            return
        # An address in the abstract name space begins with a zero byte, which systemd writes as "@".
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
                # A reader that sleeps must not stop the agent.
                speaker.setblocking(False)
                speaker.connect(address)
                speaker.sendall(words.encode())
        except OSError as error:
            _log.warning("systemd was not told %s: %s", words, error)
