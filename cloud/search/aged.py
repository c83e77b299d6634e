"""Old events in Parquet files, read by DuckDB: figures and tables hold them, searches leave them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.search.chosen import Chosen
from cloud.store.aged_tables import AgedFileRow
from cloud.store.sources import Places, places_of

_AT_ONCE = 2000

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Aged:
    """The files in which events of a time may be, and which events of them count.

    `places`: only those from there, for files hold events of all workspaces; none: all.
    """

    paths: tuple[Path, ...]
    chosen: Chosen
    places: Places | None = None

    def rows(
        self, columns: str, *, end: str = "", since_s: float | None = None, any_label: bool = False
    ) -> Iterator[Row]:
        """Yield what DuckDB answers.

        Args:
            columns: What to select, in SQL over the columns of the files.
            end: What follows the conditions: how to group, order and limit.
            since_s: Starts count from here on, instead of what is chosen.
            any_label: Count all labels, whatever is chosen.
        """
        import duckdb  # noqa: PLC0415 - large, and there may be no old events

        wanted, values = _conditions(self, since_s, any_label=any_label)
        files = [str(path) for path in self.paths]
        # Only names of columns come from here: what people wrote is sent as values.
        sql = f"SELECT {columns} FROM read_parquet(?) WHERE {wanted} {end}"  # noqa: S608
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            answer = connection.execute(sql, [files, *values])
            while some := answer.fetchmany(_AT_ONCE):
                yield from some


def aged_of(session: Session, home: Path, chosen: Chosen, *, reach_s: float = 0.0) -> Aged | None:
    """Return the old events of a time; none when no file can hold one.

    Args:
        session: That reads the other events too: what it sees is in a file or a row, never in both.
        home: The folder below which files lie.
        chosen: Which events.
        reach_s: Events that began so long before the time count too.
    """
    rows = select(AgedFileRow.path).order_by(AgedFileRow.first_start)
    if chosen.since_s is not None:
        rows = rows.where(AgedFileRow.last_start >= chosen.since_s - reach_s)
    if chosen.until_s is not None:
        rows = rows.where(AgedFileRow.first_start < chosen.until_s)
    paths = tuple(home / path for path in session.scalars(rows))
    return Aged(paths, chosen, places_of(session)) if paths else None


def last_moved(session: Session) -> float | None:
    """Return when the newest event began that was moved, UTC seconds since 1970; none: none was."""
    found: Sequence[float] = session.scalars(
        select(AgedFileRow.last_start).order_by(AgedFileRow.last_start.desc()).limit(1)
    ).all()
    return found[0] if found else None


def _conditions(aged: Aged, since_s: float | None, *, any_label: bool) -> tuple[str, list[object]]:
    chosen, places = aged.chosen, aged.places
    begin_s = chosen.since_s if since_s is None else since_s
    given: tuple[tuple[str, object], ...] = (
        ("start_time >= ?", begin_s),
        ("start_time < ?", chosen.until_s),
        ("label = ?", None if any_label else chosen.label),
        ("camera = ?", chosen.camera),
        ("device = ?", chosen.device),
    )
    there = [(text, [value]) for text, value in given if value is not None]
    if places is not None:
        there.append(_from(places))
    wanted = " AND ".join(text for text, _ in there) or "true"
    return wanted, [value for _, values in there for value in values]


def _from(places: Places) -> tuple[str, list[object]]:
    # No name of a device or a camera holds this sign; an empty list would have no type.
    listed = ["", *(f"{device}/{camera}" for device, camera in sorted(places.pairs))]
    named = "(list_contains(?, device || '/') OR list_contains(?, device || '/' || camera))"
    return named if places.inside else f"NOT {named}", [listed, listed]
