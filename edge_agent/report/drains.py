"""How events leave the spool: one by one to the home broker, in batches to the cloud.

Both are called from the one thread that owns the outbox.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence

from edge_agent.clock import Clock
from edge_agent.report.frigate import Frigate
from edge_agent.report.outbox import Outbox
from edge_agent.report.protocol import Link, Message
from edge_agent.report.spool import SpoolRow
from edge_agent.wire.event import Event
from edge_agent.wire.sync import Ack, BatchItem, EventBatch
from edge_agent.wire.topics import Topics

_log = logging.getLogger(__name__)

HOME = "home"
CLOUD = "cloud"

_WINDOW = 50
# Those who listen at home come back a little after the broker does; what is sent before is lost for them.
_SETTLE_S = 2.0
_BATCH_EVENTS = 100
_BATCH_BYTES = 200_000
# As base64 below the limit of the wire format.
_PICTURE_BYTES = 75_000
_RESEND_S = 10.0
_RESEND_MAX_S = 60.0

PostAck = Callable[[str, int, bool], None]
"""Takes (epoch, seq, taken) from any thread and brings it to `HomeDrain.acked` in the outbox's thread."""


class HomeDrain:
    """Publishes events one by one with QoS 1; the broker's acknowledgement counts."""

    def __init__(
        self, link: Link, outbox: Outbox, post_ack: PostAck, clock: Clock, frigate: Frigate | None = None
    ) -> None:
        """Begin with nothing under way; `post_ack` is called from the link's thread.

        Events go to `frigate`'s topic too, where nobody acknowledges them.
        """
        self._frigate = frigate
        self._link = link
        self._outbox = outbox
        self._post_ack = post_ack
        self._clock = clock
        self._epoch = outbox.epoch
        self._under_way: dict[int, bool] = {}
        self._last_seq = 0
        self._connects = 0
        self._ready_at_s = float("inf")
        self.refused = 0

    @property
    def ready_at_s(self) -> float:
        """Return the monotonic second from which events go out on this connection."""
        return self._ready_at_s

    def up(self) -> None:
        """Start anew on a new connection: what was not acknowledged goes out again, after a short while."""
        self._forget()
        # The first connection of a process interrupts nobody else's.
        self._ready_at_s = self._clock.monotonic_s() + (_SETTLE_S if self._connects else 0.0)
        self._connects += 1

    def down(self) -> None:
        """Stop until the next connection."""
        self._forget()
        self._ready_at_s = float("inf")

    def pump(self) -> None:
        """Publish as many events as the window lets through."""
        if self._outbox.epoch != self._epoch:
            self._forget()
        if not self._link.connected or self._clock.monotonic_s() < self._ready_at_s:
            return
        room = _WINDOW - len(self._under_way)
        if room <= 0 or not self._outbox.has_more(HOME, after_seq=self._last_seq):
            return
        for row in self._outbox.read(HOME, after_seq=self._last_seq, limit=room):
            if not self._publish(row):
                return

    def acked(self, epoch: str, seq: int, taken: bool) -> None:
        """Note the broker's answer; everything up to the first gap is delivered."""
        if epoch != self._epoch or seq not in self._under_way:
            return
        if not taken:
            self.refused += 1
            # It would be refused for ever, and hold up all that follows.
            _log.warning("the home broker refused event %d; check what this user may publish", seq)
        self._under_way[seq] = True
        done = 0
        for number, is_acked in sorted(self._under_way.items()):
            if not is_acked:
                break
            done = number
            del self._under_way[number]
        if done:
            self._outbox.acknowledge(HOME, epoch, done)

    def _publish(self, row: SpoolRow) -> bool:
        epoch, seq = self._epoch, row.seq
        # Known before it is sent: the answer may be quicker than we are.
        self._under_way[seq] = False
        message = Message(row.item.topic, row.item.document.encode())
        if not self._link.publish(message, lambda taken: self._post_ack(epoch, seq, taken)):
            del self._under_way[seq]
            return False
        self._last_seq = seq
        translated = self._frigate.event(row.item.document) if self._frigate is not None else None
        if translated is not None:
            self._link.publish(translated)
        return True

    def _forget(self) -> None:
        self._epoch = self._outbox.epoch
        self._under_way.clear()
        self._last_seq = 0


class CloudDrain:
    """Publishes batches, one at a time; only the cloud's own acknowledgement counts, never the broker's."""

    def __init__(
        self, link: Link, outbox: Outbox, topics: Topics, clock: Clock, *, pictures: bool = True
    ) -> None:
        """Begin with nothing under way.

        Args:
            link: The connection to the cloud's broker.
            outbox: Where events wait.
            topics: The device's topics at the cloud's broker.
            clock: Where times come from.
            pictures: Thumbnails may go along.
        """
        self._link = link
        self._outbox = outbox
        self._topics = topics
        self._clock = clock
        self._pictures = pictures
        self._sent: tuple[str, int] | None = None
        self._resend_at_s = 0.0
        self._tries = 0

    def up(self) -> None:
        """Send again what was under way."""
        self._sent = None
        self._tries = 0

    def pump(self) -> None:
        """Publish the next batch if none is under way, or the same again when its answer is overdue."""
        now_s = self._clock.monotonic_s()
        if not self._link.connected or (self._sent is not None and now_s < self._resend_at_s):
            return
        if not self._outbox.has_more(CLOUD):
            return
        rows = _fit(self._outbox.read(CLOUD, limit=_BATCH_EVENTS), pictures=self._pictures)
        if not rows:
            return
        batch = self._batch(rows)
        if not batch.items:
            self._outbox.acknowledge(CLOUD, batch.epoch, rows[-1].seq)
            return
        if self._link.publish(Message(self._topics.up_events, batch.to_json().encode())):
            self._sent = (batch.epoch, rows[-1].seq)
            self._resend_at_s = now_s + min(_RESEND_MAX_S, _RESEND_S * 2**self._tries)
            self._tries += 1

    def acknowledged(self, ack: Ack) -> None:
        """Take the cloud's word that it stored everything up to a seq."""
        self._outbox.acknowledge(CLOUD, ack.epoch, ack.seq)
        if self._sent is not None and (ack.epoch != self._sent[0] or ack.seq >= self._sent[1]):
            self._sent = None
            self._tries = 0

    def _batch(self, rows: Sequence[SpoolRow]) -> EventBatch:
        items = tuple(item for row in rows if (item := _batch_item(row, pictures=self._pictures)) is not None)
        first = rows[0].seq
        dropped = tuple(gap for gap in self._outbox.dropped() if gap.last_seq < first)
        return EventBatch(device=self._topics.device, epoch=self._outbox.epoch, items=items, dropped=dropped)


def _fit(rows: Sequence[SpoolRow], *, pictures: bool) -> list[SpoolRow]:
    """Return the first rows that make a batch of bearable size; at least one."""
    fitting: list[SpoolRow] = []
    size = 0
    for row in rows:
        size += len(row.item.document) + (len(row.item.thumbnail or b"") * 4 // 3 if pictures else 0)
        if fitting and size > _BATCH_BYTES:
            break
        fitting.append(row)
    return fitting


def _batch_item(row: SpoolRow, *, pictures: bool) -> BatchItem | None:
    picture = row.item.thumbnail if pictures else None
    text = base64.b64encode(picture).decode() if picture and len(picture) <= _PICTURE_BYTES else None
    try:
        event = Event.from_json(row.item.document)
        return BatchItem(seq=row.seq, event=event, thumbnail_jpeg_base64=text)
    except ValueError:
        _log.exception("event %d in the spool is not in its form; left out", row.seq)
        return None
