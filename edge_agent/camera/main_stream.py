"""A camera's fine stream, only demuxed: what surrounds an event becomes a short MP4, as it was encoded."""

from __future__ import annotations

import io
import logging
import queue
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from edge_agent.camera.backoff import reopen_delay_s
from edge_agent.camera.failures import camera_error, no_video
from edge_agent.camera.options import RtspTransport
from edge_agent.camera.packet_ring import PacketRing, StreamPacket
from edge_agent.camera.uri import parse_source
from edge_agent.clock import Clock
from edge_agent.errors import CameraError

_log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_MOST_WAITING = 16
# Of RTP video.
_DEFAULT_TICKS = Fraction(1, 90_000)

KeepClip = Callable[[str, float, bytes], object]
"""Takes an event's id, the UTC seconds at which it began, and an MP4."""


@dataclass(frozen=True)
class MainStreamOptions:
    """How a fine stream is kept.

    Attributes:
        source: Its address.
        before_s: How much before an event's begin belongs to its clip.
        after_s: How much after that.
        ring_bytes: What the ring may take.
        rtsp_transport: How RTSP brings it.
    """

    source: str
    before_s: float
    after_s: float
    ring_bytes: int
    rtsp_transport: RtspTransport = "tcp"


@dataclass(frozen=True)
class _Wanted:
    event_id: str
    time_s: float
    monotonic_s: float


class MainStream:
    """Keeps the stream open in a thread of its own; no failure there is one of the camera."""

    def __init__(
        self, options: MainStreamOptions, keep: KeepClip, *, name: str, clock: Clock, rng: random.Random
    ) -> None:
        """Prepare.

        Args:
            options: How it is kept.
            keep: Takes clips; called in the stream's thread.
            name: Of the camera, for the log.
            clock: Where times come from.
            rng: Spreads the waits between two tries.
        """
        self._options = options
        self._address = parse_source(options.source)
        self._keep = keep
        self._name = name
        self._clock = clock
        self._rng = rng
        self._ring = PacketRing(options.before_s + options.after_s, options.ring_bytes)
        self._asked: queue.SimpleQueue[_Wanted] = queue.SimpleQueue()
        self._waiting: list[_Wanted] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"main-stream-{name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End; a read that is under way is not waited for longer than a moment."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def want(self, event_id: str, time_s: float, monotonic_s: float) -> None:
        """Ask for the clip of an event that just began; from any thread, at once.

        Args:
            event_id: Its id.
            time_s: UTC seconds of its begin.
            monotonic_s: The same moment.
        """
        if self._asked.qsize() < _MOST_WAITING:
            self._asked.put(_Wanted(event_id, time_s, monotonic_s))

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                failures = 0 if self._read() else failures
            except CameraError as error:
                _log.warning("main stream of %s: %s", self._name, error)
            except Exception:  # noqa: BLE001 - a thread must not die silently, whatever a library throws
                _log.exception("main stream of %s failed", self._name)
            failures += 1
            self._stopping.wait(reopen_delay_s(failures, self._rng))
            # Nobody can cut a stream that is closed.
            self._waiting.clear()
            while not self._asked.empty():
                self._asked.get()

    def _read(self) -> bool:
        """Read until the stream ends or this is stopped; return whether anything came.

        Raises:
            CameraError: It cannot be opened, or broke off before anything came.
        """
        container = self._open()
        came = False
        with closing(container):
            stream = container.streams.video[0]
            try:
                for packet in container.demux(stream):
                    self._take(packet)
                    came = True
                    self._serve(stream, self._clock.monotonic_s())
                    if self._stopping.is_set():
                        break
            except FFmpegError as error:
                if not came:
                    raise camera_error(self._address, error, opened=True) from None
                _log.info("main stream of %s broke off", self._name)
            self._serve(stream, float("inf"))
            self._ring.clear()
        return came

    def _open(self) -> InputContainer:
        options = {"rtsp_transport": self._options.rtsp_transport, "allowed_media_types": "video"}
        is_rtsp = self._address.location.lower().startswith("rtsp")
        try:
            container = av.open(
                self._address.location,
                options=options if is_rtsp else {},
                timeout=(_TIMEOUT_S, _TIMEOUT_S),
            )
        except (FFmpegError, ValueError) as error:
            raise camera_error(self._address, error) from None
        if not container.streams.video:
            container.close()
            raise no_video(self._address)
        return container

    def _take(self, packet: av.Packet[VideoStream]) -> None:
        # The very first packet of some cameras has no time; it is of no use.
        if packet.pts is not None and packet.size:
            dts = packet.dts if packet.dts is not None else packet.pts
            now_s = self._clock.monotonic_s()
            self._ring.add(StreamPacket(now_s, packet.pts, dts, packet.is_keyframe, bytes(packet)))

    def _serve(self, stream: VideoStream, now_s: float) -> None:
        """Cut the clips whose time has come."""
        while not self._asked.empty():
            wanted = self._asked.get()
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(wanted)
        for wanted in [one for one in self._waiting if one.monotonic_s + self._options.after_s <= now_s]:
            self._waiting.remove(wanted)
            begin_s = wanted.monotonic_s - self._options.before_s
            packets = self._ring.cut(begin_s, wanted.monotonic_s + self._options.after_s)
            if not packets:
                _log.info("main stream of %s: nothing there for event %s", self._name, wanted.event_id)
                continue
            try:
                self._keep(wanted.event_id, wanted.time_s, mux(packets, stream))
            except FFmpegError as error:
                _log.warning("main stream of %s cannot be cut: %s", self._name, type(error).__name__)


def mux(packets: Sequence[StreamPacket], stream: VideoStream) -> bytes:
    """Return packets as an MP4, without decoding them.

    Args:
        packets: The first one is a key frame.
        stream: Where they came from, still open.

    Raises:
        FFmpegError: They are damaged, or of a codec that MP4 does not hold.
    """
    buffer = io.BytesIO()
    first, last_dts = packets[0].dts, -1
    with av.open(buffer, "w", format="mp4") as container:
        copy = container.add_stream_from_template(stream)
        for each in packets:
            packet = av.Packet(each.data)
            packet.stream = copy
            packet.time_base = stream.time_base or _DEFAULT_TICKS
            # Cameras step back at times; the order in which packets came is the one to keep.
            last_dts = max(each.dts - first, last_dts + 1)
            packet.dts, packet.pts = last_dts, max(each.pts - first, last_dts)
            packet.is_keyframe = each.is_key
            container.mux(packet)
    return buffer.getvalue()
