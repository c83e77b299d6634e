"""What really goes over the wire, by every kind of channel that is allowed: no details of a picture."""

from __future__ import annotations

import base64
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud.ingest.handler import Handler, Incoming
from cloud.ingest.live import LiveFeed
from cloud.notify.channels import AppriseChannel
from cloud.notify.desk import AlertDesk
from cloud.notify.rule import AlertRule
from cloud.notify.sender import AlertSender
from cloud.settings import Settings
from edge_agent.wire.topics import Topics
from tests.cloud.homes import DEVICE, add_device, batch, item, make_home
from tests.cloud.notify.pictures import largest_jump, pixels, striped
from tests.fakes.clock import FakeClock

CLEAR = striped(320, 180)
ALLOWED = Settings.model_fields["alert_schemes"].default
CHANNELS = {
    "json": "json://127.0.0.1:{port}/hook",
    "ntfy": "ntfy://127.0.0.1:{port}/a-topic",
    "hassio": "hassio://127.0.0.1:{port}/a-token",
    "mailto": "mailto://127.0.0.1:{port}?from=me@example.org&to=you@example.org&mode=insecure",
}


class _Wire(socketserver.StreamRequestHandler):
    """Speaks as much HTTP or SMTP as a sender needs, and keeps every byte that came."""

    heard: list[bytes]
    is_mail: bool
    timeout = 60.0

    def handle(self) -> None:
        if self.is_mail:
            self.mail()
        else:
            self.web()

    def web(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.rfile.readline()
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        self.heard.append(head + self.rfile.read(int(length[1]) if length else 0))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    def mail(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            self.heard.append(line)
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                while (line := self.rfile.readline()) != b".\r\n":
                    self.heard.append(line)
            self.wfile.write(b"250 good\r\n")
            if line.upper().startswith(b"QUIT"):
                return


@contextmanager
def listening(kind: str) -> Iterator[tuple[int, list[bytes]]]:
    heard: list[bytes] = []
    handler = type("Wire", (_Wire,), {"heard": heard, "is_mail": kind == "mailto"})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1], heard
        finally:
            server.shutdown()
            thread.join()


def jpegs_in(heard: bytes) -> list[bytes]:
    """Return every JPEG in what was sent, as it is or in base64, in one line or many."""
    found = [heard[at.start() :] for at in re.finditer(rb"\xff\xd8\xff", heard)]
    texts = re.findall(rb"/9j/[A-Za-z0-9+/=\r\n]+", heard)
    return found + [base64.b64decode(re.sub(rb"\s", b"", text) + b"==") for text in texts]


def sent(folder: Path, kind: str, picture: str) -> tuple[int, bytes]:
    """Let a camera send an event with a clear picture; return how many messages arrived, and their bytes."""
    clock = FakeClock()
    home = make_home(folder, clock)
    add_device(home)
    with listening(kind) as (port, heard):
        sender = AlertSender(home.database, clock, AppriseChannel(ALLOWED))
        rule = {"name": "door", "channels": [CHANNELS[kind].format(port=port)], "picture": picture}
        AlertDesk(home.database, clock, ALLOWED).add(AlertRule.model_validate(rule))
        handler = Handler(home.database, clock, LiveFeed(), lambda _: None, "elfowl", sender)
        thumbnail = base64.b64encode(CLEAR).decode()
        document = batch(item(1, thumbnail=thumbnail), oldest_seq=1).to_json().encode()
        handler.handle([Incoming(Topics(DEVICE).up_events, document)])
        tried = sender.send_due()
        with_errors = [row.error for row in AlertDesk(home.database, clock, ALLOWED).log()]
        assert with_errors == [None]
        sender.stop()
    home.database.close()
    return tried, b"".join(heard)


def test_every_kind_that_is_allowed_is_tried_here() -> None:
    assert {scheme.removesuffix("s") for scheme in ALLOWED} == {name.removesuffix("s") for name in CHANNELS}


@pytest.mark.parametrize("kind", CHANNELS)
def test_bytes_on_the_wire_hold_no_clear_picture_unless_it_was_chosen(tmp_path: Path, kind: str) -> None:
    tried, heard = sent(tmp_path, kind, "blurred")
    assert (tried, b"event-000001" in heard or b"event-000001" in _texts(heard)) == (1, True)
    pictures = jpegs_in(heard)
    # Notices of Home Assistant take no picture.
    assert len(pictures) == (0 if kind == "hassio" else 1)
    for jpeg in pictures:
        assert largest_jump(jpeg) < 8
        assert max(pixels(jpeg).shape) <= 320
    assert b"at home" not in heard
    assert CLEAR[:200] not in heard
    assert base64.b64encode(CLEAR)[:200] not in re.sub(rb"\s", b"", heard)


@pytest.mark.parametrize("kind", [kind for kind in CHANNELS if kind != "hassio"])
def test_bytes_on_the_wire_hold_the_clear_picture_that_was_chosen(tmp_path: Path, kind: str) -> None:
    _, heard = sent(tmp_path, kind, "clear")
    (jpeg,) = jpegs_in(heard)
    assert largest_jump(jpeg) > 150


def _texts(heard: bytes) -> bytes:
    """Return what stands in base64 in an e-mail."""
    blocks = re.findall(rb"(?:^|\n)((?:[A-Za-z0-9+/=]{4,}\r?\n)+)", heard)
    return b"\n".join(base64.b64decode(re.sub(rb"\s", b"", one) + b"==") for one in blocks)
