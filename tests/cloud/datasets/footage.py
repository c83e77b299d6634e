"""Makes small videos whose frames say their own number, so that a test sees which frame it got."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

from edge_agent.vision.arrays import Rgb

_BITS = 10
_BLOCK_PX = 16


def numbered_picture(number: int, width_px: int = 192, height_px: int = 96) -> Rgb:
    """Return a picture that shows `number` in blocks of black and white, least bit first."""
    rgb = np.full((height_px, width_px, 3), 90, np.uint8)
    for bit in range(_BITS):
        left = bit * _BLOCK_PX
        rgb[:_BLOCK_PX, left : left + _BLOCK_PX] = 255 if number >> bit & 1 else 0
    return rgb


def shown_number(rgb: Rgb) -> int:
    """Return the number that a picture of any scale shows."""
    block = rgb.shape[1] * _BLOCK_PX / 192
    return sum(int(rgb[int(block / 2), int(block * (bit + 0.5))].mean() > 128) << bit for bit in range(_BITS))


def write_video(
    path: Path,
    count: int,
    *,
    codec: str = "libx264",
    fps: int = 10,
    times: list[int] | None = None,
    gop: int = 12,
    size_px: tuple[int, int] = (192, 96),
    b_frames: int = 2,
) -> Path:
    """Write `count` numbered frames; `times` are presentation times in 1/1000 s, else a constant rate."""
    options = {"g": str(gop)}
    if codec == "libx264":
        options |= {"bf": str(b_frames), "crf": "12", "preset": "ultrafast"}
    with av.open(str(path), "w") as output:
        stream = cast("VideoStream", output.add_stream(codec, rate=fps, options=options))
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        base = Fraction(1, 1000) if times else Fraction(1, fps)
        stream.codec_context.time_base = base
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number, *size_px), format="rgb24")
            frame.pts = times[number] if times else number
            frame.time_base = base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
