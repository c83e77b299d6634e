"""HTTP with a stranger ends where it has to."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import httpx
import pytest

from edge_agent.discover.bounded import BoundedTransport
from edge_agent.errors import CameraError
from tests.fakes.clock import FakeClock


def ask(response: httpx.Response, url: str = "http://192.0.2.7/", clock: FakeClock | None = None) -> bytes:
    clock = clock or FakeClock()

    def answer(_: httpx.Request) -> httpx.Response:
        clock.advance(3.0)
        return response

    bounded = BoundedTransport(httpx.MockTransport(answer), "192.0.2.7", clock, 10.0)
    with httpx.Client(transport=bounded, follow_redirects=True) as client:
        client.post(url)
        return client.post(url).content


def test_bounded_answer_of_a_camera_comes_through() -> None:
    assert ask(httpx.Response(200, content=b"<x/>")) == b"<x/>"


@pytest.mark.parametrize(
    ("response", "url", "said"),
    [
        (httpx.Response(302, headers={"Location": "http://192.0.2.7/x"}), "http://192.0.2.7/", "elsewhere"),
        (httpx.Response(200, content=b"a" * 500_001), "http://192.0.2.7/", "more than 500000 bytes"),
        (
            httpx.Response(200, content=gzip.compress(b"a" * 9), headers={"Content-Encoding": "gzip"}),
            "http://192.0.2.7/",
            "packed form",
        ),
        (httpx.Response(200), "http://192.0.2.8/", "another machine"),
    ],
)
def test_bounded_answer_of_a_stranger_is_refused(response: httpx.Response, url: str, said: str) -> None:
    with pytest.raises(CameraError, match=rf"192\.0\.2\.7: .*{said}.*; "):
        ask(response, url)


def test_bounded_time_over_ends_it() -> None:
    clock = FakeClock()
    with pytest.raises(CameraError, match="takes too long"):
        ask(httpx.Response(200, stream=Dripping(clock)), clock=clock)


class Dripping(httpx.SyncByteStream):
    """Gives a byte every second, for ever."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self._clock.advance(1.0)
            yield b"a"
