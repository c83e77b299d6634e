"""The small picture of an alert: made anew here, so that nothing leaves but what was meant to."""

from __future__ import annotations

import io

from PIL import Image, ImageFilter

LONGEST_PX = 320
_CELLS = 24
_MOST_PX = 4096
_JPEG_QUALITY = 80


def alert_picture(jpeg: bytes, *, clear: bool) -> bytes | None:
    """Return a JPEG of at most 320 px without metadata, or none when the bytes are no fit picture.

    Args:
        jpeg: What the camera sent; hostile until it is decoded.
        clear: The owner chose to send it as it came; else it is made unrecognisable, whatever the camera
            did: at most 24 cells along the longer side are left.
    """
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as opened:
            if max(opened.size) > _MOST_PX:
                return None
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    picture.thumbnail((LONGEST_PX, LONGEST_PX))
    if not clear:
        picture = _blurred(picture)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()


def _blurred(picture: Image.Image) -> Image.Image:
    """Return a picture of which only rough colours are left."""
    width_px, height_px = picture.size
    scale = min(1.0, _CELLS / max(width_px, height_px))
    few = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    rough = picture.resize(few, Image.Resampling.BOX)
    large = rough.resize((width_px, height_px), Image.Resampling.BILINEAR)
    return large.filter(ImageFilter.GaussianBlur(2))
