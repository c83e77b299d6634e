"""Frames labelled where they lie, for programs that measure live teaching."""

from __future__ import annotations

from pathlib import Path

from cloud.actions.lessons import gather
from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.worker.resident import put_frames
from tests.cloud.homes import add_detector, make_home
from tests.cloud.training.scenes import draw_scene


def test_frames_put_are_what_the_detector_learns_from(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    detector_id = add_detector(home)
    pictures = [draw_scene(tmp_path, number) for number in range(3)]
    empty = LabelledFrame(PictureSource(tmp_path / "clip.avi", 40), 64, 48, ())
    put_frames(home, detector_id, [*pictures[:2], empty])
    put_frames(home, detector_id, [pictures[2], pictures[0]])

    frames = gather(home, detector_id).frames
    assert {frame.source for frame in frames} == {one.source for one in (*pictures, empty)}
    assert [frame for frame in frames if frame.source == pictures[0].source] == [pictures[0]]
