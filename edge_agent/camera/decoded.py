"""Pictures as the decoder left them: most show nothing new, and nobody ever needs their colours."""

from __future__ import annotations

import threading

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from edge_agent.camera.frame import Brightness, Frame

# Formats whose first plane holds a byte of brightness for each pixel.
_WITH_BRIGHTNESS = {
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray",
}  # fmt: skip
_TV_BLACK, _TV_STEP = 16, 255.0 / 219.0


class RgbConverter:
    """Turns the pictures of one source into RGB; from any thread."""

    def __init__(self, max_width_px: int | None) -> None:
        """Begin; wider pictures are scaled down to `max_width_px`, none are where there is none."""
        self._max_width_px = max_width_px
        # One for all pictures: to prepare it takes as long as to convert two of them.
        self._reformatter = VideoReformatter()
        self._lock = threading.Lock()

    def convert(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """Return a picture as (h, w, 3) uint8 RGB."""
        with self._lock:
            return to_rgb(picture, self._max_width_px, self._reformatter)

    def size_px(self, picture: VideoFrame) -> tuple[int, int]:
        """Return the width and height that `convert` gives."""
        return _scaled_px(picture, self._max_width_px)


class DecodedFrame(Frame):
    """A picture that becomes RGB where somebody asks for that, once.

    It stays as it was beside that: brightness must be told in the same way of all pictures of a source.
    """

    __slots__ = ("_bright", "_converter", "_made", "_picture")
    _bright: Brightness | None
    _converter: RgbConverter
    _made: NDArray[np.uint8] | None
    _picture: VideoFrame

    def __init__(
        self, picture: VideoFrame, converter: RgbConverter, index: int, time_s: float, monotonic_s: float
    ) -> None:
        """Take a picture; the others as in `Frame`."""
        for name, value in (
            ("index", index), ("time_s", time_s), ("monotonic_s", monotonic_s),
            ("_picture", picture), ("_converter", converter), ("_made", None), ("_bright", None),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """Return it as (h, w, 3) uint8 RGB."""
        made = self._made
        if made is None:
            made = self._converter.convert(self._picture)
            object.__setattr__(self, "_made", made)
        return made

    @property
    def brightness(self) -> Brightness:
        """Return how bright it is, without a copy where the format allows; found out once."""
        bright = self._bright
        if bright is None:
            bright = self._brightness()
            object.__setattr__(self, "_bright", bright)
        return bright

    def _brightness(self) -> Brightness:
        picture = self._picture
        if picture.format.name not in _WITH_BRIGHTNESS or picture.planes[0].line_size < picture.width:
            return Brightness(self.rgb[:, :, 1])
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8, plane.line_size * plane.height)
        levels = rows.reshape(plane.height, plane.line_size)[:, : plane.width]
        is_full = picture.color_range == ColorRange.JPEG or picture.format.name.startswith(("yuvj", "gray"))
        return Brightness(levels) if is_full else Brightness(levels, _TV_BLACK, _TV_STEP)

    @property
    def width_px(self) -> int:
        """Return the width."""
        return self._converter.size_px(self._picture)[0]

    @property
    def height_px(self) -> int:
        """Return the height."""
        return self._converter.size_px(self._picture)[1]


def to_rgb(
    picture: VideoFrame, max_width_px: int | None, reformatter: VideoReformatter | None = None
) -> NDArray[np.uint8]:
    """Return a decoded picture as (h, w, 3) uint8 RGB, scaled down to at most `max_width_px`.

    Args:
        picture: As FFmpeg decoded it.
        max_width_px: None: as wide as it comes.
        reformatter: Of a source with many pictures alike; used in one thread at a time.
    """
    width_px, height_px = _scaled_px(picture, max_width_px)
    converted = (reformatter or VideoReformatter()).reformat(picture, width_px, height_px, "rgb24")
    return np.asarray(converted.to_ndarray(), dtype=np.uint8)


def _scaled_px(picture: VideoFrame, max_width_px: int | None) -> tuple[int, int]:
    width_px, height_px = picture.width, picture.height
    if max_width_px is None or width_px <= max_width_px:
        return width_px, height_px
    return max_width_px, max(1, round(height_px * max_width_px / width_px))
