"""Sends what lies in the outbox, again and again with back-off until it arrives or was tried often enough.

A message is taken in one transaction, sent outside of any, and noted in a second one. Whoever dies between
has it sent again after the lease: nothing is lost; what arrived in just that moment comes twice, with the
same id.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.notify.answers import Answers
from cloud.notify.channels import Channel, Message
from cloud.notify.message import body_of, title_of
from cloud.notify.outbox import note_events
from cloud.notify.picture import alert_picture
from cloud.store import alerts
from cloud.store.alerts import Due
from cloud.store.database import Database
from cloud.store.tables import EventState, Thumbnail
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.wire.event import Event

_LOG = logging.getLogger(__name__)
_POLL_S = 1.0
_AT_ONCE = 8


@dataclass(frozen=True)
class Patience:
    """How long a message is tried: again after `first_s`, then twice as long each time, up to `longest_s`.

    As it stands, that is about a day. A message whose sender died is tried again after `lease_s`, which is
    longer than any sending takes.
    """

    first_s: float = 2.0
    longest_s: float = 300.0
    most_attempts: int = 300
    lease_s: float = 60.0


def again_s(patience: Patience, attempts: int) -> float | None:
    """Return after how many seconds to try again, none when it was tried often enough."""
    if attempts >= patience.most_attempts:
        return None
    return min(patience.longest_s, patience.first_s * 2.0 ** (attempts - 1))


class AlertSender:
    """Empties the outbox: one thread looks into it, some send, so that a slow address holds up no other."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channel: Channel,
        patience: Patience | None = None,
        answers: Answers | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channel = channel
        self._patience = patience or Patience()
        self._answers = answers
        self._news = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="alert")
        self._under_way: set[Future[None]] = set()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End once what is being sent has arrived or failed."""
        self._ending = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()

    def note(self, session: Session, events: Sequence[Event], now_s: float) -> None:
        """Put the messages that events cause into the outbox, in the session that stores the events."""
        note_events(session, events, now_s)

    def hurry(self) -> None:
        """Look into the outbox now: something new may lie there."""
        self._news.set()

    def send_due(self) -> int:
        """Send what is due and wait for it; return how many messages were tried."""
        begun = self._begin()
        wait(begun)
        return len(begun)

    def _run(self) -> None:
        while not self._ending:
            self._news.clear()
            try:
                begun = self._begin()
            except ElfowlError as error:
                _LOG.error("alerts wait: %s", error)
                begun = []
            if not begun:
                self._news.wait(_POLL_S)

    def _begin(self) -> list[Future[None]]:
        """Take what is due, as far as there are hands free, and begin to send it."""
        self._under_way = {one for one in self._under_way if not one.done()}
        free, now_s = _AT_ONCE - len(self._under_way), self._clock.now_s()
        with self._database.read() as session:
            if free == 0 or not alerts.any_due(session, now_s):
                return []
        with self._database.write(durable=True) as session:
            claimed = alerts.claim_due(session, now_s, lease_s=self._patience.lease_s, limit=free)
        begun = [self._pool.submit(self._send, due) for due in claimed]
        for one in begun:
            one.add_done_callback(self._done)
        self._under_way |= set(begun)
        return begun

    def _done(self, one: Future[None]) -> None:
        # Whatever went wrong, the message is tried again after its lease.
        if (error := one.exception()) is not None:
            _LOG.error("an alert could not be sent: %s", error)
        self._news.set()

    def _send(self, due: Due) -> None:
        try:
            self._channel.send(due.address, self._message(due))
        except ElfowlError as error:
            self._missed(due, error)
            return
        with self._database.write(durable=True) as session:
            alerts.note_sent(session, due.id, self._clock.now_s())

    def _missed(self, due: Due, error: ElfowlError) -> None:
        _LOG.warning("alert %r did not arrive: %s", due.rule_name, error)
        wait_s = None if isinstance(error, InputError) else again_s(self._patience, due.attempts)
        when_s = None if wait_s is None else self._clock.now_s() + wait_s
        with self._database.write(durable=True) as session:
            alerts.note_missed(session, due.id, str(error), when_s)

    def _message(self, due: Due) -> Message:
        with self._database.read() as session:
            states = [session.get(EventState, pair) for pair in due.events]
            pictures = [session.get(Thumbnail, pair) for pair in due.events[-1:]]
        events = [Event.from_json(state.body) for state in states if state is not None]
        jpeg = pictures[0].jpeg if pictures and pictures[0] is not None else None
        if jpeg is not None:
            jpeg = None if due.picture == "none" else alert_picture(jpeg, clear=due.picture == "clear")
        # An answer is about one event: a message of several has no buttons.
        asks = self._answers is not None and len(due.events) == len(events) == 1
        link = self._answers.link(due.id, self._clock.now_s()) if self._answers and asks else None
        return Message(title_of(due.rule_name, events), body_of(due.id, events), jpeg, link)
