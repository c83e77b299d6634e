"""The MQTT link over TLS with client certificates, WebSockets, and both versions of MQTT."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from edge_agent.clock import SystemClock
from edge_agent.report.link import Broker, LinkEvents, Message, MqttLink
from tests.system.mosquitto import Mosquitto

pytestmark = [pytest.mark.system, pytest.mark.slow]


def tool(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an authority, and certificates of broker and client that it signed."""
    folder = tmp_path_factory.mktemp("papers")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    ca = folder / "ca"
    tool("req", "-x509", *key, "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", "/CN=owls", "-days", "2")
    for name in ("broker", "client"):
        files = folder / name
        tool("req", *key, "-keyout", f"{files}.key", "-out", f"{files}.csr", "-subj", f"/CN={name}")
        more = folder / f"{name}.ext"
        more.write_text("subjectAltName=IP:127.0.0.1\n")
        signed = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "2")
        tool("x509", "-req", "-in", f"{files}.csr", *signed, "-extfile", more, "-out", f"{files}.pem")
    # The broker gives up its rights before it reads them.
    for file in [folder, *folder.iterdir()]:
        file.chmod(0o755)
    return folder


@contextlib.contextmanager
def linked(broker: Broker) -> Iterator[Callable[[float], bytes | None]]:
    """Connect; gives a function that says something to itself and returns what came back, or none."""
    up, heard = threading.Event(), threading.Event()
    said: list[bytes] = []

    def hear(_topic: str, payload: bytes, _retained: bool) -> None:
        said.append(payload)
        heard.set()

    link = MqttLink(
        broker,
        will=Message("will", b"gone"),
        subscriptions=["owls/house/#"],
        clock=SystemClock(),
        rng=random.Random(1),
    )
    link.start(LinkEvents(up.set, lambda _reason: None, hear))

    def echo(timeout_s: float) -> bytes | None:
        if not up.wait(timeout_s):
            return None
        assert link.publish(Message("owls/house/x", b"whoo"))
        assert heard.wait(timeout_s)
        return said[0]

    yield echo
    link.stop()


@contextlib.contextmanager
def bridge(port: int) -> Iterator[int]:
    """Carry MQTT from WebSockets to a broker's plain port; gives the port of the WebSockets."""

    def carry(client: ServerConnection) -> None:
        with socket.create_connection(("127.0.0.1", port)) as broker:

            def back() -> None:
                with contextlib.suppress(OSError, ConnectionClosed):
                    while data := broker.recv(65_536):
                        client.send(data)

            threading.Thread(target=back, daemon=True).start()
            with contextlib.suppress(OSError, ConnectionClosed):
                for data in client:
                    assert isinstance(data, bytes)
                    broker.sendall(data)

    with serve(carry, "127.0.0.1", 0, subprotocols=[Subprotocol("mqtt")]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.socket.getsockname()[1])
        server.shutdown()


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
def test_link_speaks_the_version_that_it_is_told(tmp_path: Path, protocol: str) -> None:
    mosquitto = Mosquitto(tmp_path, "log_type all")
    mosquitto.start()
    with linked(Broker("127.0.0.1", mosquitto.port, "owl", protocol=protocol)) as echo:  # type: ignore[arg-type]
        assert echo(10.0) == b"whoo"
    mosquitto.stop()
    number = "p2" if protocol == "3.1.1" else "p5"
    assert f"as owl ({number}," in (tmp_path / "mosquitto.log").read_text()


def test_link_shows_its_certificate_to_a_broker_that_asks(tmp_path: Path, papers: Path) -> None:
    mosquitto = Mosquitto(
        tmp_path,
        f"cafile {papers}/ca.pem",
        f"certfile {papers}/broker.pem",
        f"keyfile {papers}/broker.key",
        "require_certificate true",
        "use_identity_as_username true",
    )
    mosquitto.start()
    stranger = Broker("127.0.0.1", mosquitto.port, "owl", tls=True, ca_file=papers / "ca.pem")
    known = replace(stranger, client_cert_file=papers / "client.pem", client_key_file=papers / "client.key")
    with linked(known) as echo:
        assert echo(10.0) == b"whoo"
    with linked(stranger) as echo:
        assert echo(2.0) is None
    with linked(replace(known, ca_file=papers / "client.pem")) as echo:
        assert echo(2.0) is None, "a broker that the authority did not sign is nobody's"
    with linked(replace(known, client_cert_file=papers / "missing.pem")) as echo:
        assert echo(1.0) is None
    mosquitto.stop()


def test_link_goes_over_websockets(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    with (
        bridge(mosquitto.port) as port,
        linked(Broker("127.0.0.1", port, "owl", websocket_path="/mqtt")) as echo,
    ):
        assert echo(10.0) == b"whoo"
    mosquitto.stop()
