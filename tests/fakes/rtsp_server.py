"""A camera on the loopback interface: RTSP (RTP interleaved or over UDP, H.264), with faults to switch on.

Small on purpose: one stream, a loop of pictures, no RTCP.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Self

import av
import numpy as np

from edge_agent.vision.arrays import Rgb

_RTP_BYTES = 1400
_FPS = 15
_FRAMES = 30
_NONCE = "b7e3"
_NAL_FRAGMENT = 28
_START_CODE = b"\x00\x00\x01"


Login = tuple[str, str]
Pictures = list[list[bytes]]
"""Network units, picture by picture."""


class RtspServer:
    """Serves `rtsp://127.0.0.1:<port>/live` from a thread of its own; use as a context manager."""

    def __init__(
        self,
        *,
        width_px: int = 160,
        height_px: int = 120,
        login: Login | None = None,
        digest: bool = False,
        pictures: Pictures | None = None,
    ) -> None:
        self._pictures = pictures or encoded(_wandering(width_px, height_px), _FPS)
        self._login = login
        self._digest = digest
        self.fps = float(_FPS)
        """Pictures sent a second; the loop keeps its own pace."""
        self.garbage = False
        """Send random bytes in place of pictures."""
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._thawed = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self.most_pictures: int | None = None
        """Send no more than so many on one connection; none: go on for ever."""
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

    def show(self, pictures: Pictures) -> None:
        """Go on with other pictures, on open connections too."""
        self._pictures = pictures

    def lock(self, login: Login | None) -> None:
        """Let nobody in but this user, from the next connection on."""
        self._login = login

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
        send = _interleaved(writer)
        try:
            while request := await _read_request(reader):
                await self._thawed.wait()
                method, headers = request
                writer.write(self._answer(method, headers))
                if method == "SETUP" and (port := _udp_port(headers)) is not None:
                    send = _datagrams(port)
                if method == "PLAY" and player is None:
                    player = asyncio.create_task(self._play(writer, send))
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
        if not self._is_allowed(method, headers):
            way = f'Digest realm="camera", nonce="{_NONCE}"' if self._digest else 'Basic realm="camera"'
            status, extra = "401 Unauthorized", f"WWW-Authenticate: {way}\r\n"
        elif method == "OPTIONS":
            extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
        elif method == "DESCRIBE":
            body = self._sdp()
            extra = f"Content-Type: application/sdp\r\nContent-Base: rtsp://127.0.0.1:{self.port}/live/\r\n"
        elif method == "SETUP":
            status, extra = _setup(headers.get("transport", ""))
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"RTSP/1.0 {status}\r\nCSeq: {headers.get('cseq', '0')}\r\nSession: 1\r\n"
        return (head + extra + length + "\r\n" + body).encode()

    def _is_allowed(self, method: str, headers: dict[str, str]) -> bool:
        if self._login is None:
            return True
        if self._digest:
            return _is_digest_of(self._login, method, headers.get("authorization", ""))
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

    async def _play(self, writer: asyncio.StreamWriter, send: Callable[[bytes], None]) -> None:
        sequence, count, begun_s = 0, 0, self._loop.time()
        while True:
            await self._thawed.wait()
            passed_s = self._loop.time() - begun_s
            units = self._pictures[round(self._loop.time() * _FPS) % len(self._pictures)]
            if self.garbage:
                units = [os.urandom(200) for _ in units]
            for last, payload in _rtp_payloads(units):
                stamp = int(passed_s * 90_000) & 0xFFFFFFFF
                send(
                    struct.pack(">BBHII", 0x80, 96 | (last << 7), sequence & 0xFFFF, stamp, 0x1234) + payload
                )
                sequence += 1
            await writer.drain()
            count += 1
            if count == self.most_pictures:
                return
            await asyncio.sleep(1 / self.fps)


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
    if ports := re.search(r"client_port=(\d+)-\d+", transport):
        return "200 OK", f"Transport: RTP/AVP;unicast;{ports.group(0)};server_port=6970-6971\r\n"
    if "interleaved" not in transport:
        return "461 Unsupported Transport", ""
    return "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"


def _udp_port(headers: dict[str, str]) -> int | None:
    ports = re.search(r"client_port=(\d+)-", headers.get("transport", ""))
    return int(ports.group(1)) if ports else None


def _interleaved(writer: asyncio.StreamWriter) -> Callable[[bytes], None]:
    return lambda packet: writer.write(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)


def _datagrams(port: int) -> Callable[[bytes], None]:
    way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(packet: bytes) -> None:
        way.sendto(packet, ("127.0.0.1", port))

    return send


def _is_digest_of(login: Login, method: str, header: str) -> bool:
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', header.removeprefix("Digest ")))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    proof = md5(f"{login[0]}:camera:{login[1]}"), _NONCE, md5(f"{method}:{said.get('uri', '')}")
    return said.get("response") == md5(":".join(proof))


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


def _wandering(width_px: int, height_px: int) -> list[Rgb]:
    """Return a short loop of a square that wanders."""
    pictures = []
    for index in range(_FRAMES):
        rgb = np.full((height_px, width_px, 3), 60, dtype=np.uint8)
        left = index * (width_px - 20) // _FRAMES
        rgb[20:60, left : left + 20] = (220, 180, 40)
        pictures.append(rgb)
    return pictures


def encoded(pictures: Sequence[Rgb], fps: int = _FPS) -> Pictures:
    """Return pictures of one size as H.264; each can be decoded by itself."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = pictures[0].shape[:2]
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "g": "1",
        "x264-params": "repeat-headers=1",
    }
    packets = []
    for rgb in pictures:
        packets += encoder.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
    packets += encoder.encode(None)
    return [_units(bytes(packet)) for packet in packets]


def _units(stream: bytes) -> list[bytes]:
    return [unit.rstrip(b"\x00") for unit in stream.split(_START_CODE) if unit.strip(b"\x00")]
