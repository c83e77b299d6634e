"""The last seconds of a stream as it came, never decoded. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamPacket:
    """One packet of a video stream.

    Attributes:
        monotonic_s: When it came.
        pts: When it is shown, in the stream's own ticks.
        dts: When it is decoded, in the same.
        is_key: Whether decoding can begin with it.
        data: As the camera encoded it.
    """

    monotonic_s: float
    pts: int
    dts: int
    is_key: bool
    data: bytes


class PacketRing:
    """Keeps whole groups of pictures, each begun by a key frame, as far as time and bytes allow."""

    def __init__(self, seconds: float, max_bytes: int) -> None:
        """Begin empty.

        Args:
            seconds: How far back it reaches at least, if the bytes allow.
            max_bytes: What it may take.
        """
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._packets: deque[StreamPacket] = deque()
        self._keys: deque[float] = deque()
        self.bytes = 0
        """What the packets take now."""

    def add(self, packet: StreamPacket) -> None:
        """Take the next packet; older groups that are not needed or not affordable any more go."""
        if packet.is_key:
            self._keys.append(packet.monotonic_s)
        elif not self._keys:
            return  # nobody could decode it
        self._packets.append(packet)
        self.bytes += len(packet.data)
        while len(self._keys) > 1 and self._keys[1] <= packet.monotonic_s - self._seconds:
            self._drop_group()
        while self.bytes > self._max_bytes:
            self._drop_group()

    def cut(self, from_s: float, to_s: float) -> Sequence[StreamPacket]:
        """Return what came between two moments, from the key frame before the first one on."""
        begin_s = max((key_s for key_s in self._keys if key_s <= from_s), default=from_s)
        found = [packet for packet in self._packets if begin_s <= packet.monotonic_s <= to_s]
        first = next((n for n, packet in enumerate(found) if packet.is_key), len(found))
        return found[first:]

    def clear(self) -> None:
        """Forget all, as when the stream begins anew."""
        self._packets.clear()
        self._keys.clear()
        self.bytes = 0

    def _drop_group(self) -> None:
        self._keys.popleft()
        self._drop_first()
        while self._packets and not self._packets[0].is_key:
            self._drop_first()

    def _drop_first(self) -> None:
        self.bytes -= len(self._packets.popleft().data)
