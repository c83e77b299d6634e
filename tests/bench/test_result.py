"""How results are printed and kept."""

from __future__ import annotations

import json
from pathlib import Path

from bench.result import Result, spread
from edge_agent.clock import SystemClock

RESULT = Result(
    "x",
    "b",
    {"seconds": spread([3.0, 1.0, 2.0]), "by_set": [0.5, 0.25]},
    {"faster": 2.0},
    ("n",),
    {"x.svg": "<svg/>"},
)


def test_write_keeps_document_and_pictures(tmp_path: Path) -> None:
    path = RESULT.write(SystemClock(), tmp_path)
    document = json.loads(path.read_text())
    assert document["metrics"]["seconds"] == {"median": 2.0, "min": 1.0, "max": 3.0, "n": 3}
    assert document["ratios"] == {"faster": 2.0}
    assert (tmp_path / "x.svg").read_text() == "<svg/>"


def test_table_has_a_row_for_every_number() -> None:
    table = RESULT.table()
    for words in ("seconds.median", "0.5, 0.25", "ratio faster", "note: n"):
        assert words in table
