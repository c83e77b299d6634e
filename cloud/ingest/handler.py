"""What happens with each message; knows the database, not the network."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from cloud.ingest.batches import ParsedBatch, parse_batch, store_batches
from cloud.ingest.live import LiveFeed
from cloud.ingest.presence import Presence
from cloud.store import devices, events
from cloud.store.database import Database
from cloud.store.ids import new_id
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, ProtocolError
from edge_agent.wire.correction import Correction, Feedback
from edge_agent.wire.event import Event
from edge_agent.wire.status import Stats
from edge_agent.wire.topics import Topics

_LOG = logging.getLogger(__name__)
_KEPT_PAYLOAD_BYTES = 65_536


@dataclass(frozen=True)
class Incoming:
    """One message as it came; `session` is the connection of the device that it names, where it does."""

    topic: str
    payload: bytes
    retained: bool = False
    session: str | None = None


@dataclass(frozen=True)
class Outgoing:
    """One message to send."""

    topic: str
    payload: str


class RecordCorrection(Protocol):
    """Stores a correction once, however often it is said, and asks for its picture."""

    def __call__(self, correction: Correction) -> object:
        """Store it; raises `ElfowlError` when it makes no sense."""
        ...


class Alerts(Protocol):
    """Tells people of events; see `cloud.notify.sender.AlertSender`."""

    def note(self, session: Session, events: Sequence[Event], now_s: float) -> None:
        """Keep what to tell, in the session that stores the events."""
        ...

    def hurry(self) -> None:
        """Tell it now: the session is committed."""
        ...


class NoAlerts:
    """Tells nobody."""

    def note(self, session: Session, events: Sequence[Event], now_s: float) -> None:
        """Keep nothing."""

    def hurry(self) -> None:
        """Do nothing."""


class Handler:
    """Turns messages into rows, and says what to answer once they are on the disk."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        live: LiveFeed,
        record: RecordCorrection,
        prefix: str,
        alerts: Alerts | None = None,
        forget_sighting: Callable[[str], float | None] = lambda _device: None,
    ) -> None:
        """Prepare.

        Args:
            database: Where all goes.
            clock: Where the time comes from.
            live: Hears what is news.
            record: Stores corrections.
            prefix: Of all topics.
            alerts: Tells people of events; none: nobody is told.
            forget_sighting: Returns when a device was seen over HTTP, where that is not stored yet; what is
                stored afterwards must not say that a device is there which has said goodbye.
        """
        self._forget_sighting = forget_sighting
        self._database = database
        self._clock = clock
        self._live = live
        self._record = record
        self._prefix = prefix
        self._alerts = alerts or NoAlerts()
        self._strangers: set[str] = set()
        self._presence = Presence()

    def handle(self, messages: list[Incoming]) -> list[Outgoing]:
        """Store messages and return the answers; all batches together are one commit.

        Raises:
            StorageError: The disk is full; nothing was acknowledged.
        """
        with _no_collecting():
            batches = [parsed for message in messages if (parsed := self._understand(message)) is not None]
            return self._store(batches) if batches else []

    def _understand(self, message: Incoming) -> tuple[str, ParsedBatch] | None:
        """Return the batch in a message; other messages are dealt with at once."""
        device, leaf = self._split(message.topic)
        handlers: dict[str, Callable[[str, Incoming], None]] = {
            "available": self._note_availability,
            "stats": self._note_stats,
            "feedback/set": self._note_feedback,
        }
        try:
            if leaf == "up/events":
                return device, parse_batch(message.payload, device)
            if leaf in handlers:
                handlers[leaf](device, message)
        except (ElfowlError, ValueError) as error:
            self.bury(message, str(error).splitlines()[0])
        return None

    def _store(self, batches: list[tuple[str, ParsedBatch]]) -> list[Outgoing]:
        now_s = self._clock.now_s()
        with self._database.write(durable=True) as session:
            known = devices.note_together(session, {device for device, _ in batches}, now_s=now_s)
            self._warn_of({device for device, _ in batches} - known)
            parsed = [one for device, one in batches if device in known]
            for one in parsed:
                topic = Topics(one.batch.device, self._prefix).up_events
                for broken in one.broken:
                    self._bury_in(session, topic, broken.payload, broken.reason)
            stored = store_batches(session, [one.batch for one in parsed], now_s=now_s)
            news = [event for one in stored for event in one.news]
            self._alerts.note(session, news, now_s)
        self._alerts.hurry()
        self._tell(news)
        acks = {
            (one.batch.device, told.ack.epoch): told.ack for one, told in zip(parsed, stored, strict=True)
        }
        return [
            Outgoing(Topics(device, self._prefix).down_ack, ack.to_json())
            for (device, _), ack in acks.items()
        ]

    def _tell(self, news: Sequence[Event]) -> None:
        if not self._live.listeners:
            return
        for event in news:
            self._live.publish({"type": "event", "event": json.loads(event.to_json())})

    def _warn_of(self, strangers: set[str]) -> None:
        for device in strangers - self._strangers:
            _LOG.warning("device %r sends events but is not enrolled here; they are not stored", device)
        self._strangers |= strangers

    def _note_availability(self, device: str, message: Incoming) -> None:
        online = message.payload == b"online"
        if online:
            self._presence.came(device, message.session)
        elif self._presence.is_stale(device, message.session):
            _LOG.info("device %r: a connection that it had before is gone; it is back by another one", device)
            return
        if message.retained and online:
            # It says what was, perhaps long ago: the device will speak for itself.
            return
        seen_s = None if online else self._forget_sighting(device)
        with self._database.write() as session:
            if seen_s is not None:
                devices.note_seen(session, device, now_s=seen_s)
            known = devices.note_seen(session, device, now_s=self._clock.now_s(), online=online)
        if known:
            self._live.publish({"type": "device", "device": device, "online": online})

    def _note_stats(self, device: str, message: Incoming) -> None:
        stats = Stats.from_json(message.payload)
        if stats.device != device:
            text = f"stats name device {stats.device!r}, but came from {device!r}"
            raise ProtocolError(text)
        with self._database.write() as session:
            devices.note_seen(session, device, now_s=self._clock.now_s())
            devices.note_stats(session, device, stats_json=stats.to_json())
        self._live.publish({"type": "stats", "device": device, "stats": json.loads(stats.to_json())})

    def _note_feedback(self, device: str, message: Incoming) -> None:
        if message.retained:
            return
        feedback = Feedback.from_json(message.payload)
        self._record(correction_from(feedback, device, self._clock.now_s()))

    def bury(self, message: Incoming, reason: str) -> None:
        """Keep a message that cannot be dealt with where people can look at it."""
        with self._database.write(durable=True) as session:
            self._bury_in(session, message.topic, message.payload, reason)

    def _bury_in(self, session: Session, topic: str, payload: bytes, reason: str) -> None:
        _LOG.warning("%s: cannot be understood, put aside: %s", topic, reason)
        kept = payload[:_KEPT_PAYLOAD_BYTES]
        events.add_dead_letter(session, topic=topic, payload=kept, reason=reason, now_s=self._clock.now_s())

    def _split(self, topic: str) -> tuple[str, str]:
        device, _, leaf = topic.removeprefix(self._prefix + "/").partition("/")
        return device, leaf


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Let the collector of cycles rest: a group makes many objects and no cycles, looking cost two fifths."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def correction_from(feedback: Feedback, device: str, now_s: float) -> Correction:
    """Return the correction that a feedback on MQTT means; who records it knows what was said before."""
    return Correction(
        id=new_id("cor"),
        verdict=feedback.verdict,
        device=device,
        event_id=feedback.event_id,
        camera=feedback.camera,
        time=feedback.time,
        label=feedback.label,
        box=feedback.box,
        source="mqtt",
        author=feedback.author,
        created=now_s,
    )
