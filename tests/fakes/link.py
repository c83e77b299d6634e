"""A connection that keeps what is published, and acknowledges when told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_agent.report.link import LinkEvents, Message


class FakeLink:
    """Implements `edge_agent.report.link.Link`."""

    def __init__(self, *, connected: bool = True, room: int = 10_000) -> None:
        self.connected = connected
        self.reason = "not connected yet"
        self.room = room
        self.sent: list[Message] = []
        self._waiting: list[Callable[[bool], None] | None] = []

    def publish(self, message: Message, on_ack: Callable[[bool], None] | None = None) -> bool:
        if not self.connected or len(self.sent) >= self.room:
            return False
        self.sent.append(message)
        self._waiting.append(on_ack)
        return True

    def start(self, events: LinkEvents) -> None:
        self.events = events

    def stop(self, farewell: Sequence[Message] = ()) -> None:
        for message in farewell:
            self.publish(message)
        self.connected = False

    def acknowledge(self, *numbers: int, taken: bool = True) -> None:
        """Answer the messages with these numbers (0 is the first); none: all."""
        for number in numbers or range(len(self._waiting)):
            on_ack, self._waiting[number] = self._waiting[number], None
            if on_ack is not None:
                on_ack(taken)

    def lose(self) -> None:
        """Break the connection: nothing under way is ever answered."""
        self.connected = False
        self._waiting = [None] * len(self.sent)

    def topics(self) -> list[str]:
        """Return where was published, in order."""
        return [message.topic for message in self.sent]
