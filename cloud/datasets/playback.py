"""The playback copy of a video: what browsers show exactly frame by frame, whatever was uploaded.

H.264, yuv420p, at most 1280 wide, upright, constant rate, a key frame each second, its index at the front.
Labels count in frames of this copy; `PlaybackMap` says which frame of the original each one is.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cloud.datasets.video import open_video, quarter_turns, to_rgb
from cloud.errors import InputError

MAX_WIDTH_PX = 1280
MAX_FPS = 60
_DEFAULT_FPS = 25
_SAME_RATE = 0.02
_MAX_REPEATS = 600
"""A pause longer than this many frames is shortened to it: a false time stamp must not fill the disk."""


@dataclass(frozen=True)
class PlaybackMap:
    """A playback copy: its rate and size, and for each of its frames the frame of the original, ascending."""

    fps: float
    width_px: int
    height_px: int
    source_frames: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Return how many frames the copy has."""
        return len(self.source_frames)

    def to_source(self, copy_frame: int) -> int:
        """Return the original's frame that a frame of the copy shows.

        Raises:
            InputError: The copy has no such frame.
        """
        if not 0 <= copy_frame < self.frames:
            message = f"there is no frame {copy_frame}; the video has {self.frames}, numbered from 0"
            raise InputError(message)
        return self.source_frames[copy_frame]

    def to_copy(self, source_frame: int) -> int | None:
        """Return the first frame of the copy that shows this one of the original; none when left out."""
        place = bisect.bisect_left(self.source_frames, source_frame)
        found = place < self.frames and self.source_frames[place] == source_frame
        return place if found else None


def runs_of(source_frames: Sequence[int]) -> list[list[int]]:
    """Return frame numbers as short rows `[first, count, step]`; the step of a run is 0 or 1."""
    rows: list[list[int]] = []
    for source in source_frames:
        last = rows[-1] if rows else None
        if last is not None and last[1] == 1 and source - last[0] in {0, 1}:
            last[1:] = [2, source - last[0]]
        elif last is not None and last[1] > 1 and source == last[0] + last[1] * last[2]:
            last[1] += 1
        else:
            rows.append([source, 1, 1])
    return rows


def frames_of(runs: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the frame numbers that `runs_of` made rows of."""
    return tuple(first + number * step for first, count, step in runs for number in range(count))


def make_playback(source: Path, target: Path, progress: Callable[[float], None] | None = None) -> PlaybackMap:
    """Write the playback copy of a video.

    Args:
        source: Any video.
        target: The MP4 to write; it appears when it is complete.
        progress: Told the share that is done, 0..1; may raise to cancel.

    Raises:
        InputError: Not a video, broken, or empty.
    """
    partial = target.with_name(target.name + ".part")
    try:
        made = _transcode(source, partial, progress or _ignore)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return made


def _ignore(_: float) -> None:
    """Report to nobody."""


def _transcode(source: Path, partial: Path, progress: Callable[[float], None]) -> PlaybackMap:
    source_frames: list[int] = []
    rate = _rate(source)
    with open_video(source) as (container, stream):
        expected = stream.frames or 0
        with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as output:
            encoder: VideoStream | None = None
            for index, frame in _at_constant_rate(container.decode(stream), rate):
                if encoder is None:
                    encoder = _encoder(output.add_stream("libx264", rate=rate), frame, rate)
                output.mux(encoder.encode(_prepared(frame, encoder, source, len(source_frames), rate)))
                source_frames.append(index)
                if expected and index % 16 == 0:
                    progress(min(1.0, index / expected))
            if encoder is None:
                message = f"{source.name}: holds no frame that can be decoded; re-export it as MP4"
                raise InputError(message)
            output.mux(encoder.encode(None))
    progress(1.0)
    return PlaybackMap(float(rate), encoder.width, encoder.height, tuple(source_frames))


def _rate(source: Path) -> Fraction:
    """Return the rate of the copy: from the usual distance between frames, so pauses do not lower it."""
    with open_video(source) as (container, stream):
        stated = stream.average_rate or stream.guessed_rate or Fraction(_DEFAULT_FPS)
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        steps = sorted(after - before for before, after in pairwise(times) if after > before)
        if not steps or not stream.time_base:
            return min(stated, Fraction(MAX_FPS))
        usual = 1 / (steps[len(steps) // 2] * stream.time_base)
    # Time stamps are rounded; the stated rate is exact where the two agree.
    rate = stated if abs(usual / stated - 1) < _SAME_RATE else usual.limit_denominator(1001)
    return max(Fraction(1), min(rate, Fraction(MAX_FPS)))


def _at_constant_rate(frames: Iterator[VideoFrame], rate: Fraction) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (original's number, frame) for each tick: repeat over pauses, leave out what comes too soon.

    A frame within one tick of its place is shown once, so a video that only jitters is copied frame by frame.
    """
    start: Fraction | None = None
    ticks = 0
    shown: tuple[int, VideoFrame] | None = None
    for index, frame in enumerate(frames):
        time = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
        start = time if start is None else start
        ahead = 0 if time is None or start is None else float((time - start) * rate) - ticks
        if ahead <= -1:
            continue
        if shown is not None and ahead >= 1:
            repeats = min(_MAX_REPEATS, int(ahead))
            yield from [shown] * repeats
            ticks += repeats
        yield index, frame
        ticks += 1
        shown = (index, frame)
        if ahead > _MAX_REPEATS and time is not None:
            # The pause was shortened: count time from here on.
            start = time - (ticks - 1) / rate


def _encoder(stream: VideoStream, frame: VideoFrame, rate: Fraction) -> VideoStream:
    turned = quarter_turns(frame) % 2 == 1
    width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
    scale = min(1.0, MAX_WIDTH_PX / width)
    # yuv420p halves colour in both directions, so sides are even.
    stream.width, stream.height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / rate
    each_second = str(max(1, round(rate)))
    stream.codec_context.options = {
        "preset": "veryfast",
        "crf": "21",
        "g": each_second,
        "keyint_min": each_second,
        "sc_threshold": "0",
        "bf": "0",
    }
    return stream


def _prepared(
    frame: VideoFrame, encoder: VideoStream, source: Path, number: int, rate: Fraction
) -> VideoFrame:
    """Return the frame upright, in the copy's size, colours and time."""
    upright = frame
    if quarter_turns(frame):
        upright = VideoFrame.from_ndarray(np.ascontiguousarray(to_rgb(frame, source)), format="rgb24")
    ready = upright.reformat(width=encoder.width, height=encoder.height, format="yuv420p")
    ready.pts = number
    ready.time_base = 1 / rate
    return ready
