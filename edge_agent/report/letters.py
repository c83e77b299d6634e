"""Single messages that must reach the cloud's broker, like corrections: kept in a file until it took them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from edge_agent.report.protocol import Link, Message

_log = logging.getLogger(__name__)

_MOST = 100


class Letters:
    """What waits for one broker, in order; called from one thread."""

    def __init__(self, file: Path, link: Link, post: Callable[[Callable[[], None]], None]) -> None:
        """Go on with what waits in `file`.

        Args:
            file: A line of JSON for each message.
            link: The connection to the broker.
            post: Brings work from any thread to the one that owns this.
        """
        self._file = file
        self._link = link
        self._post = post
        self._waiting = dict(enumerate(_read(file)))
        self._next = len(self._waiting)
        self._under_way: set[int] = set()
        self._connection = 0

    def add(self, message: Message) -> None:
        """Keep a message until the broker took it; of too many, the oldest go."""
        self._waiting[self._next] = message
        self._next += 1
        if len(self._waiting) > _MOST:
            _log.warning("too many messages wait for the cloud; the oldest one is forgotten")
            del self._waiting[min(self._waiting)]
        self._write()
        self.pump()

    def reconnected(self) -> None:
        """Send what was not acknowledged once more."""
        self._connection += 1
        self._under_way.clear()
        self.pump()

    def pump(self) -> None:
        """Send what waits and is not under way."""
        if not self._link.connected:
            return
        for number, message in self._waiting.items():
            if number not in self._under_way and self._link.publish(message, self._answer(number)):
                self._under_way.add(number)

    def _answer(self, number: int) -> Callable[[bool], None]:
        """Return what takes the broker's answer, from any thread."""
        connection = self._connection
        return lambda taken: self._post(lambda: self._settle(number, connection, taken))

    def _settle(self, number: int, connection: int, taken: bool) -> None:
        if connection != self._connection or number not in self._waiting:
            return
        message = self._waiting.pop(number)
        if not taken:
            _log.warning("the cloud's broker refused a message on %s", message.topic)
        self._under_way.discard(number)
        self._write()

    def _write(self) -> None:
        lines = [json.dumps([one.topic, one.payload.decode()]) + "\n" for one in self._waiting.values()]
        part = self._file.with_suffix(".part")
        try:
            part.write_text("".join(lines))
            part.replace(self._file)
        except OSError as error:
            _log.warning("%s: %s; what waits is lost at the next stop", self._file, error.strerror)


def _read(file: Path) -> list[Message]:
    try:
        lines = file.read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [Message(str(topic), str(payload).encode()) for topic, payload in found]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        _log.warning("%s is damaged (%s); what waited is lost", file, type(error).__name__)
        return []
