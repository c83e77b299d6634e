"""The simulated user: what it is shown, what it labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.active.oracle import Round, play
from cloud.datasets.frames import LabelledFrame, PictureSource

POOL = [LabelledFrame(PictureSource(Path("a.mp4"), number), 10, 10, ()) for number in range(7)]


def first(_taught: object, _shown: object, left: Sequence[LabelledFrame], count: int) -> list[int]:
    return list(range(min(count, len(left))))


def correct_even(_taught: object, frame: LabelledFrame) -> tuple[LabelledFrame | None, int]:
    is_even = (frame.source.frame_index or 0) % 2 == 0
    return (frame, 3) if is_even else (None, 0)


def test_each_round_teaches_what_was_put_right_until_the_pool_runs_out() -> None:
    taught: list[list[int | None]] = []

    def teach(frames: Sequence[LabelledFrame]) -> int:
        taught.append([frame.source.frame_index for frame in frames])
        return len(frames)

    told = play(
        POOL[:2], POOL, 3, 3, teach=teach, measure=lambda count: count / 10, choose=first, answer=correct_even
    )
    assert told == [Round(2, 0, 0.2), Round(5, 6, 0.4), Round(7, 3, 0.5), Round(7, 0, 0.5)]
    assert taught[1:] == [[0, 1, 2, 4], [0, 1, 2, 4, 6], [0, 1, 2, 4, 6]]


@pytest.mark.parametrize("choice", [[0, 0], [9], [0, 1, 2, 3]])
def test_choice_that_is_none_is_refused(choice: list[int]) -> None:
    with pytest.raises(ValueError, match="no choice"):
        play(POOL[:1], POOL, 1, 3, teach=len, measure=float, choose=lambda *_: choice, answer=correct_even)
