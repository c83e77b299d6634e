"""Events as a table, for other programs: CSV, a row at a time, and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.search.aged import Aged
from cloud.search.chosen import Chosen, conditions
from cloud.search.counts import harmless
from cloud.store.tables import EventState

COLUMNS = {
    "device": "VARCHAR", "event_id": "VARCHAR", "camera": "VARCHAR", "label": "VARCHAR",
    "start_utc": "TIMESTAMP", "start_time": "DOUBLE", "last_seen": "DOUBLE", "seconds": "DOUBLE",
    "top_score": "DOUBLE", "x1": "DOUBLE", "y1": "DOUBLE", "x2": "DOUBLE", "y2": "DOUBLE", "zones": "VARCHAR",
    "detector_id": "VARCHAR", "detector_version": "INTEGER", "answered_by": "VARCHAR",
}  # fmt: skip
"""Name and type (of DuckDB) of each column; times are UTC seconds since 1970, boxes normalised xyxy."""

_AT_ONCE = 1000
_TEXTS = ", ".join(COLUMNS).replace("start_utc", "strftime(start_utc, '%Y-%m-%d %H:%M:%S.%f')")

Row = tuple[object, ...]


def rows_of(session: Session, chosen: Chosen, aged: Aged | None = None) -> Iterator[Row]:
    """Yield a row for each event, those in files and then the others, in the order of `COLUMNS`."""
    if aged is not None:
        for row in aged.rows(_TEXTS, end="ORDER BY start_time"):
            yield tuple("" if value is None else value for value in row)
    states = select(EventState).where(*conditions(chosen)).order_by(EventState.start_time)
    yield from map(row_of, session.scalars(states.execution_options(yield_per=_AT_ONCE)))


def row_of(state: EventState) -> Row:
    """Return the row of one event."""
    event = json.loads(state.body)
    begin = datetime.fromtimestamp(state.start_time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    zones = ";".join(event.get("zones", {}).get("entered", ()))
    return (
        state.device, state.event_id, state.camera, state.label, begin, state.start_time,
        state.frame_time, state.frame_time - state.start_time, event["top_score"], *event["box"], zones,
        state.detector_id, state.detector_version, state.answered_by,
    )  # fmt: skip


def csv_of(
    rows: Iterable[Row], *, for_people: bool = True, columns: Iterable[str] = COLUMNS
) -> Iterator[str]:
    """Yield a table with a head line, some rows at a time.

    Args:
        rows: As `rows_of` gives them.
        for_people: Keep spreadsheets from running what looks like a formula.
        columns: The names in the head line.
    """
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([harmless(one) if for_people and isinstance(one, str) else one for one in row])
        if number % _AT_ONCE == 0:
            yield stream.getvalue()
            stream.seek(0)
            stream.truncate()
    yield stream.getvalue()


def write_parquet(rows: Iterable[Row], path: Path, columns: Mapping[str, str] = COLUMNS) -> None:
    """Write a Parquet file of these columns; a CSV file lies beside it meanwhile."""
    import duckdb  # noqa: PLC0415 - large, and only who exports needs it

    table = path.with_suffix(".csv")
    try:
        with table.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(csv_of(rows, for_people=False, columns=columns))
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            read = connection.read_csv(
                str(table), header=True, columns=dict(columns), quotechar='"', escapechar='"'
            )
            read.write_parquet(str(path), compression="zstd")
    finally:
        table.unlink(missing_ok=True)
