"""The frozen test split: which frames measure every version of a detector, and are never learned from.

A frame is *near* another when it is of the same video and at most one second away, or when both are images
that look nearly equal. A test frame is never near a frame that any version was taught:

- frames to test on are drawn by runs in time, and only where no version has learned yet;
- frames given to test on that are near something taught are not admitted;
- frames labelled later that are near a test frame are kept out of training.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from pydantic import Field

from cloud.datasets.split import FEW_FRAMES
from cloud.evaluation.likeness import nearly_equal
from edge_agent.wire.base import Document

NEAR_S: Final = 1.0
TEST_SHARE: Final = 0.2
LEAST_TEST_FRAMES: Final = 5
_RUN_FRAMES = 8
_MOVE_CUT = 2
_KEPT_SHARE = 0.6


class FrameMark(Document):
    """Which frame this is, wherever its file lies.

    Attributes:
        file: SHA-256 of the video or image.
        frame: 0-based over decoded frames; 0 for an image.
        second: Where in its video; none for an image.
        likeness: Difference hash of an image; none for a frame of a video.
    """

    file: str
    frame: int = Field(0, ge=0)
    second: float | None = None
    likeness: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Return what makes it this frame and no other."""
        return self.file, self.frame


class FrozenSplit(Document):
    """What one detector is measured on; grows by frames that are given to test on, never shrinks by itself.

    `taught` lists by version what that version learned from.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    how: Literal["drawn", "given"] | None = None
    test: tuple[FrameMark, ...] = ()
    taught: dict[str, tuple[FrameMark, ...]] = Field(default_factory=dict)

    def with_taught(self, version: int, marks: Iterable[FrameMark]) -> FrozenSplit:
        """Return the same, with what a version learned from."""
        return self.model_copy(update={"taught": {**self.taught, str(version): tuple(marks)}})

    def clean_test(self, *versions: int) -> tuple[FrameMark, ...]:
        """Return the test frames that are near nothing that these versions were taught."""
        vicinity = Vicinity(mark for version in versions for mark in self.taught.get(str(version), ()))
        return tuple(mark for mark in self.test if not vicinity.covers(mark))

    def ever_taught(self) -> Vicinity:
        """Return what is near anything that any version was taught."""
        return Vicinity(mark for marks in self.taught.values() for mark in marks)


class Vicinity:
    """All that is near some frames."""

    def __init__(self, marks: Iterable[FrameMark]) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._files: set[str] = set()
        self._hashes: set[str] = set()
        for mark in marks:
            if mark.second is None:
                self._files.add(mark.file)
            else:
                self._seconds[mark.file].append(mark.second)
            if mark.likeness is not None:
                self._hashes.add(mark.likeness)

    def covers(self, mark: FrameMark) -> bool:
        """Return whether a frame is near one of them, or is one."""
        if mark.file in self._files:
            return True
        if mark.second is None:
            return mark.file in self._seconds or any(
                nearly_equal(mark.likeness, other) for other in self._hashes
            )
        return any(abs(second - mark.second) <= NEAR_S for second in self._seconds.get(mark.file, ()))


def leaks(train: Iterable[FrameMark], test: Iterable[FrameMark]) -> list[FrameMark]:
    """Return the frames to learn from that are near a test frame: none, or the test proves nothing."""
    vicinity = Vicinity(test)
    return [mark for mark in train if vicinity.covers(mark)]


@dataclass(frozen=True)
class Candidate:
    """A wholly labelled frame that might become a test frame: its file's name, the classes of its boxes."""

    mark: FrameMark
    name: str
    labels: tuple[str, ...]


def draw_test(candidates: Sequence[Candidate], taught: Vicinity) -> tuple[FrameMark, ...]:
    """Choose about a fifth of the frames, by runs in time, in an order that depends on the frames alone.

    Args:
        candidates: All frames that are wholly labelled; under 30 none is given away.
        taught: What earlier versions have learned from.

    Returns:
        At least 5 frames, so that every class keeps most of its boxes to be learned from; or none.
    """
    if len(candidates) < FEW_FRAMES:
        return ()
    wanted, total = round(len(candidates) * TEST_SHARE), _boxes(candidates)
    chosen: list[Candidate] = []
    for run in sorted(_runs(candidates), key=_drawn_order):
        if len(chosen) >= wanted:
            break
        too_many = len(chosen) + len(run) - wanted > wanted - len(chosen)
        if too_many or any(taught.covers(one.mark) for one in run):
            continue
        if _leaves_enough(candidates, [*chosen, *run], total):
            chosen += run
    enough = len(chosen) >= LEAST_TEST_FRAMES and any(one.labels for one in chosen)
    return tuple(one.mark for one in sorted(chosen, key=lambda one: one.mark.key)) if enough else ()


def _drawn_order(run: Sequence[Candidate]) -> str:
    """Return a number that nobody can choose, but that is the same every time."""
    return hashlib.sha256(f"{run[0].mark.file}#{run[0].mark.frame}".encode()).hexdigest()


def _boxes(candidates: Iterable[Candidate]) -> Counter[str]:
    return Counter(label for one in candidates for label in one.labels)


def _leaves_enough(candidates: Sequence[Candidate], test: Sequence[Candidate], total: Counter[str]) -> bool:
    """Return whether every class keeps its share of boxes once all near the test frames are kept out."""
    vicinity = Vicinity(one.mark for one in test)
    left = _boxes(one for one in candidates if not vicinity.covers(one.mark))
    return all(left[label] >= _KEPT_SHARE * count for label, count in total.items())


def _runs(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Return runs of about 8 neighbours: in time of each video; images, all together, by name."""
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        groups["" if one.mark.second is None else one.mark.file].append(one)
    return [run for group in groups.values() for run in _cut(group)]


def _cut(frames: Sequence[Candidate]) -> list[list[Candidate]]:
    """Cut frames into runs of about equal length, at the widest pause near each cut."""
    frames = sorted(frames, key=lambda one: (one.mark.second or 0.0, one.name, one.mark.key))
    count = max(1, round(len(frames) / _RUN_FRAMES))
    cuts = [0, *(_widest(frames, round(i * len(frames) / count)) for i in range(1, count)), len(frames)]
    return [list(frames[start:end]) for start, end in pairwise(cuts) if end > start]


def _widest(frames: Sequence[Candidate], position: int) -> int:
    nearby = range(max(1, position - _MOVE_CUT), min(len(frames), position + _MOVE_CUT + 1))

    def pause(cut: int) -> float:
        return (frames[cut].mark.second or 0.0) - (frames[cut - 1].mark.second or 0.0)

    return max(nearby, key=lambda cut: (pause(cut), -abs(cut - position)))
