"""Webhooks: signed, one by one, again until they are taken, and never for ever."""

from __future__ import annotations

import hashlib
import hmac
import queue
from pathlib import Path

import httpx
import pytest

from edge_agent.report.outbox import Outbox
from edge_agent.report.spool import SpoolItem
from edge_agent.report.webhooks import Verdict, Webhook, WebhookTarget, judge, pause_s, sign
from edge_agent.wire.event import Event, EventType
from tests.edge_agent.wire.examples import EVENT
from tests.fakes.clock import FakeClock

SECRET = "whoo"
DAY_S = 86_400.0


class Receiver:
    """Takes what is posted; answers from `answers` first, then 204."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.requests: queue.SimpleQueue[httpx.Request] = queue.SimpleQueue()

    def handle(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.put(request)
        answer = self.answers.pop(0) if self.answers else 204
        if answer is None:
            message = "no route to host"
            raise httpx.ConnectError(message)
        return httpx.Response(answer)

    def next(self) -> httpx.Request:
        return self.requests.get(timeout=60.0)


class Desk:
    """An outbox with one webhook, as the reporter has it."""

    def __init__(
        self, folder: Path, receiver: Receiver, events: tuple[EventType, ...] = ("new", "end")
    ) -> None:
        self.clock = FakeClock(now_s=EVENT.frame_time)
        target = WebhookTarget("house", "http://127.0.0.1:1/x", SECRET, events, DAY_S)
        self.outbox = Outbox(
            folder / "spool.sqlite", consumers=[target.consumer], max_bytes=1_000_000, clock=self.clock
        )
        client = httpx.Client(transport=httpx.MockTransport(receiver.handle))
        self.webhook = Webhook(target, self.outbox, self.clock, client)
        self.settled: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()

    def append(self, *kinds: EventType, age_s: float = 0.0) -> None:
        for kind in kinds:
            event = EVENT.model_copy(update={"event_type": kind, "frame_time": EVENT.frame_time - age_s})
            self.outbox.append([SpoolItem("elfowl/porch/cam/door/event", event.to_json())])

    def start(self) -> None:
        self.webhook.start(lambda _consumer, epoch, seq: self.settled.put((epoch, seq)))
        self.webhook.pump()

    def settle(self, count: int) -> None:
        for _ in range(count):
            self.webhook.done(*self.settled.get(timeout=60.0))

    def close(self) -> None:
        self.webhook.stop()
        self.outbox.close()


def test_event_is_posted_signed_and_forgotten_once_taken(tmp_path: Path) -> None:
    receiver = Receiver()
    desk = Desk(tmp_path, receiver)
    desk.append("new")
    desk.start()
    request = receiver.next()
    assert Event.from_json(request.content).id == EVENT.id
    signed = f"{request.headers['X-Elfowl-Timestamp']}.".encode() + request.content
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["X-Elfowl-Signature"] == f"sha256={expected}"
    desk.settle(1)
    assert desk.outbox.depth() == 0
    desk.close()


@pytest.mark.parametrize("answer", [None, 500, 429])
def test_event_not_taken_is_posted_again_in_order_with_the_same_delivery(
    tmp_path: Path, answer: int | None
) -> None:
    receiver = Receiver(answer)
    desk = Desk(tmp_path, receiver)
    desk.append("new", "end")
    desk.start()
    posts = [receiver.next() for _ in range(3)]
    deliveries = [post.headers["X-Elfowl-Delivery"] for post in posts]
    assert deliveries[0] == deliveries[1] != deliveries[2]
    desk.settle(2)
    assert desk.outbox.depth() == 0
    desk.close()


def test_event_not_taken_before_a_restart_is_posted_after_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Receiver(503, 503, 503))
    desk.append("new")
    desk.start()
    desk.close()
    receiver = Receiver()
    again = Desk(tmp_path, receiver)
    again.start()
    assert Event.from_json(receiver.next().content).id == EVENT.id
    again.settle(1)
    again.close()


def test_events_refused_unwanted_or_too_old_hold_nothing_up(tmp_path: Path) -> None:
    receiver = Receiver(400)
    desk = Desk(tmp_path, receiver)
    desk.append("new", "update")
    desk.append("end", age_s=DAY_S + 1.0)
    desk.append("end")
    desk.start()
    desk.settle(4)
    kinds = [Event.from_json(receiver.next().content).event_type for _ in range(2)]
    assert kinds == ["new", "end"]
    assert receiver.requests.empty()
    assert desk.outbox.depth() == 0
    desk.close()


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, "taken"),
        (204, "taken"),
        (302, "again"),
        (401, "refused"),
        (408, "again"),
        (429, "again"),
        (502, "again"),
    ],
)
def test_status_is_judged(status: int, verdict: Verdict) -> None:
    assert judge(status) == verdict


def test_pauses_grow_to_minutes_and_stay_there() -> None:
    pauses = [pause_s(tries) for tries in range(1, 20)]
    assert pauses[0] == 1.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 300.0


def test_signature_changes_with_time_and_body() -> None:
    assert len({sign(SECRET, 1, b"a"), sign(SECRET, 2, b"a"), sign(SECRET, 1, b"b"), sign("x", 1, b"a")}) == 4
