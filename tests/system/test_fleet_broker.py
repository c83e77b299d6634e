"""Accounts at a real Mosquitto: nobody hears or speaks for another, and who is out stays out."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from cloud.ingest.accounts import DynamicSecurity, asking, choose_accounts
from cloud.ingest.broker import BrokerAddress, choose_broker
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.errors import LinkError
from edge_agent.wire.sync import MqttAccess
from tests.system.mosquitto import Mosquitto

PLUGINS = tuple(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
ADMIN, SECRET = "elfowl", "an-admin-password"
CLOCK = SystemClock()
pytestmark = pytest.mark.system


class Guest:
    """A client that may or may not get in."""

    def __init__(self, access: MqttAccess, client_id: str | None = None) -> None:
        self.heard: list[str] = []
        self.code: ReasonCode | None = None
        self.refused: list[int] = []
        self._settled, self.is_out = threading.Event(), threading.Event()
        name = client_id or access.client_id
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set(access.username, access.password)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda _c, _d, _m, codes, _p: self.refused.extend(
            code.value for code in codes if code.is_failure
        )
        self.client.on_disconnect = lambda *_: self.is_out.set()
        self.client.connect(access.host, access.port, keepalive=15)
        self.client.loop_start()
        assert self._settled.wait(10.0)

    @property
    def is_in(self) -> bool:
        return self.code is not None and not self.code.is_failure

    def says(self, topic: str) -> int:
        """Publish, and return the broker's reason code."""
        told: list[int] = []
        done = threading.Event()

        def on_publish(_c: Client, _d: object, _m: int, code: ReasonCode, _p: object) -> None:
            told.append(code.value)
            done.set()

        self.client.on_publish = on_publish
        self.client.publish(topic, b"x", qos=1)
        assert done.wait(10.0)
        return told[0]

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, _c: Client, _d: object, _f: object, code: ReasonCode, _p: object) -> None:
        self.code = code
        self._settled.set()

    def _on_message(self, _c: Client, _d: object, message: MQTTMessage) -> None:
        self.heard.append(message.topic)


class Managed:
    """A broker whose accounts the cloud keeps."""

    def __init__(self, folder: Path) -> None:
        if not PLUGINS:
            pytest.skip("mosquitto has no dynamic security plugin here")
        file = folder / "dynamic-security.json"
        subprocess.run(
            ["mosquitto_ctrl", "dynsec", "init", str(file), ADMIN, SECRET], check=True, capture_output=True
        )
        self.broker = Mosquitto(
            folder, f"plugin {PLUGINS[0]}", f"plugin_opt_config_file {file}", "allow_anonymous false"
        )
        self.broker.start()
        address = BrokerAddress("127.0.0.1", self.broker.port, ADMIN, SECRET)
        self.accounts = DynamicSecurity(asking(address), ADMIN)
        self.accounts.prepare()

    def give(self, device: str) -> MqttAccess:
        return self.accounts.give(device, MqttAccess(host="127.0.0.1", port=self.broker.port))

    def cloud(self) -> Guest:
        access = MqttAccess(host="127.0.0.1", port=self.broker.port, username=ADMIN, password=SECRET)
        guest = Guest(access, "cloud")
        guest.client.subscribe("elfowl/#", 1)
        CLOCK.sleep(0.3)
        return guest


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Managed]:
    found = Managed(tmp_path)
    yield found
    found.broker.stop()


def test_device_speaks_for_itself_and_hears_only_what_is_for_it(managed: Managed) -> None:
    cloud, porch = managed.cloud(), Guest(managed.give("porch"))
    garden = Guest(managed.give("garden"))
    porch.client.subscribe([("elfowl/porch/down/#", 1)])
    CLOCK.sleep(0.3)
    assert porch.says("elfowl/porch/up/events") == 0
    foreign = ["elfowl/garden/up/events", "elfowl/porch/down/ack", "$CONTROL/dynamic-security/v1", "other"]
    assert [porch.says(topic) for topic in foreign] == [0x87] * 4
    cloud.says("elfowl/porch/down/ack")
    cloud.says("elfowl/garden/down/ack")
    CLOCK.sleep(0.5)
    assert porch.heard == ["elfowl/porch/down/ack"]
    assert {topic for topic in cloud.heard if "/up/" in topic} == {"elfowl/porch/up/events"}
    for guest in (cloud, porch, garden):
        guest.leave()


