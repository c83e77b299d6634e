"""Everything that FFmpeg reads: video files, pictures, webcams, RTSP and HTTP streams."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.error import EOFError as AvEOFError
from av.error import FFmpegError, InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge_agent.camera.decoded import DecodedFrame, RgbConverter
from edge_agent.camera.failures import camera_error, no_video
from edge_agent.camera.frame import Frame
from edge_agent.camera.options import ReadOptions
from edge_agent.camera.pacing import Playback, RateLimit
from edge_agent.camera.uri import SourceAddress
from edge_agent.clock import Clock
from edge_agent.errors import CameraError

_log = logging.getLogger(__name__)

_STILL_INTERVAL_S = 1.0
_DEFAULT_FPS = Fraction(25)
# Packets in a row that cannot be decoded; some are normal after packet loss, until the next key frame.
_MAX_BAD_PACKETS = 250


class VideoSource:
    """A file, webcam or stream, opened."""

    def __init__(self, address: SourceAddress, options: ReadOptions, clock: Clock) -> None:
        """Open it.

        Raises:
            CameraError: It cannot be opened.
        """
        self._address = address
        self._options = options
        self._clock = clock
        self._recorded = address.kind in {"video", "image"}
        # Of a playlist seconds come at once, so its pictures are played like those of a recording.
        self._played = self._recorded or _is_playlist(address)
        self._converter = RgbConverter(options.max_width_px)
        self._container: InputContainer | None
        self._container, self._stream = _open(address, options)

    def __iter__(self) -> Iterator[Frame]:
        """Yield pictures.

        Raises:
            CameraError: The stream broke off or stalled.
        """
        playback = Playback(self._clock, real_time=self._options.real_time or not self._recorded)
        limit = RateLimit(self._options.max_fps)
        offset_s, index = 0.0, 0
        while self._container is not None:
            position_s = offset_s
            for position_s, picture in self._pictures(offset_s):
                number, index = index, index + 1
                if self._played:
                    # Nobody waits for what is left out: the thread wakes up only for what it gives.
                    if not limit.admits(position_s):
                        continue
                    playback.wait_for(position_s)
                time_s, monotonic_s = playback.moment(position_s)
                if self._played or limit.admits(monotonic_s):
                    yield DecodedFrame(picture, self._converter, number, time_s, monotonic_s)
            if not self._recorded:
                message = f"{self._address.shown}: the stream ended; the camera closed it or went away"
                raise CameraError(message)
            if not self._options.loop or index == 0:
                return
            offset_s = position_s + self._interval_s()
            self.close()
            self._container, self._stream = _open(self._address, self._options)

    def close(self) -> None:
        """Let go of the file, device or connection. Only from the thread that iterates."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _interval_s(self) -> float:
        if self._address.kind == "image":
            return _STILL_INTERVAL_S
        return float(1 / (self._stream.average_rate or _DEFAULT_FPS))

    def _pictures(self, offset_s: float) -> Iterator[tuple[float, VideoFrame]]:
        first_s: float | None = None
        last_s = offset_s - self._interval_s()
        for picture in self._decoded():
            if picture.time is None:
                last_s += self._interval_s()
            else:
                first_s = picture.time if first_s is None else first_s
                last_s = max(last_s, offset_s + picture.time - first_s)
            last_s = max(last_s, offset_s)
            yield last_s, picture

    def _decoded(self) -> Iterator[VideoFrame]:
        bad = 0
        try:
            for packet in cast("InputContainer", self._container).demux(self._stream):
                try:
                    pictures = packet.decode()
                except InvalidDataError:
                    bad += 1
                    if bad > _MAX_BAD_PACKETS:
                        raise
                    continue
                if pictures:
                    bad = 0
                yield from pictures
        except AvEOFError:
            return
        except FFmpegError as error:
            raise camera_error(self._address, error, opened=True) from None


def _open(address: SourceAddress, options: ReadOptions) -> tuple[InputContainer, VideoStream]:
    _log.debug("opening %s", address.shown)
    try:
        container = av.open(
            address.location,
            format="v4l2" if address.kind == "webcam" else None,
            options=_ffmpeg_options(address, options),
            timeout=(options.timeout_s, options.timeout_s),
        )
    except (FFmpegError, ValueError) as error:
        raise camera_error(address, error) from None
    if not container.streams.video:
        container.close()
        raise no_video(address)
    stream = container.streams.video[0]
    # One thread a camera: decoding must not take the cores from inference.
    stream.codec_context.thread_count = 1
    return container, stream


def _is_playlist(address: SourceAddress) -> bool:
    path = re.split(r"[?#]", address.location, maxsplit=1)[0]
    return address.kind == "network" and path.lower().endswith((".m3u8", ".m3u"))


def _ffmpeg_options(address: SourceAddress, options: ReadOptions) -> dict[str, str]:
    if address.kind == "network":
        if not address.location.lower().startswith("rtsp"):
            return {}
        # FFmpeg would wait for thirty pictures, at 15 a second for two seconds, to guess their rate.
        return {"rtsp_transport": options.rtsp_transport, "fpsprobesize": "0"}
    if address.kind == "webcam":
        return {}
    # A file that turns out to be a playlist must not send the camera to other places.
    return {"protocol_whitelist": "file"}
