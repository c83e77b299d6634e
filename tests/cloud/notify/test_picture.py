"""What picture leaves."""

from __future__ import annotations

import pytest

from cloud.notify.picture import alert_picture
from tests.cloud.notify.pictures import largest_jump, pixels, striped


@pytest.mark.parametrize(("width_px", "height_px"), [(1280, 720), (320, 180), (64, 48), (200, 900)])
@pytest.mark.parametrize("clear", [False, True])
def test_picture_is_never_larger_than_320_px_nor_says_where_it_was_made(
    width_px: int, height_px: int, clear: bool
) -> None:
    sent = alert_picture(striped(width_px, height_px), clear=clear)
    assert max(pixels(sent).shape) <= 320
    assert sent is not None
    assert b"at home" not in sent


def test_picture_loses_its_details_unless_the_owner_chose_clear() -> None:
    jpeg = striped(320, 180)
    assert largest_jump(alert_picture(jpeg, clear=True)) > 150
    assert largest_jump(alert_picture(jpeg, clear=False)) < 8


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a", striped(64, 48)[:300]])
def test_bytes_that_are_no_picture_are_not_sent(data: bytes) -> None:
    assert alert_picture(data, clear=True) is None
