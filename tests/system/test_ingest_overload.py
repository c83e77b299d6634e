"""More events than the cloud can take: it refuses what finds no room, and answers only what is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import func, select

from cloud.actions.open_home import Home
from cloud.ingest.broker import Broker, BrokerAddress, choose_broker, find_mosquitto
from cloud.ingest.handler import Handler, Incoming, Outgoing
from cloud.ingest.inbox import Inbox
from cloud.ingest.live import LiveFeed
from cloud.ingest.subscriber import Subscriber
from cloud.settings import Settings
from cloud.store.tables import StoredEvent
from edge_agent.clock import SystemClock
from edge_agent.wire.sync import Ack, BatchItem, EventBatch
from edge_agent.wire.topics import Topics
from tests.cloud.homes import add_device, batch, item, make_home
from tests.fakes.frame_source import until

pytestmark = pytest.mark.system

_CLOCK = SystemClock()
_ROOM = 5
_BATCHES = 4
_NAMES = [f"d{number}" for number in range(10)]
_AGAIN_S = 0.5


class WatchedInbox(Inbox):
    """Counts what is offered, and how much waits at most."""

    def __init__(self) -> None:
        super().__init__(most=_ROOM)
        self.offered = self.refused = 0

    def offer(self, message: Incoming) -> bool:
        was_taken = super().offer(message)
        self.offered += 1
        self.refused += not was_taken
        return was_taken


class HeldHandler(Handler):
    """Stores nothing before it may, as behind a disk that hangs."""

    def __init__(self, home: Home) -> None:
        super().__init__(home.database, _CLOCK, LiveFeed(), lambda said: said, "elfowl")
        self.may_go = threading.Event()

    def handle(self, messages: list[Incoming]) -> list[Outgoing]:
        self.may_go.wait()
        return super().handle(messages)


class Crowd:
    """Devices that share one connection: each sends its next batch, again and again until it is answered."""

    def __init__(self, address: BrokerAddress) -> None:
        self.acked = dict.fromkeys(_NAMES, 0)
        self.is_subscribed = threading.Event()
        self._sent_s = 0.0
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe(Topics("+").down_ack, 1)
        self.client.on_subscribe = lambda *_: self.is_subscribed.set()
        self.client.on_message = self._hear
        self.client.connect(address.host, address.port)
        self.client.loop_start()

    def send(self, name: str, seq: int) -> None:
        event = item(seq, seq).event.model_copy(update={"device": name})
        changes = {"device": name, "items": (BatchItem(seq=seq, event=event),)}
        sent: EventBatch = batch(oldest_seq=1).model_copy(update=changes)
        self.client.publish(Topics(name).up_events, sent.to_json(), qos=1)

    def is_done(self) -> bool:
        """Send what waits anew from time to time; return whether all is acknowledged."""
        waiting = {name: seq for name, seq in self.acked.items() if seq < _BATCHES}
        if waiting and _CLOCK.monotonic_s() - self._sent_s > _AGAIN_S:
            self._sent_s = _CLOCK.monotonic_s()
            for name, seq in waiting.items():
                self.send(name, seq + 1)
        return not waiting

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        name = message.topic.split("/")[1]
        self.acked[name] = max(self.acked[name], Ack.from_json(bytes(message.payload)).seq)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    broker = choose_broker(Settings(home=tmp_path, broker_port=0), _CLOCK)
    broker.start(_CLOCK)
    yield broker
    broker.stop()


def stored(home: Home) -> dict[str, list[int]]:
    with home.database.read() as session:
        return {
            name: list(
                session.scalars(
                    select(StoredEvent.seq).where(StoredEvent.device == name).order_by(StoredEvent.seq)
                )
            )
            for name in _NAMES
        }


def test_cloud_that_is_flooded_refuses_answers_only_what_it_stored_and_gets_the_rest_later(
    broker: Broker, tmp_path: Path
) -> None:
    home, inbox = make_home(tmp_path), WatchedInbox()
    for name in _NAMES:
        add_device(home, name)
    handler, crowd = HeldHandler(home), Crowd(broker.address)
    subscriber = Subscriber(broker.address, handler, _CLOCK, client_id="flooded", inbox=inbox)
    subscriber.start()
    assert subscriber.wait_connected(60.0)
    assert crowd.is_subscribed.wait(60.0)
    for seq in range(1, _BATCHES + 1):
        for name in _NAMES:
            crowd.send(name, seq)
    assert until(lambda: inbox.offered == _BATCHES * len(_NAMES))
    # One group is held by the handler, and as many wait as there is room for.
    assert inbox.offered - inbox.refused <= 2 * _ROOM
    assert set(crowd.acked.values()) == {0}
    handler.may_go.set()
    assert until(lambda: any(crowd.acked.values()))
    answered, there = dict(crowd.acked), stored(home)
    assert all(there[name][:seq] == list(range(1, seq + 1)) for name, seq in answered.items())
    assert until(crowd.is_done, timeout_s=180.0)
    subscriber.stop()
    crowd.client.loop_stop()
    with home.database.read() as session:
        documents = session.scalar(select(func.count()).select_from(StoredEvent))
    assert documents == _BATCHES * len(_NAMES)
    assert set(map(tuple, stored(home).values())) == {tuple(range(1, _BATCHES + 1))}
