"""How results are printed and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.result import Result, processor, spread
from edge_agent.clock import SystemClock

RESULT = Result(
    "x",
    "b",
    {"seconds": spread([3.0, 1.0, 2.0]), "by_set": [0.5, 0.25]},
    {"faster": 2.0},
    ("n",),
    {"x.svg": "<svg/>"},
)


@pytest.mark.parametrize(
    ("cpuinfo", "told"),
    [
        ("model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512_vnni\n" * 2, "AMD EPYC (avx2, avx512_vnni)"),
        ("Features\t: fp asimd aes asimddp\nModel\t\t: Raspberry Pi 5\n", "Raspberry Pi 5 (asimd, asimddp)"),
        ("model name\t: old\nflags\t\t: fpu\n", "old (nothing special)"),
    ],
)
def test_processor_is_told_with_what_makes_int8_quick(cpuinfo: str, told: str) -> None:
    assert processor(cpuinfo) == told


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
