"""Files and pictures as sources, and what is said when they cannot be read."""

from __future__ import annotations

import socket
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_agent.camera.open_source import open_source
from edge_agent.errors import CameraError
from tests.edge_agent.camera.conftest import FPS, PICTURES
from tests.fakes.clock import FakeClock


def test_video_as_fast_as_possible_gives_every_picture_dated_by_position(clip: Path) -> None:
    clock = FakeClock()
    frames = list(open_source(str(clip), clock=clock, real_time=False))
    assert [f.index for f in frames] == list(range(PICTURES))
    assert not clock.slept_s
    assert frames[0].rgb.shape == (120, 160, 3)
    assert frames[0].rgb.dtype == np.uint8
    assert [f.time_s - clock.now_s() for f in frames] == pytest.approx([i / FPS for i in range(PICTURES)])
    assert all(b.rgb.mean() > a.rgb.mean() for a, b in pairwise(frames))


def test_video_in_real_time_takes_its_own_time(clip: Path) -> None:
    clock = FakeClock()
    list(open_source(str(clip), clock=clock))
    assert sum(clock.slept_s) == pytest.approx((PICTURES - 1) / FPS, abs=0.01)


def test_video_in_real_time_waits_only_for_the_pictures_it_gives(clip: Path) -> None:
    clock = FakeClock()
    frames = list(open_source(str(clip), clock=clock, max_fps=5))
    assert [frame.index for frame in frames] == list(range(0, PICTURES, 2))
    assert clock.slept_s == pytest.approx([2 / FPS] * (len(frames) - 1))


def test_video_looped_goes_on_in_number_and_time(clip: Path) -> None:
    source = open_source(str(clip), clock=FakeClock(), real_time=False, loop=True)
    frames = list(islice(source, 3 * PICTURES))
    source.close()
    assert [f.index for f in frames] == list(range(3 * PICTURES))
    steps_s = [b.monotonic_s - a.monotonic_s for a, b in pairwise(frames)]
    assert steps_s == pytest.approx([1 / FPS] * (3 * PICTURES - 1))


def test_video_with_fewer_and_smaller_pictures(clip: Path) -> None:
    frames = list(open_source(str(clip), clock=FakeClock(), real_time=False, max_fps=5, max_width_px=64))
    assert len(frames) == PICTURES / 2
    assert frames[0].rgb.shape == (48, 64, 3)


def test_picture_is_given_once_or_every_second_when_looped(photo: Path) -> None:
    (frame,) = open_source(str(photo), clock=FakeClock())
    assert frame.rgb.shape == (60, 80, 3)
    assert tuple(frame.rgb[30, 40]) == (200, 0, 0)
    clock = FakeClock()
    looped = list(islice(open_source(str(photo), clock=clock, loop=True), 3))
    assert [f.time_s for f in looped] == pytest.approx([looped[0].time_s + i for i in range(3)])


def test_close_twice_is_fine(clip: Path) -> None:
    source = open_source(str(clip))
    source.close()
    source.close()
    assert not list(source)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("/no/such/file.mp4", "no such file"),
        ("/no/such/picture.png", "no such file"),
        ("{folder}", "is a folder"),
        ("{folder}/text.mp4", "not a video"),
        ("{folder}/empty.mp4", "not a video"),
        ("{folder}/sound.wav", "no video track"),
        ("/dev/video99", "no such webcam"),
        ("rtsp://me:hidden@127.0.0.1:{port}/live", "refused"),
        ("http://me:hidden@127.0.0.1:{port}/live.mjpg", "refused"),
        ("http://me:hidden@127.0.0.1:{port}/now.jpg", "cannot be reached"),
    ],
)
def test_open_source_that_cannot_be_read_says_what_to_do(tmp_path: Path, uri: str, says: str) -> None:
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "sound.wav").write_bytes(
        b"RIFF\x64\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\0\0\0"
        + b"\x80" * 64
    )
    where = uri.format(folder=tmp_path, port=_free_port())
    with pytest.raises(CameraError, match=says) as caught:
        next(iter(open_source(where)))
    text = str(caught.value)
    assert "\n" not in text
    assert "hidden" not in text
    assert caught.value.__cause__ is None, "the library's own text may hold the password"


def test_open_source_playlist_in_disguise_is_not_followed(tmp_path: Path) -> None:
    trap = tmp_path / "clip.mp4"
    trap.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n")
    with pytest.raises(CameraError):
        next(iter(open_source(str(trap))))
