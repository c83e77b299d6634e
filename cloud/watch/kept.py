"""What a version saw in a video, in one file that grows while the video is looked at.

A row is 16 bytes: the frame, the class, the score and the box in 1/65535 of the picture. A frame in which
nothing was seen has one row that says so; a frame that was not looked at has none. After each part comes a
mark that names the frame to be looked at next; what stands behind the last mark was cut off and is dropped.
So a file can be read while it is written, and the work goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from cloud.store.files import storing, write_file
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

Frames = Literal["motion", "every"]
"""Which frames are looked at: those in which something moves, or each of them."""

ROW = np.dtype([("frame", "<u4"), ("label", "<u2"), ("score", "<u2"), ("box", "<u2", (4,))])
NOTHING = 0xFFFF
_MARK = 0xFFFE
_FULL = 0xFFFF
_FACTS_FILE, _ROWS_FILE = "facts.json", "rows.bin"

Rows = NDArray[np.void]


class Facts(BaseModel):
    """What the rows are about; `labels` are the classes in the order of the numbers in the rows."""

    model_config = ConfigDict(frozen=True)

    labels: tuple[str, ...]
    frame_count: int


@dataclass(frozen=True)
class Seen:
    """One frame that was looked at: what was seen in it, best first."""

    frame: int
    detections: tuple[Detection, ...]


@dataclass(frozen=True)
class Kept:
    """What is known so far: all frames before `until` are done, looked at or passed over."""

    facts: Facts
    until: int
    rows: Rows

    @property
    def is_whole(self) -> bool:
        """Return whether the whole video was looked at."""
        return self.until >= self.facts.frame_count

    def between(self, first: int, end: int) -> list[Seen]:
        """Return the frames from `first` up to, without, `end` that were looked at."""
        frames = self.rows["frame"]
        part = self.rows[np.searchsorted(frames, first) : np.searchsorted(frames, end)]
        starts = np.flatnonzero(np.diff(part["frame"], prepend=-1))
        return [self._seen(rows) for rows in np.split(part, starts[1:])] if len(part) else []

    def _seen(self, rows: Rows) -> Seen:
        found = [
            Detection(
                label=self.facts.labels[row["label"]], score=row["score"] / _FULL, box=_box_of(row["box"])
            )
            for row in rows
            if row["label"] != NOTHING
        ]
        return Seen(int(rows["frame"][0]), tuple(found))


def read_kept(folder: Path) -> Kept | None:
    """Return what is kept in a folder; none when nothing is, or when it cannot be used any more."""
    try:
        facts = Facts.model_validate_json((folder / _FACTS_FILE).read_bytes())
        data = (folder / _ROWS_FILE).read_bytes()
    except (OSError, ValidationError):
        return None
    rows, until = _marked(data)
    return Kept(facts, until, rows[rows["label"] != _MARK])


def _marked(data: bytes) -> tuple[Rows, int]:
    """Return the rows up to the last mark, and the frame that it names."""
    rows: Rows = np.frombuffer(data[: len(data) // ROW.itemsize * ROW.itemsize], ROW)
    marks = np.flatnonzero(rows["label"] == _MARK)
    if not len(marks):
        return rows[:0], 0
    return rows[: marks[-1] + 1], int(rows["frame"][marks[-1]])


class Keeper:
    """Adds what was seen to the files of a folder; goes on where the last one was stopped.

    `until` is the frame to be looked at next.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        """Open the files.

        Raises:
            StorageError: The disk is full or read-only.
        """
        self._path = folder / _ROWS_FILE
        known = read_kept(folder)
        if known is None or known.facts != facts:
            self._path.unlink(missing_ok=True)
            write_file(folder / _FACTS_FILE, facts.model_dump_json().encode())
        self._labels = {name: number for number, name in enumerate(facts.labels)}
        with storing(self._path):
            self._file: BinaryIO = self._path.open("ab+")
            self._file.seek(0)
            rows, self.until = _marked(self._file.read())
            self._file.truncate(rows.nbytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, seen: Sequence[Seen], until: int) -> None:
        """Keep frames, ascending; everything before `until` is done with them.

        Raises:
            StorageError: The disk is full.
        """
        rows = [row for one in seen for row in self._rows_of(one)]
        part = np.array([*rows, (until, _MARK, 0, (0, 0, 0, 0))], ROW)
        with storing(self._path):
            self._file.write(part.tobytes())
            self._file.flush()
        self.until = until

    def _rows_of(self, one: Seen) -> list[tuple[int, int, int, tuple[int, ...]]]:
        if not one.detections:
            return [(one.frame, NOTHING, 0, (0, 0, 0, 0))]
        return [
            (one.frame, self._labels[each.label], round(each.score * _FULL), _to_row(each.box))
            for each in one.detections
        ]


def _to_row(box: XyxyNorm) -> tuple[int, ...]:
    return tuple(round(min(1.0, max(0.0, side)) * _FULL) for side in box)


def _box_of(sides: NDArray[np.uint16]) -> XyxyNorm:
    x1, y1, x2, y2 = (round(float(side) / _FULL, 5) for side in sides)
    return (x1, y1, x2, y2)
