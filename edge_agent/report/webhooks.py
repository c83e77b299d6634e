"""Posts events to URLs of the owner: signed, one by one, again until they are taken, over restarts too.

What waits is in the spool, as for brokers: each webhook is a consumer of its own. Only what the other side
answered with 2xx, refused for good, or missed for longer than `give_up_after_s` is let go.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx

from edge_agent.clock import Clock
from edge_agent.report.outbox import Outbox
from edge_agent.wire.event import Event, EventType

_log = logging.getLogger(__name__)

_WINDOW = 20
_TIMEOUT_S = 10.0
_PAUSE_S = 1.0
_PAUSE_MAX_S = 300.0
_WORTH_ANOTHER_TRY = {408, 425, 429}

Verdict = Literal["taken", "refused", "again"]
PostDone = Callable[[str, str, int], None]
"""Takes (consumer, epoch, seq) from any thread and brings it to `Webhook.done` in the outbox's thread."""


@dataclass(frozen=True)
class WebhookTarget:
    """Where events go.

    Attributes:
        name: Tells it from others; a renamed webhook begins anew.
        url: Takes a POST of an event document.
        secret: Signs what is posted; none: not signed.
        events: Only these kinds of events are posted.
        give_up_after_s: Older events are not posted any more.
    """

    name: str
    url: str
    secret: str | None
    events: tuple[EventType, ...]
    give_up_after_s: float

    @property
    def consumer(self) -> str:
        """Return its name in the spool."""
        return f"webhook:{self.name}"


@dataclass(frozen=True)
class _Delivery:
    epoch: str
    seq: int
    document: str


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """Return the value of `X-Elfowl-Signature`: HMAC-SHA256 over `<timestamp>.<body>`."""
    message = f"{timestamp_s}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def judge(status: int) -> Verdict:
    """Return what an HTTP status means for an event."""
    if httpx.codes.is_success(status):
        return "taken"
    if httpx.codes.is_client_error(status) and status not in _WORTH_ANOTHER_TRY:
        return "refused"
    return "again"


def pause_s(tries: int) -> float:
    """Return how long to wait after so many tries in vain."""
    return min(_PAUSE_MAX_S, _PAUSE_S * 2.0 ** min(tries - 1, 12))


class Webhook:
    """Takes events from the spool to one URL; `pump` and `done` belong to the outbox's thread."""

    def __init__(
        self, target: WebhookTarget, outbox: Outbox, clock: Clock, http: httpx.Client | None = None
    ) -> None:
        """Prepare; `start` begins.

        Args:
            target: Where to.
            outbox: Where events wait; it must know the target's consumer.
            clock: Where times come from.
            http: Speaks HTTP; none: a client of its own.
        """
        self.target = target
        self._outbox = outbox
        self._clock = clock
        self._http = http or httpx.Client(timeout=_TIMEOUT_S)
        self._waiting: queue.SimpleQueue[_Delivery | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._post_done: PostDone = lambda _consumer, _epoch, _seq: None
        self._thread = threading.Thread(target=self._run, name=target.consumer, daemon=True)
        self._epoch, self._last_seq, self._under_way = outbox.epoch, 0, 0

    def start(self, post_done: PostDone) -> None:
        """Begin to post; `post_done` is called from the webhook's thread."""
        self._post_done = post_done
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was not taken is posted after the next start."""
        self._stopping.set()
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(1.0)

    def pump(self) -> None:
        """Hand over more events, as long as few are under way."""
        if self._outbox.epoch != self._epoch:
            self._epoch, self._last_seq, self._under_way = self._outbox.epoch, 0, 0
        room = _WINDOW - self._under_way
        if room <= 0:
            return
        for row in self._outbox.read(self.target.consumer, after_seq=self._last_seq, limit=room):
            self._waiting.put(_Delivery(self._epoch, row.seq, row.item.document))
            self._last_seq = row.seq
            self._under_way += 1

    def done(self, epoch: str, seq: int) -> None:
        """Note that an event is settled."""
        if epoch == self._epoch:
            self._under_way -= 1
            self._outbox.acknowledge(self.target.consumer, epoch, seq)

    def _run(self) -> None:
        while not self._stopping.is_set():
            delivery = self._waiting.get()
            if delivery is None:
                return
            if self._settle(delivery):
                self._post_done(self.target.consumer, delivery.epoch, delivery.seq)

    def _settle(self, delivery: _Delivery) -> bool:
        """Post until the event is settled; return false when stopped before."""
        try:
            event = Event.from_json(delivery.document)
        except ValueError:
            return True
        if event.event_type not in self.target.events:
            return True
        tries = 0
        while not self._stopping.is_set():
            if self._clock.now_s() - event.frame_time > self.target.give_up_after_s:
                _log.warning("webhook %s: gave up on event %s", self.target.name, event.id)
                return True
            verdict, reason = self._post(delivery)
            if verdict != "again":
                if verdict == "refused":
                    _log.warning("webhook %s refused event %s: %s", self.target.name, event.id, reason)
                return True
            tries += 1
            wait_s = pause_s(tries)
            if tries == 1:
                _log.warning("webhook %s: %s; trying again", self.target.name, reason)
            self._stopping.wait(wait_s)
        return False

    def _post(self, delivery: _Delivery) -> tuple[Verdict, str]:
        body, now_s = delivery.document.encode(), int(self._clock.now_s())
        headers = {
            "Content-Type": "application/json",
            # The same for each try, so that a receiver can tell a repetition.
            "X-Elfowl-Delivery": f"{delivery.epoch}-{delivery.seq}",
            "X-Elfowl-Timestamp": str(now_s),
        }
        if self.target.secret is not None:
            headers["X-Elfowl-Signature"] = sign(self.target.secret, now_s, body)
        try:
            status = self._http.post(self.target.url, content=body, headers=headers).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return "again", type(error).__name__
        return judge(status), f"HTTP {status}"
