"""Snapshots: small, and unrecognisable unless chosen otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import ElfowlError
from edge_agent.report.snapshots import SnapshotStyle, encode_jpeg, make_snapshot, shrink

BOX = np.array([[0.25, 0.25, 0.75, 0.75]], np.float32)


def checkerboard(height_px: int = 480, width_px: int = 640) -> NDArray[np.uint8]:
    """Return fine detail: what must not survive blurring."""
    rows, columns = np.mgrid[0:height_px, 0:width_px]
    board = ((rows // 8 + columns // 8) % 2 * 255).astype(np.uint8)
    return np.repeat(board[:, :, None], 3, axis=2)


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)[:, :, ::-1]


def contrast(rgb: NDArray[np.uint8]) -> float:
    return float(rgb.astype(np.float32).std())


@pytest.mark.parametrize(
    ("style", "inside_kept", "outside_kept"),
    [("picture", False, False), ("boxes", False, True), ("clear", True, True)],
)
def test_snapshot_style_keeps_detail_only_where_allowed(
    style: SnapshotStyle, inside_kept: bool, outside_kept: bool
) -> None:
    picture = decode(make_snapshot(checkerboard(), BOX, style=style, outline=False))
    assert picture.shape == (240, 320, 3)
    assert (contrast(picture[70:170, 90:230]) > 80) is inside_kept
    assert (contrast(picture[:50, :]) > 80) is outside_kept


def test_snapshot_by_default_hides_a_face_that_fills_the_picture() -> None:
    whole = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
    picture = decode(make_snapshot(checkerboard(), whole, outline=False))
    cells = {tuple(cell) for cell in (picture[::30, ::40, 0] // 32).tolist()}
    assert contrast(picture) < 30
    assert len(cells) <= 8


def test_snapshot_without_boxes_of_tall_picture_fits() -> None:
    picture = decode(make_snapshot(checkerboard(1000, 100), np.zeros((0, 4), np.float32), max_px=200))
    assert picture.shape == (200, 20, 3)


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (1, 1, 1, 1), (0.5, 0.5, 0.5001, 0.5001), (-1, -1, 2, 2)])
def test_snapshot_of_odd_box_is_still_made(box: tuple[float, ...]) -> None:
    assert decode(make_snapshot(checkerboard(64, 64), np.array([box], np.float32))).shape == (64, 64, 3)


def test_shrink_returns_a_copy() -> None:
    picture = checkerboard(16, 16)
    small = shrink(picture, 320)
    small[:] = 7
    assert picture.max() == 255


def test_encode_empty_picture_is_an_error() -> None:
    with pytest.raises(ElfowlError, match="cannot be encoded"):
        encode_jpeg(np.zeros((0, 0, 3), np.uint8), 80)
