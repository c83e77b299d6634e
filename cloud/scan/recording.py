"""Reads recordings: what their headers say, their key frames, and a few pictures of each second."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

import numpy as np
from av.video.frame import VideoFrame

from cloud.datasets.video import check_size, glance, open_video, quarter_turns, to_rgb
from cloud.errors import InputError
from edge_agent.camera.decoded import DecodedFrame, RgbConverter
from edge_agent.camera.frame import Brightness, Frame
from edge_agent.vision.arrays import Rgb

SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts", ".m4v"})
"""What files of recordings are called."""

_USUAL_FPS = 25
_NEAR_S = 0.01
_MOST_DECODED = 1500
"""Key frames are rarely farther apart; a picture may not take as long as a scan."""

_WAIT_S = 0.2

T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What a recording says of itself; nobody has counted its pictures.

    `began` is UTC seconds since 1970 of its first picture; none when it does not say.
    """

    fps: float
    duration_s: float
    width_px: int
    height_px: int
    began: float | None


class Sample:
    """One picture of a recording; most are never looked at, so it becomes RGB only where one is.

    Attributes:
        index: Its number.
        at_s: Seconds since the first one.
    """

    def __init__(self, frame: Frame, turns: int = 0) -> None:
        """Take a picture, and by how many quarter turns, counter-clockwise, players show it."""
        self.index, self.at_s = frame.index, frame.monotonic_s
        self._frame = frame
        self._turns = turns

    @property
    def rgb(self) -> Rgb:
        """Return the upright picture `(h, w, 3) uint8 RGB`."""
        return np.ascontiguousarray(np.rot90(self._frame.rgb, self._turns), np.uint8)

    @property
    def brightness(self) -> Brightness:
        """Return how bright it is, not turned."""
        return self._frame.brightness


def read_header(path: Path) -> Header:
    """Return what a recording says of itself.

    Raises:
        InputError: It is no video, or empty.
    """
    width_px, height_px = glance(path)
    with open_video(path) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or _USUAL_FPS)
        base = stream.time_base or Fraction(1, 1000)
        duration_s = float(stream.duration * base) if stream.duration else (container.duration or 0) / 1e6
        began = {**container.metadata, **stream.metadata}.get("creation_time")
    return Header(fps, duration_s, width_px, height_px, None if began is None else _utc_s(began))


def key_frames(path: Path, fps: float, every_s: float) -> Iterator[Sample]:
    """Yield key frames, none nearer than `every_s` to the one before; nothing else is decoded.

    Raises:
        InputError: It is no video, or broken.
    """
    with open_video(path) as (container, stream):
        stream.codec_context.skip_frame = "NONKEY"
        converter = RgbConverter(None)
        first_s, last_s = None, float("-inf")
        for frame in container.decode(stream):
            if frame.time is None:
                continue
            first_s = frame.time if first_s is None else first_s
            at_s = frame.time - first_s
            if at_s - last_s >= every_s:
                last_s = at_s
                yield _sample(frame, path, converter, round(at_s * fps), at_s)


def samples(path: Path, fps: float, a_second: float) -> Iterator[Sample]:
    """Yield about so many pictures of each second; all are decoded.

    Raises:
        InputError: It is no video, or broken.
    """
    step = max(1, round(fps / a_second))
    converter = RgbConverter(None)
    with open_video(path) as (container, stream):
        for index, frame in enumerate(container.decode(stream)):
            if index % step == 0:
                yield _sample(frame, path, converter, index, index / fps)


def _sample(frame: VideoFrame, path: Path, converter: RgbConverter, index: int, at_s: float) -> Sample:
    check_size(frame, path)
    return Sample(DecodedFrame(frame, converter, index, at_s, at_s), quarter_turns(frame))


def picture_at(path: Path, at_s: float) -> Rgb:
    """Return the picture that is shown so many seconds after the first one, or the last one there is.

    Only what lies after the key frame before it is decoded.

    Raises:
        InputError: It is no video, or broken.
    """
    with open_video(path) as (container, stream):
        base = stream.time_base or Fraction(1, 1000)
        wanted_s = float((stream.start_time or 0) * base) + at_s
        container.seek(round(wanted_s / float(base)), stream=stream)
        found = None
        for frame in islice(container.decode(stream), _MOST_DECODED):
            found = frame
            if frame.time is not None and frame.time >= wanted_s - _NEAR_S:
                break
        if found is not None:
            return to_rgb(found, path)
    message = f"{path.name}: has no picture at {at_s:.1f} s; it may have been cut short"
    raise InputError(message)


def ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """Yield what an iterator yields, which a thread takes up to `depth` items ahead.

    What it raises is raised here. The thread ends when this iterator is closed.
    """
    queue: Queue[tuple[T | None, BaseException | None]] = Queue(depth)
    closed = Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not closed.is_set():
            try:
                queue.put((item, error), timeout=_WAIT_S)
            except Full:
                continue
            return

    def take() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item, None)
                if closed.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001 - raised again by whoever waits for the items
            error = raised
        put(None, error)

    thread = Thread(target=take, name="decode", daemon=True)
    thread.start()
    try:
        yield from _taken(queue)
    finally:
        closed.set()
        thread.join()


def _taken(queue: Queue[tuple[T | None, BaseException | None]]) -> Iterator[T]:
    while True:
        try:
            item, error = queue.get(timeout=_WAIT_S)
        except Empty:
            continue
        if error is not None:
            raise error
        if item is None:
            return
        yield item


def _utc_s(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
