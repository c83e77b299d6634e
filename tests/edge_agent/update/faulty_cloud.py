"""Serves a folder over an `httpx` transport, and does harm when told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from edge_agent.wire.target import PART_HEADER, PART_QUERY
from tests.edge_agent.update.publisher import BASE_URL
from tests.fakes.clock import FakeClock

_CHUNK_BYTES = 1000

Tamper = Callable[[bytes], bytes]


@dataclass
class Fault:
    """What goes wrong with files whose path contains `path`, for the next `times` requests."""

    path: str
    times: int = 1_000
    tamper: Tamper | None = None
    status: int | None = None
    cut_after_bytes: int | None = None
    endless: bool = False
    seconds_per_byte: float = 0.0
    ignores_range: bool = False
    refuses_range: bool = False
    wrong_range: bool = False
    knows_address: bool = True
    refuses_address: bool = False
    loses_header: bool = False
    ranges_of_parts: bool = False


@dataclass
class Request:
    """What was asked, and how many bytes were handed out."""

    path: str
    range_header: str | None
    address: int | None = None
    sent_bytes: int = 0


class _Body(httpx.SyncByteStream):
    def __init__(self, data: bytes, fault: Fault, request: Request, clock: FakeClock) -> None:
        self._data = data
        self._fault = fault
        self._request = request
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        size = 1 if self._fault.seconds_per_byte else _CHUNK_BYTES
        position = 0
        while position < len(self._data) or self._fault.endless:
            chunk = self._data[position : position + size] or b"\0" * size
            left = None if self._fault.cut_after_bytes is None else self._fault.cut_after_bytes - position
            if left is not None and left < len(chunk):
                self._request.sent_bytes += left
                yield chunk[:left]
                message = "connection reset by peer"
                raise httpx.ReadError(message)
            self._clock.advance(self._fault.seconds_per_byte * len(chunk))
            self._request.sent_bytes += len(chunk)
            yield chunk
            position += len(chunk)


@dataclass
class FaultyCloud(httpx.BaseTransport):
    """A web server without sockets."""

    folder: Path
    clock: FakeClock
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def client(self) -> httpx.Client:
        return httpx.Client(transport=self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = str(request.url.copy_with(query=None)).removeprefix(BASE_URL)
        address = request.url.params.get(PART_QUERY)
        asked = Request(path, request.headers.get("Range"), None if address is None else int(address))
        self.requests.append(asked)
        fault = self._fault_for(path)
        file = self.folder / path.lstrip("/")
        if fault.status is not None or not file.is_file():
            return httpx.Response(fault.status or 404)
        data = file.read_bytes()
        if fault.tamper is not None:
            data = fault.tamper(data)
        return self._answer(data, fault, asked)

    def downloaded_bytes(self, part: str) -> int:
        """Return how many bytes were handed out of files whose path contains `part`."""
        return sum(request.sent_bytes for request in self.requests if part in request.path)

    def _answer(self, data: bytes, fault: Fault, asked: Request) -> httpx.Response:
        status, headers = 200, {}
        by_address = asked.address if fault.knows_address else None
        by_range = None if fault.ignores_range else asked.range_header
        if by_address is not None:
            if fault.refuses_address:
                return httpx.Response(400)
            data = data[by_address:]
            headers = {} if fault.loses_header else {PART_HEADER: str(by_address)}
            headers["Content-Length"] = str(len(data))
        if by_range is not None and (by_address is None or fault.ranges_of_parts):
            start = int(by_range.removeprefix("bytes=").removesuffix("-"))
            if fault.refuses_range or start >= len(data):
                return httpx.Response(416)
            status = 206
            told = start + 1 if fault.wrong_range else start
            headers = {"Content-Range": f"bytes {told}-{len(data) - 1}/{len(data)}"}
            data = data[start:]
        return httpx.Response(status, headers=headers, stream=_Body(data, fault, asked, self.clock))

    def _fault_for(self, path: str) -> Fault:
        for fault in self.faults:
            if fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return Fault("")
