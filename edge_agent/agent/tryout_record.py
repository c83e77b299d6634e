"""Annotated recordings of a try: a video, or the best single picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import av
from av.error import FFmpegError

from edge_agent.camera.frame import Frame
from edge_agent.errors import ConfigError, StorageError
from edge_agent.report.snapshots import encode_jpeg
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.draw import draw_detections
from edge_agent.wire.detection import Detection

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov"})
_PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg"})
_TIME_BASE = Fraction(1, 90_000)
_JPEG_QUALITY = 92


class Recording(Protocol):
    """Takes pictures with boxes and leaves a file."""

    def add(self, frame: Frame, boxes: Sequence[Detection]) -> None:
        """Take the next picture.

        Raises:
            StorageError: It cannot be written.
        """
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


def open_recording(path: Path) -> Recording:
    """Return what writes to `path`.

    Raises:
        ConfigError: The name's ending is not known, or the folder does not exist.
    """
    if not path.parent.is_dir():
        message = f"{path}: the folder {path.parent} does not exist; make it first"
        raise ConfigError(message)
    if path.suffix.lower() in _PICTURE_SUFFIXES:
        return BestPicture(path)
    if path.suffix.lower() in _VIDEO_SUFFIXES:
        return VideoRecording(path)
    message = f"{path}: end the name in .mp4 for a video or .jpg for a picture"
    raise ConfigError(message)


class BestPicture:
    """Keeps the picture with the surest detections, and writes it at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._best: tuple[float, Rgb, tuple[Detection, ...]] | None = None

    def add(self, frame: Frame, boxes: Sequence[Detection]) -> None:
        """Keep the picture if it shows more than the best so far."""
        worth = sum(box.score for box in boxes)
        if self._best is None or worth > self._best[0]:
            self._best = (worth, frame.rgb, tuple(boxes))

    def close(self) -> None:
        """Write the best picture; nothing when there was none.

        Raises:
            StorageError: It cannot be written.
        """
        if self._best is None:
            return
        _, rgb, boxes = self._best
        try:
            self._path.write_bytes(encode_jpeg(draw_detections(rgb, boxes), _JPEG_QUALITY))
        except OSError as error:
            message = f"{self._path}: cannot be written: {error.strerror}; see --out and the disk"
            raise StorageError(message) from error


class VideoRecording:
    """Writes an MP4 (H.264) with boxes, each picture at its own time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._start_s = 0.0
        self._last_pts = -1

    def add(self, frame: Frame, boxes: Sequence[Detection]) -> None:
        """Write one picture.

        Raises:
            StorageError: It cannot be written.
        """
        # H.264 in the common 4:2:0 form needs even sides.
        even = frame.rgb[: frame.height_px // 2 * 2, : frame.width_px // 2 * 2]
        try:
            if self._stream is None or self._container is None:
                self._open(frame, even)
            self._write(frame, draw_detections(even, boxes))
        except (FFmpegError, OSError) as error:
            message = f"{self._path}: cannot be written: {error.strerror}; see --out and the disk"
            raise StorageError(message) from error

    def close(self) -> None:
        """Finish the file.

        Raises:
            StorageError: It cannot be written.
        """
        container, self._container = self._container, None
        if container is None or self._stream is None:
            return
        try:
            container.mux(self._stream.encode(None))
            container.close()
        except (FFmpegError, OSError) as error:
            message = f"{self._path}: cannot be finished: {error.strerror}; see --out and the disk"
            raise StorageError(message) from error

    def _open(self, frame: Frame, rgb: Rgb) -> None:
        self._container = av.open(str(self._path), "w")
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = cast("VideoStream", self._container.add_stream(codec, rate=30))
        stream.height, stream.width = rgb.shape[0], rgb.shape[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.thread_count = 1
        if codec == "libx264":
            stream.codec_context.options = {"preset": "veryfast"}
        self._stream = stream
        self._start_s = frame.monotonic_s

    def _write(self, frame: Frame, rgb: Rgb) -> None:
        if self._stream is None or self._container is None:
            return
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        picture.time_base = _TIME_BASE
        picture.pts = max(self._last_pts + 1, round((frame.monotonic_s - self._start_s) / _TIME_BASE))
        self._last_pts = picture.pts
        self._container.mux(self._stream.encode(picture))
