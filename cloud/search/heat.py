"""Where in the picture of a camera things were."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.search.aged import Aged
from cloud.search.chosen import Chosen, conditions
from cloud.store.tables import EventState

COLUMNS, ROWS = 32, 18
MOST_EVENTS = 20_000


@dataclass(frozen=True)
class Heat:
    """How many events covered each cell of the picture.

    Attributes:
        cells: (ROWS, COLUMNS) int64, from the top left.
        events: How many were looked at, the newest ones.
        complete: Whether these were all.
        picture_of: The newest of them that came with a picture, as (device, event id); none: none did.
    """

    cells: NDArray[np.int64]
    events: int
    complete: bool
    picture_of: tuple[str, str] | None


def heat(session: Session, chosen: Chosen, most_events: int = MOST_EVENTS, aged: Aged | None = None) -> Heat:
    """Count where the last boxes of events were."""
    rows = select(EventState.body, EventState.device, EventState.event_id, EventState.has_thumbnail)
    rows = rows.where(*conditions(chosen)).order_by(EventState.start_time.desc()).limit(most_events + 1)
    cells = np.zeros((ROWS, COLUMNS), np.int64)
    events, picture_of = 0, None
    for body, device, event_id, has_thumbnail in session.execute(rows):
        if events == most_events:
            return Heat(cells, events, complete=False, picture_of=picture_of)
        events += 1
        add_box(cells, json.loads(body)["box"])
        if has_thumbnail and picture_of is None:
            picture_of = (device, event_id)
    newest = f"ORDER BY start_time DESC LIMIT {most_events + 1 - events}"
    for box in () if aged is None else aged.rows("x1, y1, x2, y2", end=newest):
        if events == most_events:
            return Heat(cells, events, complete=False, picture_of=picture_of)
        events += 1
        add_box(cells, (box[0], box[1], box[2], box[3]))
    return Heat(cells, events, complete=True, picture_of=picture_of)


def add_box(cells: NDArray[np.int64], box: tuple[float, float, float, float]) -> None:
    """Add one to each cell whose middle a box (normalised xyxy) covers, and to that of its own middle."""
    rows, columns = cells.shape
    left, top, right, bottom = box
    middle_row = min(rows - 1, max(0, int((top + bottom) / 2 * rows)))
    middle_column = min(columns - 1, max(0, int((left + right) / 2 * columns)))
    first_row, last_row = _covered(top, bottom, rows, middle_row)
    first_column, last_column = _covered(left, right, columns, middle_column)
    cells[first_row : last_row + 1, first_column : last_column + 1] += 1


def _covered(begin: float, end: float, count: int, middle: int) -> tuple[int, int]:
    """Return the first and last cell whose middle lies in a range of 0 to 1."""
    first = max(0, int(np.ceil(begin * count - 0.5)))
    last = min(count - 1, int(np.floor(end * count - 0.5)))
    return min(first, middle), max(last, middle)
