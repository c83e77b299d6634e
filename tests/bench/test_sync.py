"""The arithmetic of `sync`."""

from __future__ import annotations

from bench.sync import _Phase, _taken
from edge_agent.agent.simulation import Tally


def test_phase_counts_errors_quantiles_and_the_busiest_second() -> None:
    tally = Tally()
    for number in range(100):
        tally.note(304 if number else 500, number / 1000, at_s=float(number // 40))
    tally.note_unreachable()
    shown = _Phase(tally, cpu_s=0.5).metrics()
    assert (shown["looks"], shown["errors"], shown["unanswered"]) == (100, 1, 1)
    assert (shown["p50_s"], shown["p99_s"], shown["most_looks_in_one_second"]) == (0.05, 0.099, 40)
    assert shown["server_cpu_ms_per_look"] == 5.0
    assert (shown["longest_s"], shown["seconds_of_nine_in_ten"]) == (0.099, 3)


def test_taking_a_tally_begins_anew() -> None:
    tally = Tally()
    tally.note(200, 0.1, 0.0)
    assert len(_taken(tally).seconds) == 1
    assert (tally.seconds, tally.unreachable, dict(tally.looks_by_second)) == ([], 0, {})
