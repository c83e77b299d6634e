"""Simulated devices at a real Mosquitto: they say that they are there, hear hints, and say goodbye."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.agent.simulated_link import open_link, say_goodbye
from edge_agent.clock import SystemClock
from edge_agent.update.identity import Enrolment, Identity
from edge_agent.wire.sync import DesiredHint, MqttAccess
from edge_agent.wire.topics import Topics
from tests.system.agents import retained
from tests.system.loop import wait_until
from tests.system.mosquitto import Mosquitto

pytestmark = pytest.mark.system

_LIMIT_S = 60.0
_TOPICS = Topics("sim-1")


def test_simulated_device_says_that_it_is_there_and_looks_when_hinted(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    enrolment = Enrolment(
        device="sim-1",
        cloud_url="http://cloud/",
        mqtt=MqttAccess(host="127.0.0.1", port=broker.port),
        tuf_root="{}",
        tuf_metadata_url="http://cloud/m/",
        tuf_targets_url="http://cloud/t/",
    )
    identity = Identity(enrolment, Ed25519PrivateKey.generate())
    looks = threading.Semaphore(0)
    try:
        link = open_link(identity, looks.release, SystemClock(), random.Random(1))
        assert looks.acquire(timeout=_LIMIT_S)
        wait_until(lambda: retained(broker.port).get(_TOPICS.available) == b"online", _LIMIT_S)
        hinting = Client(CallbackAPIVersion.VERSION2)
        hinting.connect("127.0.0.1", broker.port)
        hinting.loop_start()
        hinting.publish(_TOPICS.down_desired, DesiredHint(version=2).to_json(), qos=1)
        assert looks.acquire(timeout=_LIMIT_S)
        hinting.loop_stop()
        say_goodbye(identity, link)
        assert retained(broker.port)[_TOPICS.available] == b"offline"
    finally:
        broker.stop()
