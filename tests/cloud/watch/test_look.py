"""A video is looked through part by part, and never twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cloud.watch.kept import Facts, Frames, Keeper, read_kept
from cloud.watch.look import look_through
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

COUNT = 100
MOVES = range(60, 80)


class SquareSeer:
    """Sees the bright square, and counts the pictures that it was shown."""

    def __init__(self) -> None:
        self.pictures = 0

    def see(self, pictures: Sequence[Rgb]) -> list[list[Detection]]:
        self.pictures += len(pictures)
        there = Detection(label="square", score=0.9, box=(0.1, 0.1, 0.2, 0.2))
        return [[there] if rgb.max() > 200 else [] for rgb in pictures]


def frames() -> Iterator[tuple[int, Rgb]]:
    for index in range(COUNT):
        rgb = np.full((96, 128, 3), 60, np.uint8)
        if index in MOVES:
            left = 4 * (index - MOVES.start)
            rgb[30:60, left : left + 30] = 250
        yield index, rgb


def look(folder: Path, seer: SquareSeer, which: Frames, stop_at: int = COUNT) -> None:
    facts = Facts(labels=("square",), frame_count=COUNT)
    with Keeper(folder, facts) as keeper:
        for until in look_through(frames(), seer.see, keeper, fps=10.0, which=which, count=COUNT):
            if until >= stop_at:
                return


def test_every_frame_is_looked_at_once_also_after_a_stop(tmp_path: Path) -> None:
    seer = SquareSeer()

    look(tmp_path, seer, "every", stop_at=32)
    look(tmp_path, seer, "every")
    look(tmp_path, seer, "every")

    kept = read_kept(tmp_path)
    assert kept is not None
    assert kept.is_whole
    assert seer.pictures == COUNT
    assert [one.frame for one in kept.between(0, COUNT)] == list(range(COUNT))
    assert [one.frame for one in kept.between(0, COUNT) if one.detections] == list(MOVES)


def test_frames_without_motion_are_passed_over(tmp_path: Path) -> None:
    seer = SquareSeer()

    look(tmp_path, seer, "motion")

    kept = read_kept(tmp_path)
    assert kept is not None
    assert kept.is_whole
    assert seer.pictures < COUNT
    assert set(MOVES) <= {one.frame for one in kept.between(0, COUNT)}
