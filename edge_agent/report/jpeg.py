"""Two makers of JPEG files: OpenCV, and PyAV, which reads the cameras anyhow, for where memory is scarce."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ElfowlError

# Of FFmpeg's scale, 2 is the best; about one step for six of the usual quality.
_BEST_STEP, _STEPS_A_QUALITY = 2, 6.0


def by_opencv(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Return an (h, w, 3) uint8 RGB picture as JPEG.

    Raises:
        ElfowlError: The picture cannot be encoded.
    """
    import cv2

    try:
        done, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise _cannot(rgb) from error
    if not done:
        raise _cannot(rgb)
    return data.tobytes()


def by_pyav(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Return what `by_opencv` does, without OpenCV."""
    from fractions import Fraction  # noqa: PLC0415 - where memory is ample, never needed

    import av  # noqa: PLC0415
    from av.video.codeccontext import VideoCodecContext  # noqa: PLC0415
    from av.video.frame import VideoFrame  # noqa: PLC0415
    from av.video.reformatter import ColorRange  # noqa: PLC0415

    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise _cannot(rgb)
    codec = VideoCodecContext.create("mjpeg", "w")
    codec.height, codec.width = rgb.shape[:2]
    # Left alone, each picture gets a thread a core, with an encoder's memory each, and marks between parts.
    codec.thread_count = 1
    codec.pix_fmt, codec.time_base = "yuvj420p", Fraction(1, 1)
    step = str(max(_BEST_STEP, round(_BEST_STEP + (95 - quality) / _STEPS_A_QUALITY)))
    codec.options = {"qmin": step, "qmax": step}
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    try:
        picture = frame.reformat(format="yuvj420p", dst_color_range=ColorRange.JPEG)
        return b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)])
    except av.error.FFmpegError as error:
        raise _cannot(rgb) from error


def _cannot(rgb: NDArray[np.uint8]) -> ElfowlError:
    return ElfowlError(f"a picture of shape {rgb.shape} cannot be encoded as JPEG")
