"""The MQTT link's choices, against brokers of a few lines."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import SystemClock
from edge_agent.report.link import Broker, LinkEvents, Message, MqttLink, backoff_s

V5, V311 = 5, 4


class OldBroker:
    """Speaks only MQTT 3.1.1: refuses version 5 with a CONNACK, or hangs up without a word."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.versions: list[int] = []
        self._peers: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            version = peer.recv(1000)[8]
            self.versions.append(version)
            if version == V311:
                peer.sendall(b"\x20\x02\x00\x00")
                self._peers.append(peer)
                continue
            if not self._silent:
                peer.sendall(b"\x20\x02\x00\x01")
            peer.close()

    def close(self) -> None:
        self._listener.close()
        for peer in self._peers:
            peer.close()


@pytest.fixture(params=[True, False], ids=["hangs up", "refuses"])
def old_broker(request: pytest.FixtureRequest) -> Iterator[OldBroker]:
    broker = OldBroker(silent=request.param)
    yield broker
    broker.close()


def test_link_falls_back_to_the_older_protocol(old_broker: OldBroker) -> None:
    up = threading.Event()
    link = MqttLink(
        Broker("127.0.0.1", old_broker.port, "client"),
        will=Message("will", b"x"),
        subscriptions=(),
        clock=SystemClock(),
        rng=random.Random(1),
    )
    link.start(LinkEvents(up.set, lambda _reason: None, lambda *_message: None))
    assert up.wait(20)
    assert old_broker.versions == [V5, V311]
    link.stop()


@given(st.integers(0, 10_000), st.integers(0, 2**32))
def test_backoff_grows_is_bound_and_never_zero(failures: int, seed: int) -> None:
    wait_s = backoff_s(failures, random.Random(seed))
    assert 0.5 <= wait_s <= 60.0
    if failures > 6:
        assert wait_s >= 30.0


def test_backoff_of_many_devices_is_spread() -> None:
    waits = sorted(backoff_s(3, random.Random(seed)) for seed in range(1000))
    assert waits[900] - waits[100] > 2.5
