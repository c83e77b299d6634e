"""Which broker is used, and what is said when it cannot be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cloud.ingest.broker import (
    BrokerAddress,
    choose_broker,
    find_mosquitto,
    parse_broker,
    refuse_taken,
    with_free_broker_port,
)
from cloud.ingest.broker_config import iotcore_config, mosquitto_config
from cloud.settings import Settings
from edge_agent.errors import ConfigError
from tests.fakes.clock import FakeClock


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker.lan", BrokerAddress("broker.lan", 1883)),
        ("mqtt://127.0.0.1:1884", BrokerAddress("127.0.0.1", 1884)),
        ("mqtts://broker.lan", BrokerAddress("broker.lan", 8883, tls=True)),
        ("mqtt://me:secret@broker.lan:1", BrokerAddress("broker.lan", 1, "me", "secret")),
    ],
)
def test_broker_url_is_understood(url: str, address: BrokerAddress) -> None:
    assert parse_broker(url) == address


@pytest.mark.parametrize(
    "url", ["broker.lan", "http://broker.lan", "mqtt://", "mqtt://host:none", "mqtt://[", ""]
)
def test_broker_url_that_is_none_says_what_to_write(url: str) -> None:
    with pytest.raises(ConfigError, match="mqtt://HOST:PORT"):
        parse_broker(url)


def test_port_in_use_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"port {port}.*--broker mqtt://127.0.0.1:{port}.*--broker-port"
        ):
            choose_broker(Settings(home=tmp_path, broker_port=port), FakeClock())
        with pytest.raises(ConfigError, match=r"in use.*do this"):
            refuse_taken("127.0.0.1", port, "do this")


def test_existing_broker_is_not_started(tmp_path: Path) -> None:
    broker = choose_broker(Settings(home=tmp_path, broker="mqtt://127.0.0.1:1"), FakeClock())
    broker.start(FakeClock())
    assert (broker.kind, broker.process_id) == ("existing", None)


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_installed_mosquitto_is_preferred_and_configured_in_the_home_folder(tmp_path: Path) -> None:
    broker = choose_broker(Settings(home=tmp_path, broker_port=0), FakeClock())
    config = (tmp_path / "broker" / "mosquitto.conf").read_text()
    assert broker.kind == "mosquitto"
    assert f"listener {broker.address.port} 127.0.0.1\n" in config


@pytest.mark.parametrize(
    "config", [mosquitto_config(1884, Path("/home/me/broker"), "me"), iotcore_config(1884)]
)
def test_started_broker_listens_on_loopback_only_and_takes_large_packets(config: str) -> None:
    assert "127.0.0.1" in config
    assert "0.0.0.0" not in config
    assert "1884" in config
    assert "4194304" in config


def test_broker_port_that_is_taken_is_replaced_by_any_free_one(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings(home=tmp_path, broker_port=other.getsockname()[1])
        assert with_free_broker_port(settings).broker_port == 0
    assert with_free_broker_port(settings) == settings
