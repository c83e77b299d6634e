"""Pictures as the decoder left them."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from edge_agent.camera.decoded import DecodedFrame, RgbConverter, to_rgb
from edge_agent.pipeline.gate import small_grey
from edge_agent.vision.arrays import Rgb


def ramp(width_px: int = 176, height_px: int = 144) -> Rgb:
    """Return greys from black to white, from left to right."""
    levels = np.linspace(0, 255, width_px).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(levels[None, :, None], (height_px, width_px, 3)))


def decoded(rgb: Rgb, form: str, max_width_px: int | None = None) -> DecodedFrame:
    wide = ColorRange.JPEG if form.startswith("yuvj") else ColorRange.MPEG
    picture = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=form, dst_color_range=wide)
    return DecodedFrame(picture, RgbConverter(max_width_px), 3, 1000.0, 7.0)


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv422p", "nv12", "rgb24"])
def test_brightness_of_any_format_is_as_bright_as_the_picture(form: str) -> None:
    rgb = ramp()
    grey = small_grey(decoded(rgb, form).brightness, 44)
    black = 16 * 255.0 / 219.0 if form in {"yuv420p", "yuv422p", "nv12"} else 0.0
    assert np.abs(grey - black - small_grey(rgb, 44)).max() <= 2.0


@pytest.mark.parametrize(("max_width_px", "size_px"), [(None, (176, 144)), (88, (88, 72)), (400, (176, 144))])
def test_decoded_frame_tells_its_size_without_being_converted(
    max_width_px: int | None, size_px: tuple[int, int]
) -> None:
    frame = decoded(ramp(), "yuv420p", max_width_px)
    assert (frame.width_px, frame.height_px) == size_px
    assert frame._made is None
    assert frame.rgb.shape == (size_px[1], size_px[0], 3)
    assert frame.rgb is frame.rgb


def test_brightness_is_the_same_before_and_after_somebody_looked() -> None:
    frame = decoded(ramp(), "yuv420p")
    before = frame.brightness
    np.testing.assert_array_equal(frame.rgb, to_rgb(frame._picture, None))
    after = frame.brightness
    np.testing.assert_array_equal(after.levels, before.levels)
    assert (after.black, after.step) == (before.black, before.step)
