"""The configurations of Mosquitto for a fleet bound what it holds, as the broker that elfowl starts does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.ingest.broker_config import mosquitto_config
from tests.system.mosquitto import Mosquitto

FOLDER = Path(__file__).parents[2] / "deploy" / "mosquitto"
FILES = ("mosquitto.conf", "container.conf")


def limits(text: str) -> dict[str, int]:
    """Return what bounds how much it holds."""
    lines = [line.split() for line in text.splitlines() if line.startswith(("max_", "memory_"))]
    return {name: int(value) for name, value in lines}


@pytest.mark.parametrize("name", FILES)
def test_broker_of_a_fleet_bounds_each_client_as_the_built_in_one_and_all_together(name: str) -> None:
    found = limits((FOLDER / name).read_text())
    built_in = limits(mosquitto_config(1883, Path("/broker"), "me"))
    assert built_in.items() <= found.items()
    assert found["memory_limit"] > found["max_queued_bytes"] > found["max_packet_size"]


@pytest.mark.system
@pytest.mark.parametrize("name", FILES)
def test_broker_with_these_limits_refuses_a_packet_that_is_too_large(name: str, tmp_path: Path) -> None:
    found = limits((FOLDER / name).read_text())
    broker = Mosquitto(tmp_path, *(f"{limit} {value}" for limit, value in found.items()))
    broker.start()
    came_in, is_out = threading.Event(), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: came_in.set()
    client.on_disconnect = lambda *_: is_out.set()
    try:
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        assert came_in.wait(60.0)
        client.publish("elfowl/door/events", bytes(found["max_packet_size"]), qos=1)
        assert is_out.wait(60.0)
    finally:
        client.loop_stop()
        broker.stop()
