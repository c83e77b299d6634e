"""Headers end somewhere: who sends them for ever is hung up on, however it cuts them; bodies may be long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from cloud.api.bounded_http import MOST_HEAD_BYTES, BoundedHttp
from tests.fakes.frame_source import until

_PATIENCE_S = 30.0
_HEAD = b"POST /a HTTP/1.1\r\nHost: here\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_MANY = 20_000
"""Pieces of a kilobyte that are sent at most."""


async def tell_size(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)} bytes")(scope, receive, send)


@contextmanager
def connected() -> Iterator[socket.socket]:
    """Serve, and connect to it."""
    config = uvicorn.Config(tell_size, port=0, http=BoundedHttp, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    door = config.bind_socket()
    thread = threading.Thread(target=server.run, args=([door],))
    thread.start()
    assert until(lambda: server.started, _PATIENCE_S)
    try:
        with socket.create_connection(door.getsockname(), timeout=_PATIENCE_S) as connection:
            yield connection
    finally:
        server.should_exit = True
        thread.join()
        door.close()


def answer(connection: socket.socket) -> bytes:
    """Return what comes until the answer is whole, or the other side hangs up."""
    heard = b""
    while b"bytes" not in heard:
        try:
            piece = connection.recv(65_536)
        except ConnectionError:
            break
        if not piece:
            break
        heard += piece
    return heard


def pour(connection: socket.socket, start: bytes, piece: bytes) -> int:
    """Send a piece again and again until the other side hangs up; return how many it took."""
    connection.sendall(start)
    for count in range(_MANY):
        try:
            connection.sendall(piece)
        except ConnectionError:
            return count
    return _MANY


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"POST /", b"a" * 1000),
        (_HEAD, b"X-One: " + b"a" * 1000 + b"\r\n"),
        (_HEAD + b"X-Long: ", b"a" * 1000),
        (_HEAD + b"X-", b"a" * 1000),
        (_CHUNKED + b"1\r\na\r\n0\r\nX-Trailer: ", b"a" * 1000),
        (_CHUNKED + b"1\r\na\r\n0\r\n", b"X-Trailer: " + b"a" * 1000 + b"\r\n"),
        (_CHUNKED + b"1; ", b"a" * 1000),
    ],
    ids=["address", "headers", "value", "name", "trailer", "trailers", "extension"],
)
def test_headers_without_an_end_are_hung_up_on(start: bytes, piece: bytes) -> None:
    with connected() as connection:
        # Beside what the server takes, buffers of sockets hold some megabytes.
        assert pour(connection, start, piece) < _MANY


def test_headers_that_are_too_long_are_told_so() -> None:
    with connected() as connection:
        connection.sendall(_HEAD + b"X-Long: " + b"a" * MOST_HEAD_BYTES)
        heard = answer(connection)
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"more than 65536 bytes" in heard


def test_requests_whose_headers_are_nearly_too_long_are_answered_one_after_another() -> None:
    head = _HEAD + b"X-Long: " + b"a" * (MOST_HEAD_BYTES - 200) + b"\r\nContent-Length: 3\r\n\r\n"
    with connected() as connection:
        for _ in range(3):
            connection.sendall(head)
            connection.sendall(b"abc")
            assert answer(connection).endswith(b"3 bytes")


def test_body_longer_than_headers_may_be_is_taken() -> None:
    with connected() as connection:
        connection.sendall(_HEAD + b"Content-Length: 3000000\r\n\r\n")
        connection.sendall(bytes(3_000_000))
        assert answer(connection).endswith(b"3000000 bytes")


def test_body_in_many_small_chunks_is_taken() -> None:
    with connected() as connection:
        connection.sendall(_CHUNKED)
        for _ in range(300):
            connection.sendall(b"3e8\r\n" + bytes(1000) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert answer(connection).endswith(b"300000 bytes")
