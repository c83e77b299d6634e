"""Brokers that the cloud starts: they come back when killed, and go with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.actions.open_home import Home
from cloud.ingest.broker import Broker, BrokerAddress, choose_broker, find_mosquitto, is_listening
from cloud.ingest.broker_config import iotcore_config
from cloud.ingest.handler import Handler
from cloud.ingest.live import LiveFeed
from cloud.ingest.subscriber import Subscriber
from cloud.processes import Supervisor, start_child
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.wire.sync import Ack
from edge_agent.wire.topics import Topics
from tests.cloud.homes import DEVICE, add_device, batch, item, make_home

CLOCK = SystemClock()
pytestmark = pytest.mark.system


def wait_until(condition: object, seconds: float = 90.0) -> bool:
    assert callable(condition)
    deadline_s = CLOCK.monotonic_s() + seconds
    while CLOCK.monotonic_s() < deadline_s:
        if condition():
            return True
        CLOCK.sleep(0.05)
    return False


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    broker = choose_broker(Settings(home=tmp_path, broker_port=0), CLOCK)
    broker.start(CLOCK)
    yield broker
    broker.stop()
    assert not is_listening(broker.address)


def test_broker_killed_is_started_again(broker: Broker) -> None:
    first = broker.process_id
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: broker.process_id not in {None, first} and is_listening(broker.address))


def test_iotcore_takes_a_large_packet_and_ends_with_its_pipe(tmp_path: Path) -> None:
    pytest.importorskip("iotcore")
    config = tmp_path / "rumqttd.toml"
    config.write_text(iotcore_config(18_839))
    process = start_child([sys.executable, "-m", "cloud.ingest.iotcore_child", str(config)])
    try:
        address = BrokerAddress("127.0.0.1", 18_839)
        assert wait_until(lambda: is_listening(address))
        heard = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2)
        client.on_connect = lambda client, *_: client.subscribe("large", 1)
        client.on_subscribe = lambda client, *_: client.publish("large", b"x" * 1_000_000, qos=1)
        client.on_message = lambda *_: heard.set()
        client.connect(address.host, address.port)
        client.loop_start()
        assert heard.wait(60.0)
        client.loop_stop()
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10.0) == 0


def test_foreign_child_ends_when_its_parent_is_killed() -> None:
    program = (
        "import sys; from cloud.processes import foreign, start_child; "
        "print(start_child(foreign('sleep', '60')).pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        # The wrapper must have become the program before its parent dies.
        assert wait_until(lambda: child.name() == "sleep")
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_supervisor_stopped_leaves_no_process_behind() -> None:
    supervisor = Supervisor("sleep", lambda: start_child(["sleep", "60"]), CLOCK)
    supervisor.start()
    process = psutil.Process(supervisor.process_id)
    supervisor.stop()
    assert not process.is_running()


class Device:
    """A camera's cloud connection: sends batches, hears acknowledgements."""

    def __init__(self, address: BrokerAddress) -> None:
        self.acks: list[Ack] = []
        self.is_subscribed = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe(Topics(DEVICE).down_ack, 1)
        self.client.on_subscribe = lambda *_: self.is_subscribed.set()
        self.client.on_message = lambda _c, _d, message: self.acks.append(
            Ack.from_json(bytes(message.payload))
        )
        self.client.connect(address.host, address.port)
        self.client.loop_start()

    def send(self, seq: int) -> None:
        payload = batch(item(seq, seq), oldest_seq=1).to_json()
        self.client.publish(Topics(DEVICE).up_events, payload, qos=1)


def make_subscriber(home: Home, address: BrokerAddress) -> Subscriber:
    handler = Handler(home.database, CLOCK, LiveFeed(), lambda _: None, "elfowl")
    return Subscriber(address, handler, CLOCK, client_id="cloud-under-test")


def test_events_sent_while_the_cloud_restarts_are_stored_and_acknowledged(
    broker: Broker, tmp_path: Path
) -> None:
    home = make_home(tmp_path)
    add_device(home)
    device = Device(broker.address)
    first = make_subscriber(home, broker.address)
    first.start()
    assert first.wait_connected(10.0)
    assert device.is_subscribed.wait(60.0)
    device.send(1)
    assert wait_until(lambda: [ack.seq for ack in device.acks] == [1])
    first.stop()
    device.send(2)
    device.client.publish(Topics(DEVICE).up_events, b"poison", qos=1)
    device.send(3)
    second = make_subscriber(home, broker.address)
    second.start()
    assert wait_until(lambda: device.acks[-1].seq == 3)
    second.stop()
    device.client.loop_stop()
