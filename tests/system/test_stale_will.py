"""A will that a real broker publishes when its device has long been back; brokers of the older protocol."""

from __future__ import annotations

import random
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.actions.open_home import Home
from cloud.ingest.broker import BrokerAddress
from cloud.ingest.broker_config import iotcore_config
from cloud.ingest.handler import Handler
from cloud.ingest.live import LiveFeed
from cloud.ingest.subscriber import Subscriber
from cloud.processes import start_child, stop_child
from cloud.store import devices, events
from edge_agent.clock import SystemClock
from edge_agent.report.link import Broker, LinkEvents, Message, MqttLink
from edge_agent.wire.topics import SESSION_PROPERTY, Topics
from tests.cloud.homes import DEVICE, add_device, make_home
from tests.system.loop import wait_until
from tests.system.mosquitto import Mosquitto, free_port

pytestmark = pytest.mark.system

_CLOCK = SystemClock()
_AVAILABLE = Topics(DEVICE).available
_LIMIT_S = 60.0


class Cloud:
    """What the cloud knows of one device."""

    def __init__(self, home: Home, port: int) -> None:
        self._home = home
        self.news = LiveFeed()
        handler = Handler(home.database, home.clock, self.news, lambda correction: correction, "elfowl")
        self.subscriber = Subscriber(BrokerAddress("127.0.0.1", port), handler, _CLOCK, client_id="cloud")
        self.subscriber.start()
        wait_until(lambda: self.subscriber.is_connected, _LIMIT_S)

    def is_online(self) -> bool:
        with self._home.database.read() as session:
            return devices.find(session, DEVICE).online


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = make_home(tmp_path / "home")
    add_device(home)
    yield home
    home.database.close()


class Agent:
    """The agent's own connection, which says that it is there."""

    def __init__(self, port: int, client_id: str) -> None:
        self._said = threading.Event()
        will = Message(_AVAILABLE, b"offline", retain=True)
        broker = Broker("127.0.0.1", port, client_id)
        self.link = MqttLink(broker, will=will, subscriptions=(), clock=_CLOCK, rng=random.Random(1))
        self.link.start(LinkEvents(self._up, lambda _: None, lambda *_: None))
        assert self._said.wait(_LIMIT_S)

    def _up(self) -> None:
        online = Message(_AVAILABLE, b"online", retain=True)
        self.link.publish(online, lambda _: self._said.set())

    def leave(self) -> None:
        self.link.stop([Message(_AVAILABLE, b"offline", retain=True)])


def earlier_connection(port: int) -> Client:
    """Return a connection of the same device that is about to be found broken."""
    client = Client(CallbackAPIVersion.VERSION2, "before", protocol=MQTTProtocolVersion.MQTTv5)
    named = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    named.UserProperty = (SESSION_PROPERTY, "before")
    client.will_set(_AVAILABLE, b"offline", 1, retain=True, properties=named)
    is_in = threading.Event()
    client.on_connect = lambda *_: is_in.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert is_in.wait(_LIMIT_S)
    return client


def test_will_that_comes_after_the_device_is_back_is_ignored(home: Home, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    heard = threading.Event()
    cloud = Cloud(home, broker.port)
    try:
        before = earlier_connection(broker.port)
        now = Agent(broker.port, "now")
        wait_until(cloud.is_online, _LIMIT_S)
        ear = Client(CallbackAPIVersion.VERSION2, "ear")
        ear.on_message = lambda _c, _d, message: heard.set() if message.payload == b"offline" else None
        ear.connect("127.0.0.1", broker.port)
        ear.subscribe(_AVAILABLE, 1)
        ear.loop_start()
        line = before.socket()
        assert isinstance(line, socket.socket)
        before.reconnect_delay_set(3600, 3600)
        line.shutdown(socket.SHUT_RDWR)
        assert heard.wait(_LIMIT_S)
        # What comes after the will on the same way shows that the cloud has dealt with it.
        now.link.publish(Message(Topics(DEVICE).up_events, b"poison"))
        wait_until(lambda: bool(dead_letters(home)), _LIMIT_S)
        assert cloud.is_online()
        now.leave()
        wait_until(lambda: not cloud.is_online(), _LIMIT_S)
        for client in (before, ear):
            client.loop_stop()
    finally:
        cloud.subscriber.stop()
        broker.stop()


def dead_letters(home: Home) -> list[object]:
    with home.database.read() as session:
        return list(events.dead_letters(session))


def test_broker_of_the_older_protocol_is_spoken_to_in_its_own(home: Home, tmp_path: Path) -> None:
    pytest.importorskip("iotcore")
    config, port = tmp_path / "rumqttd.toml", free_port()
    config.write_text(iotcore_config(port))
    process = start_child([sys.executable, "-m", "cloud.ingest.iotcore_child", str(config)])
    try:
        cloud = Cloud(home, port)
        agent = Agent(port, "now")
        wait_until(cloud.is_online, _LIMIT_S)
        agent.leave()
        wait_until(lambda: not cloud.is_online(), _LIMIT_S)
        cloud.subscriber.stop()
    finally:
        stop_child(process)
