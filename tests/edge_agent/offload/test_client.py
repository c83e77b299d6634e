"""The offload client: answers, failures, deadlines, and never in the way."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge_agent.camera.frame import Frame
from edge_agent.errors import ElfowlError, LinkError, ProtocolError
from edge_agent.offload.client import OffloadClient, OffloadSite, Question, cut
from edge_agent.offload.quota import ByteQuota
from edge_agent.pipeline.result import OffloadWanted
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.offload import OffloadReply, OffloadRequest
from tests.fakes.clock import FakeClock

REF = DetectorRef(id="d1", name="persons", version=2)


def question(camera: str = "front", number: int = 0) -> Question:
    frame = Frame(np.zeros((20, 40, 3), np.uint8), number, 1_800_000_000.0, 100.0)
    return Question(camera, OffloadWanted("unsure", frame, (0.0, 0.0, 0.5, 1.0), (1,), "event-1"), "d1", 2)


def parts_of(request: httpx.Request) -> dict[str, bytes]:
    head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    message = BytesParser().parsebytes(head + request.read())
    found: dict[str, bytes] = {}
    for part in message.get_payload():
        assert not isinstance(part, str)
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        found[str(name)] = payload
    return found


def answer(request: httpx.Request) -> httpx.Response:
    asked = OffloadRequest.from_json(parts_of(request)["request"])
    seen = Detection(label="person", score=0.9, box=(0.1, 0.1, 0.2, 0.2))
    reply = OffloadReply(request_id=asked.request_id, detector=REF, detections=(seen,), inference_ms=5.0)
    return httpx.Response(200, text=reply.to_json())


class Bench:
    def __init__(self, folder: Path, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        self.clock = FakeClock()
        self.requests: list[httpx.Request] = []
        self.encoded: list[Rgb] = []
        self.answers: queue.Queue[tuple[Question, OffloadReply]] = queue.Queue()

        def record(request: httpx.Request) -> httpx.Response:
            request.read()
            self.requests.append(request)
            return handler(request)

        self.client = OffloadClient(
            OffloadSite("http://cloud/", "porch", lambda: "token-1", timeout_ms=500),
            httpx.Client(transport=httpx.MockTransport(record)),
            encode=self._encode,
            quota=ByteQuota(folder / "quota.json", daily_bytes=100, clock=self.clock),
            clock=self.clock,
            on_answer=lambda asked, reply: self.answers.put((asked, reply)),
        )

    def _encode(self, rgb: Rgb) -> bytes:
        self.encoded.append(rgb)
        return b"0123456789"


def test_ask_sends_documented_parts_and_returns_reply(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)
    reply = bench.client.ask(question())
    assert reply.detections[0].label == "person"
    (request,) = bench.requests
    assert request.url == "http://cloud/api/v1/offload"
    assert request.headers["authorization"] == "Bearer token-1"
    parts = parts_of(request)
    asked = OffloadRequest.from_json(parts["request"])
    assert parts["image"] == b"0123456789"
    assert (asked.device, asked.camera, asked.reason, asked.event_id) == (
        "porch",
        "front",
        "unsure",
        "event-1",
    )
    assert (asked.deadline_ms, asked.crop) == (500, (0.0, 0.0, 0.5, 1.0))
    assert bench.encoded[0].shape == (20, 20, 3), "only the part that was asked about"
    assert (bench.client.counts.requests, bench.client.counts.answers, bench.client.counts.bytes_sent) == (
        1,
        1,
        10,
    )


def refuse(_request: httpx.Request) -> httpx.Response:
    message = "refused"
    raise httpx.ConnectError(message)


def time_out(_request: httpx.Request) -> httpx.Response:
    message = "slow"
    raise httpx.ReadTimeout(message)


FAILURES = [
    pytest.param(refuse, LinkError, id="unreachable"),
    pytest.param(time_out, LinkError, id="timeout"),
    pytest.param(lambda _: httpx.Response(503), LinkError, id="busy"),
    pytest.param(lambda _: httpx.Response(401), LinkError, id="not authorized"),
    pytest.param(lambda _: httpx.Response(200, text="<html>"), ProtocolError, id="not JSON"),
    pytest.param(lambda _: httpx.Response(200, text="{}"), ProtocolError, id="no reply"),
    pytest.param(lambda _: httpx.Response(200, content=b"x" * 2_000_000), ProtocolError, id="endless"),
    pytest.param(
        lambda _: httpx.Response(
            200,
            text=OffloadReply(request_id="other", detector=REF, detections=(), inference_ms=1.0).to_json(),
        ),
        ProtocolError,
        id="another question's",
    ),
]


@pytest.mark.parametrize(("handler", "error"), FAILURES)
def test_ask_failure_is_an_error_never_an_empty_answer(
    tmp_path: Path, handler: Callable[[httpx.Request], httpx.Response], error: type[ElfowlError]
) -> None:
    with pytest.raises(error):
        Bench(tmp_path, handler).client.ask(question())


def test_ask_answer_that_drips_past_the_deadline_is_too_late(tmp_path: Path) -> None:
    def drip(_request: httpx.Request) -> httpx.Response:
        def body() -> Iterator[bytes]:
            for _ in range(100):
                bench.clock.advance(0.3)
                yield b"x"

        return httpx.Response(200, content=body())

    bench = Bench(tmp_path, drip)
    with pytest.raises(LinkError, match="after 500 ms"):
        bench.client.ask(question())
    assert bench.clock.monotonic_s() < 102.0


def test_ask_over_quota_sends_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)
    for _ in range(10):
        bench.client.ask(question())
    with pytest.raises(LinkError, match="used up"):
        bench.client.ask(question())
    assert len(bench.requests) == 10
    assert not bench.client.permit("front", allowed=True).quota_left


def test_permit_opens_breaker_after_failures_and_tries_again_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path, refuse)
    for _ in range(3):
        assert bench.client.permit("front", allowed=True).granted
        bench.client._settle(question())
    assert bench.client.permit("front", allowed=True).breaker_open
    bench.client._settle(question())
    assert len(bench.requests) == 3, "while open nothing is asked"
    bench.clock.advance(5)
    assert bench.client.permit("front", allowed=True).granted


def test_permit_not_allowed_is_not_granted(tmp_path: Path) -> None:
    assert not Bench(tmp_path, answer).client.permit("front", allowed=False).granted


def test_thread_answers_and_of_each_camera_only_the_newest_waits(tmp_path: Path) -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        entered.set()
        assert go.wait(5)
        return answer(request)

    bench = Bench(tmp_path, slow)
    bench.client.start()
    bench.client.offer(question("front", 0))
    assert entered.wait(5)
    assert bench.client.permit("front", allowed=True).in_flight
    assert not bench.client.permit("back", allowed=True).in_flight
    for number in range(1, 4):
        bench.client.offer(question("front", number))
    bench.client.offer(question("back", 9))
    go.set()
    answered = [bench.answers.get(timeout=60)[0] for _ in range(3)]
    assert [(asked.camera, asked.wanted.frame.index) for asked in answered] == [
        ("front", 0),
        ("front", 3),
        ("back", 9),
    ]
    bench.client.stop()


def test_thread_survives_a_broken_encoder(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)
    bench.client._settle(Question("front", OffloadWanted("hot", None), "d1"))  # type: ignore[arg-type]
    assert bench.client.ask(question()).detector == REF


@pytest.mark.parametrize(
    ("box", "shape"),
    [((0, 0, 1, 1), (20, 40, 3)), ((1, 1, 1, 1), (1, 1, 3)), ((0.5, 0.25, 0.75, 0.5), (5, 10, 3))],
)
def test_cut_gives_part_of_the_picture(
    box: tuple[float, float, float, float], shape: tuple[int, ...]
) -> None:
    assert cut(np.zeros((20, 40, 3), np.uint8), box).shape == shape
