"""Figures of what was seen are those that looking at every event and every pair gives."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from cloud.search.chosen import Chosen
from cloud.search.dwell import dwell
from cloud.search.export import COLUMNS, csv_of, rows_of, write_parquet
from cloud.search.heat import COLUMNS as CELLS_ACROSS
from cloud.search.heat import ROWS, add_box, heat
from cloud.search.judge import Seen, Span
from cloud.search.parse import parse_query
from cloud.search.together import together
from tests.cloud.search.seen import START_S, row_of, seen, several
from tests.cloud.search.test_find import fill, oracle, session

__all__ = ["session"]

PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@PROPERTY
@given(events=several(), since=st.none() | st.integers(0, 1200), label=st.sampled_from((None, "dog")))
def test_pairs_counted_are_those_that_the_search_with_finds(
    session: Session, events: list[Seen], since: int | None, label: str | None
) -> None:
    fill(session, events)
    since_s = None if since is None else START_S + since
    span = Span(-1e12 if since_s is None else since_s, START_S + 2000)
    found = together(session, Chosen(since_s=since_s, until_s=START_S + 2000, label=label))
    for pair in (("dog", "dog"), ("dog", "person"), ("person", "person")):
        expected = len(oracle(parse_query(f"{pair[0]} with {pair[1]}"), events, span))
        assert found.moments.get(pair, 0) == (expected if label in {None, *pair} else 0)


def test_pairs_of_too_many_events_are_told_to_be_incomplete(session: Session) -> None:
    fill(session, [seen(event_id=f"event-{number:03}") for number in range(5)])
    found = together(session, Chosen(), most_events=3)
    assert (found.moments, found.events, found.complete) == ({("person", "person"): 3}, 3, False)


@PROPERTY
@given(events=several())
def test_time_in_sight_is_that_of_every_event(session: Session, events: list[Seen]) -> None:
    fill(session, events)
    found = {(one.label, one.device, one.camera): one for one in dwell(session, Chosen())}
    lengths: dict[tuple[str, str, str], list[float]] = {}
    for one in events:
        lengths.setdefault((one.label, one.device, one.camera), []).append(one.until_s - one.start_s)
    assert found.keys() == lengths.keys()
    for key, expected in lengths.items():
        stay = found[key]
        over_s, up_to_s = stay.half_s
        lower = sorted(expected)[(len(expected) - 1) // 2]
        assert (stay.events, stay.longest_s) == (len(expected), max(expected))
        assert stay.mean_s == pytest.approx(sum(expected) / len(expected))
        assert over_s < lower or over_s == 0
        assert up_to_s is None or lower <= up_to_s
        assert median(expected) >= over_s


@given(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(
        lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
    )
)
def test_box_heats_the_cells_whose_middle_it_covers(box: tuple[float, float, float, float]) -> None:
    cells = np.zeros((ROWS, CELLS_ACROSS), np.int64)
    add_box(cells, box)
    y, x = np.mgrid[:ROWS, :CELLS_ACROSS]
    x, y = (x + 0.5) / CELLS_ACROSS, (y + 0.5) / ROWS
    covered = (x >= box[0] + 1e-9) & (x <= box[2] - 1e-9) & (y >= box[1] + 1e-9) & (y <= box[3] - 1e-9)
    assert cells[covered].all()
    assert cells.max() == 1
    reach_x, reach_y = 0.5 / CELLS_ACROSS + 1e-9, 0.5 / ROWS + 1e-9
    near = (
        (x >= box[0] - reach_x) & (x <= box[2] + reach_x) & (y >= box[1] - reach_y) & (y <= box[3] + reach_y)
    )
    assert not cells[~near].any()


def test_heat_is_of_the_newest_events_over_the_newest_picture(session: Session) -> None:
    fill(session, [])
    for number in range(3):
        row = row_of(seen(event_id=f"event-{number:03}", start_s=START_S + number, box=(0.0, 0.0, 0.1, 0.1)))
        row.has_thumbnail = number < 2
        session.add(row)
    session.flush()
    found = heat(session, Chosen(label="person"), most_events=2)
    assert (found.events, found.complete, found.picture_of) == (2, False, ("porch", "event-001"))
    assert (found.cells[0, 0], found.cells[-1, -1]) == (2, 0)


def test_table_of_events_is_the_same_as_csv_and_parquet(session: Session, tmp_path: Path) -> None:
    import duckdb

    hostile = '=1+"2",\nNULL'
    fill(session, [seen(), seen(event_id="event-001", label=hostile, zones=frozenset({"a", "b"}))])
    rows = list(rows_of(session, Chosen()))
    write_parquet(rows, tmp_path / "events.parquet")
    read = duckdb.sql(f"SELECT * FROM '{tmp_path}/events.parquet' ORDER BY event_id")
    assert read is not None
    kept = read.fetchall()
    assert read.columns == list(COLUMNS)
    assert [row[3] for row in kept] == ["person", hostile]
    assert (kept[1][13], kept[0][13] or "") == ("a;b", "")
    assert kept[0][5] == START_S
    assert kept[0][4].isoformat() == "2027-01-15T08:00:00"
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]
    table = list(csv.DictReader(io.StringIO("".join(csv_of(rows)))))
    assert [one["label"] for one in table] == ["person", f"'{hostile}"]
    assert Counter(one["device"] for one in table) == {"porch": 2}
    assert float(table[0]["seconds"]) == 4.0
