"""Videos that browsers show as they are need no copy; all others do. Frame numbers survive as short rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.datasets.playable import shows_itself
from cloud.datasets.playback import frames_of, make_playback, runs_of
from cloud.datasets.video import probe
from tests.cloud.datasets.footage import write_video


def test_playback_copy_shows_itself(tmp_path: Path) -> None:
    made = make_playback(write_video(tmp_path / "a.avi", 25, codec="mpeg4"), tmp_path / "copy.mp4")
    assert shows_itself(tmp_path / "copy.mp4") == made
    assert probe(tmp_path / "copy.mp4").frames == made.frames


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("a.avi", {"codec": "mpeg4"}),
        ("a.mkv", {"b_frames": 0, "gop": 5}),
        ("a.mp4", {"b_frames": 2, "gop": 5}),
        ("a.mp4", {"b_frames": 0, "gop": 20}),
        ("a.mp4", {"b_frames": 0, "gop": 5, "size_px": (1920, 96)}),
        ("a.mp4", {"b_frames": 0, "gop": 5, "times": [0, 100, 200, 500, 600]}),
    ],
    ids=["codec", "container", "order", "few key frames", "wide", "pause"],
)
def test_other_videos_need_a_copy(tmp_path: Path, name: str, changes: dict[str, object]) -> None:
    times = changes.get("times")
    count = len(times) if isinstance(times, list) else 30
    path = write_video(tmp_path / name, count, **changes)  # type: ignore[arg-type]
    assert shows_itself(path) is None


@given(
    st.lists(st.integers(0, 2), max_size=60).map(lambda steps: [sum(steps[:n]) for n in range(len(steps))])
)
def test_frame_numbers_survive_as_rows(frames: list[int]) -> None:
    assert frames_of(runs_of(frames)) == tuple(frames)


def test_rows_of_a_constant_rate_are_one() -> None:
    assert runs_of(range(1000)) == [[0, 1000, 1]]
