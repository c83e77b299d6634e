"""Hostile pictures: refused by their first bytes, before anything is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cloud.errors import InputError
from cloud.offload.pictures import check_picture, decoded
from tests.cloud.homes import jpeg


def progressive(width_px: int, height_px: int, more_scans: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width_px, height_px)).save(stream, "JPEG", progressive=True)
    return stream.getvalue()[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * more_scans + b"\xff\xd9"


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (b"", "not a JPEG"),
        (b"GIF89a", "not a JPEG"),
        (b"\xff\xd8" + b"x" * 8_000_000, "bytes"),
        (jpeg(4800, 4800), "pixels"),
        (progressive(640, 480, more_scans=700), "scans"),
    ],
)
def test_picture_that_is_none_or_too_much_is_refused(picture: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_picture(picture)


@pytest.mark.parametrize("picture", [jpeg(320, 240), jpeg(3840, 2160), progressive(3840, 2160)])
def test_picture_of_a_camera_is_taken(picture: bytes) -> None:
    check_picture(picture)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_decoded_picture_has_three_channels(mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (32, 16), 200 if mode == "L" else (200, 10, 10)).save(stream, "JPEG")
    rgb = decoded(stream.getvalue())
    assert rgb.shape == (16, 32, 3)
    assert rgb.dtype == np.uint8
    assert abs(int(rgb[0, 0, 0]) - 200) < 4
