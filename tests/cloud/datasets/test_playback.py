"""The playback copy: constant, small, and every frame of it known by the original's number."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from cloud.datasets.playback import PlaybackMap, make_playback
from cloud.datasets.video import iterate_frames, probe, read_frames
from cloud.errors import InputError
from tests.cloud.datasets.footage import shown_number, write_video


def test_make_playback_constant_rate_copies_frame_by_frame(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.avi", 45, codec="mpeg4")
    made = make_playback(source, tmp_path / "copy.mp4")
    assert made.source_frames == tuple(range(45))
    assert [shown_number(rgb) for _, rgb in iterate_frames(tmp_path / "copy.mp4")] == list(range(45))
    assert probe(tmp_path / "copy.mp4").constant_rate


def test_make_playback_variable_rate_maps_each_frame_to_the_one_it_shows(tmp_path: Path) -> None:
    times = [number * 100 for number in range(20)] + [4000 + number * 100 for number in range(20)]
    made = make_playback(write_video(tmp_path / "a.mp4", 40, times=times), tmp_path / "copy.mp4")
    shown = [shown_number(rgb) for _, rgb in iterate_frames(tmp_path / "copy.mp4")]
    assert shown == list(made.source_frames)
    assert set(shown) == set(range(40))
    assert shown.count(19) > 10, "the pause is filled with the frame before it"
    assert probe(tmp_path / "copy.mp4").constant_rate
    assert made.to_copy(20) == shown.index(20)


def test_make_playback_is_what_browsers_need(tmp_path: Path) -> None:
    source = write_video(tmp_path / "wide.mp4", 12, size_px=(1920, 540), fps=5)
    made = make_playback(source, tmp_path / "copy.mp4")
    assert (made.width_px, made.height_px) == (1280, 360)
    data = (tmp_path / "copy.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index is at the front"
    with av.open(str(tmp_path / "copy.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        keys = [number for number, packet in enumerate(container.demux(stream)) if packet.is_keyframe]
    assert keys[:3] == [0, 5, 10], "a key frame each second"


def test_make_playback_long_copy_can_be_sought_exactly(tmp_path: Path) -> None:
    make_playback(write_video(tmp_path / "a.avi", 300, codec="mpeg4"), tmp_path / "copy.mp4")
    read = list(read_frames(tmp_path / "copy.mp4", [120, 121, 290]))
    assert [shown_number(rgb) for _, rgb in read] == [120, 121, 290]


def test_make_playback_cancelled_leaves_no_file(tmp_path: Path) -> None:
    def cancel(_: float) -> None:
        raise KeyboardInterrupt

    source = write_video(tmp_path / "a.mp4", 30)
    with pytest.raises(KeyboardInterrupt):
        make_playback(source, tmp_path / "copy.mp4", cancel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


def test_make_playback_broken_source_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"a\.mp4"):
        make_playback(tmp_path / "a.mp4", tmp_path / "copy.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


def test_playback_map_left_out_and_missing_frames() -> None:
    mapping = PlaybackMap(10.0, 64, 64, (0, 0, 2, 3))
    assert mapping.to_source(1) == 0
    assert mapping.to_copy(0) == 0
    assert mapping.to_copy(1) is None
    with pytest.raises(InputError, match="no frame 4"):
        mapping.to_source(4)
