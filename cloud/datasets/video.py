"""Exact decoded frames of a video, by 0-based index; PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cloud.errors import InputError
from edge_agent.vision.arrays import Rgb

MAX_PIXELS = 64_000_000
"""A frame over this is refused: nothing that elfowl watches is larger, and a small file can pretend to be."""

_SEEK_GAIN_FRAMES = 64
"""Skipping fewer frames than this costs less by decoding them than by seeking."""


@dataclass(frozen=True)
class VideoFacts:
    """What a video is; `width_px` and `height_px` are those of the turned picture.

    `frames` is the number of frames that decode. `rotation_degrees` is what players turn the pictures by,
    counter-clockwise: 0, 90, 180 or 270. `constant_rate` tells that frame n is shown at n / fps.
    """

    frames: int
    fps: float
    width_px: int
    height_px: int
    rotation_degrees: int
    constant_rate: bool


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video for decoding; whatever the library says becomes one line that names the file."""
    try:
        with av.open(str(path), mode="r") as container:
            if not container.streams.video:
                message = f"{path.name}: no video in this file; give MP4, MKV, AVI or MOV"
                raise InputError(message)
            stream = container.streams.video[0]
            # Typed as always there, but null where no decoder is: an SVG counts as a video of one frame.
            if cast("object", stream.codec_context) is None:
                message = f"{path.name}: cannot be read as a video (no decoder for it); re-export it as MP4"
                raise InputError(message)
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        message = f"{path.name}: cannot be read as a video ({error.strerror or error}); re-export it as MP4"
        raise InputError(message) from error
    except OSError as error:
        message = f"{path.name}: cannot be opened ({error.strerror})"
        raise InputError(message) from error


def glance(path: Path) -> tuple[int, int]:
    """Return width and height of the first frame as it is shown, decoding no more than that.

    Raises:
        InputError: Not a video, empty or too large.
    """
    with open_video(path) as (container, stream):
        for frame in container.decode(stream):
            check_size(frame, path)
            is_turned = quarter_turns(frame) % 2 == 1
            return (frame.height, frame.width) if is_turned else (frame.width, frame.height)
    message = f"{path.name}: holds no frame that can be decoded; re-export it as MP4"
    raise InputError(message)


def probe(path: Path) -> VideoFacts:
    """Decode a video once and say what it is.

    Counting by decoding is slow for long videos, and the only count that is right for all of them.

    Raises:
        InputError: Not a video, broken from the start, empty or too large.
    """
    with open_video(path) as (container, stream):
        times: list[int | None] = []
        rotation, size = 0, (0, 0)
        for frame in container.decode(stream):
            if not times:
                rotation, size = quarter_turns(frame) * 90, (frame.width, frame.height)
                check_size(frame, path)
            times.append(frame.pts)
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        constant = _is_constant(times, stream.time_base, stream.average_rate)
    if not times:
        message = f"{path.name}: holds no frame that can be decoded; re-export it as MP4"
        raise InputError(message)
    width, height = size if rotation % 180 == 0 else size[::-1]
    return VideoFacts(len(times), fps, width, height, rotation, constant)


def _is_constant(times: list[int | None], time_base: Fraction | None, rate: Fraction | None) -> bool:
    """Tell whether each frame lies within half a period of its place in a constant rate."""
    if time_base is None or not rate or not times or times[0] is None:
        return False
    period = 1 / rate
    return all(
        pts is not None and abs((pts - times[0]) * time_base - index * period) < period / 2
        for index, pts in enumerate(times)
    )


def iterate_frames(path: Path) -> Iterator[tuple[int, Rgb]]:
    """Yield every frame as (index, `(h, w, 3) uint8 RGB`), turned upright.

    Raises:
        InputError: Not a video, or broken.
    """
    with open_video(path) as (container, stream):
        for index, frame in enumerate(container.decode(stream)):
            yield index, to_rgb(frame, path)


