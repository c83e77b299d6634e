"""A picture of any shape into the network's input, keeping its aspect, and boxes back again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.errors import CameraError
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.resize import resize


@dataclass(frozen=True)
class Letterboxed:
    """A picture inside the network's input, and where it lies there.

    `pixels` is `(height, width, 3) uint8`; the picture fills `content_width_px` x `content_height_px` of it
    from (`left_px`, `top_px`), the rest is padding.
    """

    pixels: Rgb
    scale: float
    left_px: int
    top_px: int
    content_width_px: int
    content_height_px: int
    source_width_px: int
    source_height_px: int

    def to_source_norm(self, boxes_px: Float32) -> Float32:
        """Map boxes from input pixels to fractions of the source picture, cut at its edges.

        Args:
            boxes_px: `(n, 4) float32 xyxy` in pixels of the letterboxed input.

        Returns:
            `(n, 4) float32 xyxy`, each in 0..1.
        """
        offset, size = self._placement()
        fractions = (boxes_px.astype(np.float64) - offset) / size
        return np.clip(fractions, 0.0, 1.0).astype(np.float32)

    def to_input_px(self, boxes_norm: Float32) -> Float32:
        """Map boxes from fractions of the source picture to input pixels: the inverse of `to_source_norm`."""
        offset, size = self._placement()
        return (boxes_norm.astype(np.float64) * size + offset).astype(np.float32)

    def _placement(self) -> tuple[Float32, Float32]:
        # The content's rounded size, not `scale`, is what the pixels were really stretched by.
        offset = np.array([self.left_px, self.top_px] * 2, np.float32)
        size = np.array([self.content_width_px, self.content_height_px] * 2, np.float32)
        return offset, size


def letterbox(rgb: Rgb, width_px: int, height_px: int, pad_value: int) -> Letterboxed:
    """Fit a picture into `width_px` x `height_px`, centred, and fill the rest with `pad_value`.

    Shrinks by area averaging, so that thin things do not vanish; enlarges by bilinear interpolation.

    Args:
        rgb: `(h, w, 3) uint8`.
        width_px: Width of the network's input.
        height_px: Height of the network's input.
        pad_value: Grey of the padding, 0..255.

    Raises:
        CameraError: The picture is empty or not `(h, w, 3) uint8`.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        message = f"expected a picture (h, w, 3) uint8, got {rgb.shape} {rgb.dtype}"
        raise CameraError(message)
    source_height_px, source_width_px = rgb.shape[:2]
    scale = min(width_px / source_width_px, height_px / source_height_px)
    content_width_px = min(width_px, max(1, round(source_width_px * scale)))
    content_height_px = min(height_px, max(1, round(source_height_px * scale)))
    left_px = (width_px - content_width_px) // 2
    top_px = (height_px - content_height_px) // 2
    content = resize(rgb, content_width_px, content_height_px)
    if content.shape == (height_px, width_px, 3):
        pixels = content
    else:
        pixels = np.full((height_px, width_px, 3), pad_value, np.uint8)
        pixels[top_px : top_px + content_height_px, left_px : left_px + content_width_px] = content
    return Letterboxed(
        pixels=pixels,
        scale=scale,
        left_px=left_px,
        top_px=top_px,
        content_width_px=content_width_px,
        content_height_px=content_height_px,
        source_width_px=source_width_px,
        source_height_px=source_height_px,
    )
