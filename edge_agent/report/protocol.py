"""What publishers and a connection to a broker agree on; knows no MQTT library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Protocols = Literal["auto", "5", "3.1.1"]
"""Which version of MQTT to speak; `auto`: the newest that the broker speaks too."""


@dataclass(frozen=True)
class Message:
    """One publication."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True)
class Broker:
    """Where a broker is, and as whom to speak to it; with a `websocket_path`, over WebSockets."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    websocket_path: str | None = None
    protocol: Protocols = "auto"
    keepalive_s: int = 15

    def is_same_broker(self, other: Broker) -> bool:
        """Return whether both name the same broker, so that one connection serves for both."""
        return _address(self) == _address(other)


@dataclass(frozen=True)
class LinkEvents:
    """What the owner of a link wants to know; called from the link's thread."""

    up: Callable[[], None]
    down: Callable[[str], None]
    message: Callable[[str, bytes, bool], None]


class Link(Protocol):
    """What publishers need of a connection."""

    @property
    def connected(self) -> bool:
        """Return whether publishing has a chance now."""
        ...

    @property
    def reason(self) -> str:
        """Return why the last connection failed or ended, in one line."""
        ...

    def publish(self, message: Message, on_ack: Callable[[bool], None] | None = None) -> bool:
        """Hand a message over; return whether it was taken.

        Args:
            message: What to send.
            on_ack: Called once, from another thread, with whether the broker took it. Not called
                when the connection is lost before: `LinkEvents.down` says so.
        """
        ...

    def start(self, events: LinkEvents) -> None:
        """Connect, and again whenever the connection is lost; tells `events` of it."""
        ...

    def stop(self, farewell: Sequence[Message] = ()) -> None:
        """Publish `farewell` and disconnect."""
        ...


def _address(broker: Broker) -> tuple[str, int]:
    local = {"127.0.0.1", "::1"}
    return ("localhost" if broker.host in local else broker.host.lower(), broker.port)