def read_frames(path: Path, indices: Iterable[int]) -> Iterator[tuple[int, Rgb]]:
    """Yield the asked frames as (index, `(h, w, 3) uint8 RGB`), each once, in ascending order.

    Jumps to key frames where the file's own index proves that frame numbers survive it, else decodes from the
    start.

    Raises:
        InputError: Not a video, broken, or it has no frame of such an index.
    """
    wanted = sorted(set(indices))
    if not wanted:
        return
    if wanted[0] < 0:
        message = f"{path.name}: frame {wanted[0]} asked for; frames count from 0"
        raise InputError(message)
    times = _times_by_packet(path) if wanted[-1] > _SEEK_GAIN_FRAMES else None
    if times is None:
        yield from _read_sequentially(path, wanted)
    else:
        yield from _read_seeking(path, wanted, times)


def _read_sequentially(path: Path, wanted: list[int]) -> Iterator[tuple[int, Rgb]]:
    pending = iter(wanted)
    target: int | None = next(pending)
    count = 0
    with open_video(path) as (container, stream):
        for index, frame in enumerate(container.decode(stream)):
            count = index + 1
            if index == target:
                yield index, to_rgb(frame, path)
                target = next(pending, None)
                if target is None:
                    return
    _refuse_missing(path, target, count)


def _refuse_missing(path: Path, target: int | None, count: int) -> None:
    message = f"{path.name}: there is no frame {target}; it has {count}, numbered from 0"
    raise InputError(message)


@dataclass(frozen=True)
class _PacketIndex:
    """Presentation times of all frames in order, and which of them are key frames."""

    times: tuple[int, ...]
    key_times: frozenset[int]


def _times_by_packet(path: Path) -> _PacketIndex | None:
    """Read the file's index without decoding; none where it does not prove which frame is which.

    One packet must be one frame, at a time of its own, nothing discarded, the first a key frame.
    """
    times: list[int] = []
    keys: set[int] = set()
    with open_video(path) as (container, stream):
        if stream.codec_context.name not in {"h264", "hevc", "vp8", "vp9", "av1", "mjpeg"}:
            return None
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None or packet.is_corrupt or packet.is_discard:
                return None
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.add(packet.pts)
    ordered = tuple(sorted(times))
    # A first packet that is not the earliest means leading pictures that may not decode.
    sound = (
        len(set(ordered)) == len(ordered) and bool(ordered) and ordered[0] == times[0] and ordered[0] in keys
    )
    return _PacketIndex(ordered, frozenset(keys)) if sound else None


def _read_seeking(path: Path, wanted: list[int], packets: _PacketIndex) -> Iterator[tuple[int, Rgb]]:
    if wanted[-1] >= len(packets.times):
        _refuse_missing(path, wanted[-1], len(packets.times))
    index_of = {pts: index for index, pts in enumerate(packets.times)}
    with open_video(path) as (container, stream):
        position = -_SEEK_GAIN_FRAMES - 1
        decoded: Iterator[VideoFrame] = iter(())
        for target in wanted:
            if _should_seek(packets, position, target):
                container.seek(packets.times[target], stream=stream, backward=True)
                decoded = container.decode(stream)
            for frame in decoded:
                position = index_of.get(frame.pts if frame.pts is not None else -1, -1)
                if position >= target:
                    break
            if position != target:
                message = f"{path.name}: frame {target} cannot be decoded; re-export the video as MP4"
                raise InputError(message)
            yield target, to_rgb(frame, path)


def _should_seek(packets: _PacketIndex, position: int, target: int) -> bool:
    if position < 0:
        return True
    between = packets.times[position + 1 : target + 1]
    return target - position > _SEEK_GAIN_FRAMES and any(pts in packets.key_times for pts in between)


def quarter_turns(frame: VideoFrame) -> int:
    """Return by how many quarter turns, counter-clockwise, players show the picture."""
    return round(frame.rotation / 90) % 4


def to_rgb(frame: VideoFrame, path: Path) -> Rgb:
    """Return the upright picture `(h, w, 3) uint8 RGB`.

    Raises:
        InputError: The frame is larger than `MAX_PIXELS`.
    """
    check_size(frame, path)
    rgb = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns(frame)), np.uint8)


def check_size(frame: VideoFrame, path: Path) -> None:
    """Refuse a frame that is larger than `MAX_PIXELS`.

    Raises:
        InputError: It is.
    """
    if frame.width * frame.height > MAX_PIXELS:
        message = (
            f"{path.name}: frames of {frame.width}x{frame.height} are over {MAX_PIXELS} pixels; scale it down"
        )
        raise InputError(message)
