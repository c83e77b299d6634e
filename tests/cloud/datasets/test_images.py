"""Image files: upright, bounded, and refused in one line when they are not images."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud.datasets.frames import PictureSource
from cloud.datasets.images import decode_image, image_size, read_image
from cloud.datasets.pictures import read_picture, read_pictures
from cloud.errors import InputError
from tests.cloud.datasets.footage import shown_number, write_video


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def half_red() -> Image.Image:
    """Return a 40x20 picture, red on its left half."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20, 0] = 250
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1"])
def test_decode_image_any_mode_becomes_rgb(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    rgb = decode_image(encoded(half_red().convert(mode), kind), "a")
    assert rgb.shape == (20, 40, 3)
    assert rgb.dtype == np.uint8


@pytest.mark.parametrize(
    ("orientation", "red"),
    [
        *((1, "left"), (2, "right"), (3, "right"), (4, "left")),
        *((5, "top"), (6, "top"), (7, "bottom"), (8, "bottom")),
    ],
)
def test_decode_image_turns_as_exif_says(tmp_path: Path, orientation: int, red: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(half_red(), "JPEG", exif=exif, quality=95))
    rgb = read_image(path)
    assert image_size(path) == (rgb.shape[1], rgb.shape[0])
    height, width = rgb.shape[:2]
    spots = {
        "left": (height // 2, 4),
        "right": (height // 2, width - 5),
        "top": (4, width // 2),
        "bottom": (height - 5, width // 2),
    }
    assert {name for name, spot in spots.items() if rgb[spot][0] > 150} >= {red}
    assert rgb[spots[{"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[red]]][0] < 100


def png_that_claims(width_px: int, height_px: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        encoded(half_red(), "JPEG")[:200],
        encoded(half_red())[:60],
        encoded(half_red(), "GIF"),
        png_that_claims(60_000, 60_000),
        png_that_claims(8_001, 8_001),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "gif", "bomb", "just over"],
)
def test_decode_image_what_is_no_good_image_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InputError, match=r"upload\.png") as caught:
        decode_image(data, "upload.png")
    assert "\n" not in str(caught.value)


def test_read_image_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png"):
        read_image(tmp_path / "gone.png")


def test_read_pictures_mixes_images_and_video_frames(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "a.mp4", 20)
    (tmp_path / "b.png").write_bytes(encoded(half_red()))
    wanted = [PictureSource(clip, 11), PictureSource(tmp_path / "b.png"), PictureSource(clip, 2)]
    read = dict(read_pictures(wanted))
    assert set(read) == set(wanted)
    assert shown_number(read[PictureSource(clip, 11)]) == 11
    assert read[PictureSource(tmp_path / "b.png")].shape == (20, 40, 3)
    assert shown_number(read_picture(PictureSource(clip, 2))) == 2