@pytest.mark.parametrize("filter_", ["#", "elfowl/#", "elfowl/+/up/events", "elfowl/garden/#", "$SYS/#"])
def test_filter_that_means_others_is_refused(managed: Managed, filter_: str) -> None:
    porch = Guest(managed.give("porch"))
    porch.client.subscribe(filter_, 1)
    CLOCK.sleep(0.5)
    assert porch.refused == [0x87]
    porch.leave()


def test_client_id_of_another_is_refused_and_its_owner_stays(managed: Managed) -> None:
    porch = Guest(managed.give("porch"))
    thief = Guest(managed.give("garden"), client_id="porch")
    assert porch.is_in
    assert not thief.is_in
    assert not porch.is_out.wait(1.0)
    assert not Guest(managed.give("attic").model_copy(update={"password": "wrong"})).is_in
    porch.leave()
    thief.leave()


def test_device_whose_account_is_taken_is_out_within_five_seconds_and_stays_out(managed: Managed) -> None:
    access = managed.give("porch")
    porch = Guest(access)
    assert porch.is_in
    managed.accounts.take("porch")
    assert porch.is_out.wait(5.0)
    porch.client.loop_stop()
    assert not Guest(access).is_in
    managed.accounts.take("porch")
    assert Guest(managed.give("porch")).is_in


def test_new_password_replaces_the_old_one(managed: Managed) -> None:
    first, second = managed.give("porch"), managed.give("porch")
    assert (Guest(first).is_in, Guest(second).is_in) == (False, True)


def test_broker_without_the_plugin_says_so(tmp_path: Path) -> None:
    plain = Mosquitto(tmp_path)
    plain.start()
    accounts = DynamicSecurity(asking(BrokerAddress("127.0.0.1", plain.port)), ADMIN)
    with pytest.raises(LinkError, match="does not answer as one with dynamic security"):
        accounts.prepare()
    plain.stop()
    with pytest.raises(LinkError, match="cannot be reached"):
        accounts.prepare()


def test_broker_of_our_own_lets_in_the_cloud_its_devices_and_home_only(tmp_path: Path) -> None:
    if not PLUGINS:
        pytest.skip("mosquitto has no dynamic security plugin here")
    settings = Settings(home=tmp_path, broker_port=0, broker_accounts="dynsec")
    broker = choose_broker(settings, CLOCK)
    broker.start(CLOCK)
    try:
        accounts = choose_accounts(settings, broker.address)
        accounts.prepare()
        open_door = MqttAccess(host="127.0.0.1", port=broker.address.port)
        porch = Guest(accounts.give("porch", open_door))
        password = (tmp_path / "broker" / "home-password").read_text().strip()
        home = Guest(open_door.model_copy(update={"username": "home", "password": password}), "assistant")
        stranger = Guest(open_door, "stranger")
        wrong = Guest(open_door.model_copy(update={"username": "home", "password": "home"}), "wrong")
        assert [porch.is_in, home.is_in, stranger.is_in, wrong.is_in] == [True, True, False, False]
        assert home.says("elfowl/porch/cam/front/detect/set") == 0x10
        assert {home.says("elfowl/porch/down/ack"), home.says("$CONTROL/dynamic-security/v1")} == {0x87}
        for guest in (porch, home, stranger, wrong):
            guest.leave()
    finally:
        broker.stop()
    again = choose_broker(settings, CLOCK)
    assert again.address.password == broker.address.password
    assert {path.stat().st_mode & 0o77 for path in (tmp_path / "broker").glob("*-password")} == {0}
