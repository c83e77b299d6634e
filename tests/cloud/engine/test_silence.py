"""When a worker of a cluster is taken for one that hangs."""

from __future__ import annotations

from pathlib import Path

from cloud.engine.silence import HUNG_S, Rolls, Silence
from cloud.streams.book import Book
from cloud.streams.leases import LEASE_S
from tests.cloud.streams.test_book import Scene
from tests.fakes.clock import FakeClock


def test_worker_that_beat_and_is_silent_for_long_hangs_and_one_that_never_did_begins() -> None:
    clock = FakeClock()
    silence = Silence(clock)
    silence.hear(["one", "two"])
    clock.advance(HUNG_S)
    silence.hear(["two"])
    assert silence.hung() == []
    clock.advance(1.0)
    assert silence.hung() == ["one"]
    silence.forget("one")
    assert silence.hung() == [], "it is being started again"


def test_nobody_hangs_for_the_time_in_which_nobody_could_be_heard() -> None:
    clock = FakeClock()
    silence = Silence(clock)
    silence.hear(["one"])
    clock.advance(2 * HUNG_S)
    silence.forgive()
    clock.advance(HUNG_S)
    assert silence.hung() == []
    clock.advance(1.0)
    assert silence.hung() == ["one"]


def test_tables_tell_who_beats_by_the_names_of_slots(tmp_path: Path) -> None:
    clock, scene = FakeClock(), Scene(tmp_path)
    book, rolls = Book(scene.home.database, clock), Rolls(scene.home.database, clock)
    book.beat("watch_a_0.12", {})
    clock.advance(LEASE_S / 2)
    book.beat("watch_a_1.13", {})
    assert rolls.at_work() == {"watch_a_0", "watch_a_1"}
    clock.advance(LEASE_S / 2)
    assert rolls.at_work() == {"watch_a_1"}
    assert rolls.counts(["watch_a_0", "watch_a_1"]) == {"watch_a_0": 0, "watch_a_1": 0}
