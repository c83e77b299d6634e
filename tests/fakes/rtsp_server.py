"""A camera on the loopback interface: RTSP over TCP (interleaved RTP, H.264), with faults to switch on.

Small on purpose: one stream, one picture that moves, no RTCP, no UDP.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Self

import av
import numpy as np

_RTP_BYTES = 1400
_FPS = 15
_FRAMES = 30
_NAL_FRAGMENT = 28
_START_CODE = b"\x00\x00\x01"


class RtspServer:
    """Serves `rtsp://127.0.0.1:<port>/live` from a thread of its own; use as a context manager."""

    def __init__(
        self, *, width_px: int = 160, height_px: int = 120, login: tuple[str, str] | None = None
    ) -> None:
        self._pictures = _encoded(width_px, height_px)
        self._login = login
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._thawed = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self._thread = threading.Thread(target=self._loop.run_forever, name="rtsp-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def url(self) -> str:
        user = "{}:{}@".format(*self._login) if self._login else ""
        return f"rtsp://{user}127.0.0.1:{self.port}/live"

    def start(self) -> None:
        """Listen; after `kill` on the same port again."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)

    def kill(self) -> None:
        """Close everything at once, as when the camera loses power."""
        asyncio.run_coroutine_threadsafe(self._kill(), self._loop).result(5)

    def freeze(self, *, frozen: bool = True) -> None:
        """Keep connections, but send and answer nothing any more."""
        self._loop.call_soon_threadsafe(self._thawed.clear if frozen else self._thawed.set)

    async def _start(self) -> None:
        self._thawed.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _kill(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        self._writers.add(writer)
        self.connections += 1
        player: asyncio.Task[None] | None = None
        try:
            while request := await _read_request(reader):
                await self._thawed.wait()
                method, headers = request
                writer.write(self._answer(method, headers))
                if method == "PLAY" and player is None:
                    player = asyncio.create_task(self._play(writer))
                if method == "TEARDOWN":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            if player is not None:
                player.cancel()
                await asyncio.gather(player, return_exceptions=True)
            self._writers.discard(writer)
            writer.close()

    def _answer(self, method: str, headers: dict[str, str]) -> bytes:
        extra, body, status = "", "", "200 OK"
        if not self._is_allowed(headers):
            status, extra = "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"\r\n'
        elif method == "OPTIONS":
            extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        elif method == "DESCRIBE":
            body = self._sdp()
            extra = f"Content-Type: application/sdp\r\nContent-Base: {self.url}/\r\n"
        elif method == "SETUP":
            status, extra = _setup(headers.get("transport", ""))
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"RTSP/1.0 {status}\r\nCSeq: {headers.get('cseq', '0')}\r\nSession: 1\r\n"
        return (head + extra + length + "\r\n" + body).encode()

    def _is_allowed(self, headers: dict[str, str]) -> bool:
        if self._login is None:
            return True
        proof = base64.b64encode(":".join(self._login).encode()).decode()
        return headers.get("authorization") == f"Basic {proof}"

    def _sdp(self) -> str:
        sets = ",".join(base64.b64encode(nal).decode() for nal in self._pictures[0] if nal[0] & 31 in {7, 8})
        lines = [
            "v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "t=0 0", "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000", f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}",
            "a=control:track1",
        ]  # fmt: skip
        return "\r\n".join(lines) + "\r\n"

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        sequence = index = 0
        while True:
            await self._thawed.wait()
            for last, payload in _rtp_payloads(self._pictures[index % len(self._pictures)]):
                stamp = index * 90_000 // _FPS & 0xFFFFFFFF
                head = struct.pack(">BBHII", 0x80, 96 | (last << 7), sequence & 0xFFFF, stamp, 0x1234)
                writer.write(struct.pack(">BBH", 0x24, 0, len(head) + len(payload)) + head + payload)
                sequence += 1
            index += 1
            await writer.drain()
            await asyncio.sleep(1 / _FPS)


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    """Return method and headers of the next request, or none at the end; the client's own RTCP is skipped."""
    first = await reader.read(1)
    while first == b"$":
        _, length = struct.unpack(">BH", await reader.readexactly(3))
        await reader.readexactly(length)
        first = await reader.read(1)
    if not first:
        return None
    lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return lines[0].split(" ")[0], {name.lower(): value for name, value in headers.items()}


def _setup(transport: str) -> tuple[str, str]:
    if "interleaved" not in transport:
        return "461 Unsupported Transport", ""
    return "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"


def _rtp_payloads(nals: list[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield (is the picture's last, payload), large units cut up (FU-A of RFC 6184)."""
    for number, nal in enumerate(nals):
        last_nal = number == len(nals) - 1
        if len(nal) <= _RTP_BYTES:
            yield last_nal, nal
            continue
        pieces = [nal[1:][i : i + _RTP_BYTES] for i in range(0, len(nal) - 1, _RTP_BYTES)]
        for place, piece in enumerate(pieces):
            begins, ends = place == 0, place == len(pieces) - 1
            indicator = bytes([nal[0] & 0xE0 | _NAL_FRAGMENT, begins << 7 | ends << 6 | nal[0] & 31])
            yield last_nal and ends, indicator + piece


def _encoded(width_px: int, height_px: int) -> list[list[bytes]]:
    """Return a short H.264 loop of a square that wanders, as network units picture by picture."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width_px, height_px, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, _FPS), Fraction(_FPS)
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "g": "5",
        "x264-params": "repeat-headers=1",
    }
    packets = []
    for index in range(_FRAMES):
        rgb = np.full((height_px, width_px, 3), 60, dtype=np.uint8)
        left = index * (width_px - 20) // _FRAMES
        rgb[20:60, left : left + 20] = (220, 180, 40)
        packets += encoder.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
    packets += encoder.encode(None)
    return [_units(bytes(packet)) for packet in packets]


def _units(stream: bytes) -> list[bytes]:
    return [unit.rstrip(b"\x00") for unit in stream.split(_START_CODE) if unit.strip(b"\x00")]
