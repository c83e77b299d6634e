"""Frames of videos by number: always exactly the one that was asked for."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from cloud.datasets.playback import make_playback
from cloud.datasets.video import iterate_frames, probe, read_frames
from cloud.errors import InputError
from tests.cloud.datasets.footage import shown_number, write_video


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.avi", "mjpeg"), ("a.mp4", "mpeg4")],
)
def test_read_frames_any_container_gives_exactly_the_asked_frames(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = write_video(tmp_path / name, 160, codec=codec)
    wanted = [159, 0, 1, 13, 80, 81, 13, 158]
    read = list(read_frames(path, wanted))
    assert [index for index, _ in read] == sorted(set(wanted))
    assert [shown_number(rgb) for _, rgb in read] == sorted(set(wanted))


def test_read_frames_by_seeking_gives_the_same_pixels_as_decoding_all(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 200, gop=25)
    every = dict(iterate_frames(path))
    for index, rgb in read_frames(path, [3, 70, 149, 150, 199]):
        assert np.array_equal(rgb, every[index])


def test_read_frames_variable_rate_counts_frames_not_time(tmp_path: Path) -> None:
    times = [int(number * 100 + (number % 3) * 37 + (number // 50) * 900) for number in range(150)]
    path = write_video(tmp_path / "a.mp4", 150, times=times)
    assert [shown_number(rgb) for _, rgb in read_frames(path, [0, 49, 50, 51, 149])] == [0, 49, 50, 51, 149]
    assert not probe(path).constant_rate


def test_read_frames_none_asked_opens_nothing(tmp_path: Path) -> None:
    assert list(read_frames(tmp_path / "missing.mp4", [])) == []


@pytest.mark.parametrize("indices", [[5, 20], [100], [-1]])
def test_read_frames_beyond_the_end_is_refused(tmp_path: Path, indices: list[int]) -> None:
    path = write_video(tmp_path / "a.mp4", 20)
    with pytest.raises(InputError, match=r"a\.mp4"):
        list(read_frames(path, indices))


def test_probe_counts_and_measures(tmp_path: Path) -> None:
    facts = probe(write_video(tmp_path / "a.mp4", 25, fps=5))
    assert (facts.frames, facts.fps, facts.width_px, facts.height_px) == (25, 5.0, 192, 96)
    assert facts.rotation_degrees == 0
    assert facts.constant_rate


def _cut_short(path: Path) -> None:
    data = write_video(path, 40).read_bytes()
    path.write_bytes(data[: len(data) // 3])


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("not a video"),
        lambda path: path.write_bytes(bytes(range(256)) * 40),
        lambda path: path.unlink(missing_ok=True),
        lambda path: path.mkdir(),
        _cut_short,
    ],
    ids=["empty", "text", "noise", "missing", "folder", "cut short"],
)
def test_probe_what_is_no_video_is_refused_in_one_line(tmp_path: Path, make: object) -> None:
    path = tmp_path / "clip.mp4"
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"clip\.mp4") as caught:
        probe(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"clip\.mp4"):
        list(read_frames(path, [0]))


def _shown_turned_clockwise(path: Path) -> Path:
    """Write the display matrix of a phone held upright into an MP4 made by `write_video`."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def test_read_frames_turned_video_comes_upright(tmp_path: Path) -> None:
    path = _shown_turned_clockwise(write_video(tmp_path / "a.mp4", 12))
    facts = probe(path)
    assert (facts.width_px, facts.height_px, facts.rotation_degrees) == (96, 192, 270)
    (_, rgb), *_ = read_frames(path, [9])
    assert rgb.shape == (192, 96, 3)
    assert shown_number(np.rot90(rgb)) == 9


def test_make_playback_turned_video_is_upright_without_a_matrix(tmp_path: Path) -> None:
    made = make_playback(_shown_turned_clockwise(write_video(tmp_path / "a.mp4", 12)), tmp_path / "copy.mp4")
    assert (made.width_px, made.height_px) == (96, 192)
    (_, rgb), *_ = read_frames(tmp_path / "copy.mp4", [9])
    assert shown_number(np.rot90(rgb)) == 9
    assert probe(tmp_path / "copy.mp4").rotation_degrees == 0
