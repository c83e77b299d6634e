"""Which videos need no playback copy, because they are what such a copy would be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from cloud.datasets.playback import MAX_FPS, MAX_WIDTH_PX, PlaybackMap
from cloud.datasets.video import open_video, quarter_turns

_CONTAINERS = frozenset({"mov", "mp4"})
_FORMATS = frozenset({"yuv420p", "yuvj420p"})
_LONG_HEADER_BYTES = 16
_SHORT_HEADER_BYTES = 8
_ROUNDING = 0.05


def shows_itself(path: Path) -> PlaybackMap | None:
    """Return the map of a video that browsers show exactly as it is; none when it needs a copy.

    That is H.264 in MP4 with its index at the front, upright, not too large, at a constant rate from 0 on,
    without frames that are shown in another order than stored, and a key frame each second.

    Raises:
        InputError: Not a video, or broken.
    """
    with open_video(path) as (container, stream):
        rate = stream.average_rate
        if rate is None or rate > MAX_FPS or not _is_of_kind(container, stream):
            return None
        size, stated = (stream.width, stream.height), stream.frames
        packets = [packet for packet in container.demux(stream) if packet.size]
    if (stated and stated != len(packets)) or not _is_steady(packets, float(rate)):
        return None
    if not _has_index_at_front(path) or _is_turned(path):
        return None
    return PlaybackMap(float(rate), *size, tuple(range(len(packets))))


def _is_of_kind(container: InputContainer, stream: VideoStream) -> bool:
    is_mp4 = bool(_CONTAINERS & set(container.format.name.split(",")))
    is_h264 = stream.codec_context.name == "h264" and stream.pix_fmt in _FORMATS
    return is_mp4 and is_h264 and stream.width <= MAX_WIDTH_PX


def _is_steady(packets: Sequence[Packet[VideoStream]], fps: float) -> bool:
    """Return whether frames come in order, at a constant rate from 0 on, with a key frame each second."""
    period = 1 / fps
    keys: list[float] = []
    for index, packet in enumerate(packets):
        if packet.pts is None or packet.pts != packet.dts or packet.is_corrupt or packet.is_discard:
            return False
        if abs(float(packet.pts * packet.time_base) - index * period) > period * _ROUNDING:
            return False
        if packet.is_keyframe:
            keys.append(index * period)
    borders = [*keys, len(packets) * period]
    return bool(keys) and keys[0] == 0 and max(b - a for a, b in pairwise(borders)) <= 1 + period


def _is_turned(path: Path) -> bool:
    with open_video(path) as (container, stream):
        return any(quarter_turns(frame) for frame in [next(container.decode(stream))])


def _has_index_at_front(path: Path) -> bool:
    """Return whether the box `moov` comes before `mdat`."""
    with path.open("rb") as stream:
        while (kind := _next_box(stream)) is not None:
            if kind in {b"moov", b"mdat"}:
                return kind == b"moov"
    return False


def _next_box(stream: BinaryIO) -> bytes | None:
    """Return the kind of the box that begins here, and go to its end."""
    start = stream.tell()
    header = stream.read(_LONG_HEADER_BYTES)
    if len(header) < _SHORT_HEADER_BYTES:
        return None
    length = int.from_bytes(header[:4], "big")
    if length == 1:
        length = int.from_bytes(header[8:16], "big")
    if length < _SHORT_HEADER_BYTES:
        return None
    stream.seek(start + length)
    return header[4:8]
