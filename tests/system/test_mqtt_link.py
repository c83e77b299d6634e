"""The MQTT link against a real Mosquitto: it comes back, and never pretends."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.clock import SystemClock
from edge_agent.report.link import Broker, LinkEvents, Message, MqttLink
from tests.system.mosquitto import Mosquitto

pytestmark = [pytest.mark.system, pytest.mark.slow]


class Peer:
    """A link and everything it told."""

    def __init__(self, port: int, name: str, *subscriptions: str, will: str = "gone") -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.ups = 0
        self.downs: list[str] = []
        self.changed = threading.Condition()
        self.link = MqttLink(
            Broker("127.0.0.1", port, name),
            will=Message(f"will/{name}", will.encode(), retain=True),
            subscriptions=subscriptions,
            clock=SystemClock(),
            rng=random.Random(1),
        )

    def start(self) -> Peer:
        self.link.start(LinkEvents(self._up, self._down, self._message))
        self.wait(lambda: self.ups > 0)
        return self

    def _up(self) -> None:
        with self.changed:
            self.ups += 1
            self.changed.notify_all()

    def _down(self, reason: str) -> None:
        with self.changed:
            self.downs.append(reason)
            self.changed.notify_all()

    def _message(self, topic: str, payload: bytes, _retained: bool) -> None:
        with self.changed:
            self.messages.append((topic, payload))
            self.changed.notify_all()
        if payload == b"poison":
            message = "a bug of ours"
            raise ValueError(message)

    def wait(self, condition: object, timeout_s: float = 15.0) -> None:
        assert callable(condition)
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def test_link_publishes_and_is_told_what_the_broker_took(broker: Mosquitto) -> None:
    ear = Peer(broker.port, "ear", "a/#").start()
    mouth = Peer(broker.port, "mouth").start()
    answers: list[bool] = []
    for number in range(300):
        assert mouth.link.publish(Message("a/b", str(number).encode()), answers.append)
    ear.wait(lambda: len(ear.messages) == 300)
    assert [int(payload) for _, payload in ear.messages] == list(range(300))
    mouth.link.stop()
    assert answers == [True] * 300
    assert not mouth.link.publish(Message("a/b", b"late"))
    ear.link.stop()


def test_link_survives_kill_of_the_broker_and_a_bug_in_a_callback(broker: Mosquitto) -> None:
    peer = Peer(broker.port, "peer", "a/#").start()
    peer.link.publish(Message("a/b", b"poison"))
    peer.wait(lambda: ("a/b", b"poison") in peer.messages)
    broker.kill()
    peer.wait(lambda: len(peer.downs) == 1)
    assert not peer.link.connected
    assert not peer.link.publish(Message("a/b", b"lost")), "nothing is taken while offline"
    broker.start()
    peer.wait(lambda: peer.ups == 2)
    time.sleep(0.3)
    peer.link.publish(Message("a/b", b"again"))
    peer.wait(lambda: ("a/b", b"again") in peer.messages)
    assert ("a/b", b"lost") not in peer.messages
    peer.link.stop()


def test_link_farewell_replaces_the_will(broker: Mosquitto) -> None:
    ear = Peer(broker.port, "ear", "will/#").start()
    peer = Peer(broker.port, "peer").start()
    peer.link.stop([Message("will/peer", b"bye", retain=True)])
    ear.wait(lambda: len(ear.messages) > 0)
    time.sleep(0.3)
    assert ear.messages == [("will/peer", b"bye")]
    ear.link.stop()


def test_link_waits_for_a_broker_that_comes_later(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    peer = Peer(broker.port, "peer")
    peer.link.start(LinkEvents(peer._up, peer._down, peer._message))
    time.sleep(0.3)
    assert not peer.link.connected
    broker.start()
    peer.wait(lambda: peer.ups == 1)
    assert peer.downs == []
    peer.link.stop()
    broker.stop()
