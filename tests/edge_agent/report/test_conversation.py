"""Reading and writing for paho, against a broker of a few lines."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

import pytest

from edge_agent.clock import Clock, SystemClock
from edge_agent.report.link import Broker, LinkEvents, Message, MqttLink
from tests.fakes.clock import FakeClock

CONNACK, PUBACK = b"\x20\x02\x00\x00", b"\x40\x02"
LARGE_BYTES = 8_000_000


class SlowBroker:
    """Takes one connection, reads nothing from it after CONNECT until told, and keeps what it read then."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.reading, self.heard = threading.Event(), bytearray()
        self.peer: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        self.peer, _ = self._listener.accept()
        self.peer.recv(1000)
        self.peer.sendall(CONNACK)
        self.reading.wait(60)
        with contextlib.suppress(OSError):
            while chunk := self.peer.recv(65_536):
                self.heard += chunk

    def close(self) -> None:
        self.reading.set()
        self._listener.close()
        if self.peer is not None:
            self.peer.close()


class World:
    """A link that is up."""

    def __init__(self, broker: SlowBroker, clock: Clock | None = None) -> None:
        self.up, self.down = threading.Event(), threading.Event()
        self.link = MqttLink(
            Broker("127.0.0.1", broker.port, "client", protocol="3.1.1"),
            will=Message("will", b"x"),
            subscriptions=(),
            clock=clock or SystemClock(),
            rng=random.Random(1),
        )
        self.why = ""
        self.link.start(LinkEvents(self.up.set, self._ended, lambda *_: None))
        assert self.up.wait(60)

    def _ended(self, why: str) -> None:
        self.why = why
        self.down.set()


@pytest.fixture
def broker() -> Iterator[SlowBroker]:
    broker = SlowBroker()
    yield broker
    broker.close()


def test_conversation_writes_in_the_thread_that_publishes(broker: SlowBroker) -> None:
    world = World(broker)
    connection = world.link._connection
    assert connection is not None
    client, senders = connection._client, list[str]()
    write = client.loop_write

    def noted() -> object:
        if client.want_write():
            senders.append(threading.current_thread().name)
        return write()

    client.loop_write = noted  # type: ignore[method-assign, assignment]
    assert world.link.publish(Message("t", b"news", qos=0))
    assert senders[0] == threading.current_thread().name
    world.link.stop()


def test_conversation_what_the_other_side_does_not_take_is_written_later(broker: SlowBroker) -> None:
    world, taken = World(broker), threading.Event()
    assert world.link.publish(Message("large", b"x" * LARGE_BYTES), lambda _taken: taken.set())
    assert world.link.publish(Message("small", b"after", qos=0))
    broker.reading.set()
    for _ in range(6000):
        if broker.heard.endswith(b"after"):
            break
        assert not world.down.wait(0.01)
    assert len(broker.heard) > LARGE_BYTES
    assert broker.heard.endswith(b"after")
    assert broker.peer is not None
    broker.peer.sendall(PUBACK + b"\x00\x01")
    assert taken.wait(60)
    world.link.stop()


def test_conversation_of_a_closed_socket_ends_and_says_so(broker: SlowBroker) -> None:
    world = World(broker)
    assert broker.peer is not None
    broker.peer.shutdown(socket.SHUT_RDWR)
    assert world.down.wait(60)
    assert not world.link.publish(Message("t", b"too late"))
    world.link.stop()


def test_conversation_with_a_side_that_takes_nothing_any_more_is_given_up(broker: SlowBroker) -> None:
    clock = FakeClock()
    world = World(broker, clock)
    assert world.link.publish(Message("large", b"x" * LARGE_BYTES))
    clock.advance(31.0)
    assert world.down.wait(60)
    assert world.why.startswith("nothing acknowledged")
    assert not broker.heard
    world.link.stop()


def test_conversation_of_many_publishers_sends_each_message_whole(broker: SlowBroker) -> None:
    world = World(broker)
    broker.reading.set()

    def publish(number: int) -> None:
        for count in range(50):
            world.link.publish(Message(f"from/{number}", b"<%d:%d>" % (number, count), qos=0))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    world.link.stop()
    for _ in range(6000):
        if broker.heard.count(b">") == 200:
            break
        threading.Event().wait(0.01)
    for number in range(4):
        places = [broker.heard.find(b"<%d:%d>" % (number, count)) for count in range(50)]
        assert places == sorted(places)
        assert places[0] >= 0
