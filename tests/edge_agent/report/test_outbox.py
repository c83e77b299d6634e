"""The outbox: what waits in memory, what reaches the disk, and what a kill costs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.report.outbox import PATIENCE_S, Outbox
from edge_agent.report.spool import SpoolItem
from tests.edge_agent.report.test_spool import fill_disk, quick_disk
from tests.fakes.clock import FakeClock

HOME = "home"


def open_outbox(folder: Path, clock: FakeClock) -> Outbox:
    return Outbox(folder / "spool.sqlite", consumers=(HOME,), max_bytes=1_000_000, clock=clock)


def item(number: int, picture: bytes | None = None) -> SpoolItem:
    return SpoolItem(f"t/{number}", f'{{"n": {number}}}', picture)


def topics(outbox: Outbox) -> list[str]:
    return [row.item.topic for row in outbox.read(HOME, limit=1000)]


def on_disk(folder: Path) -> list[tuple[str, bytes | None]]:
    with sqlite3.connect(folder / "spool.sqlite") as disk:
        return disk.execute("SELECT topic, thumbnail FROM event ORDER BY seq").fetchall()


def test_outbox_acknowledged_update_never_reaches_the_disk(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path, clock)
    outbox.append([item(1)])
    seq = outbox.append([item(2)], lasting=False)
    assert topics(outbox) == ["t/1", "t/2"]
    outbox.acknowledge(HOME, outbox.epoch, seq)
    clock.advance(PATIENCE_S)
    outbox.tick()
    outbox.close()
    assert on_disk(tmp_path) == [("t/1", None)]
    assert open_outbox(tmp_path, clock).append([item(3)]) == 3


def test_outbox_update_that_nobody_acknowledges_is_written(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path, clock)
    outbox.append([item(1, b"small")])
    outbox.append([item(2)], lasting=False)
    assert on_disk(tmp_path) == [("t/1", None)]
    assert outbox.depth() == 2
    assert outbox.read(HOME)[0].item.thumbnail == b"small"
    clock.advance(PATIENCE_S)
    outbox.tick()
    assert on_disk(tmp_path) == [("t/1", b"small"), ("t/2", None)]
    assert outbox.depth() == 2


@pytest.mark.parametrize("lasting", [True, False])
def test_outbox_picture_that_comes_later_goes_where_its_document_is(tmp_path: Path, *, lasting: bool) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path, clock)
    outbox.append([item(1)])
    seq = outbox.append([item(2)], lasting=lasting)
    outbox.add_picture(outbox.epoch, seq, item(2, b"small"))
    assert [row.item.thumbnail for row in outbox.read(HOME)] == [None, b"small"]
    assert outbox.depth() == 2
    assert on_disk(tmp_path) == [("t/1", None), ("t/2", None)][: 1 + lasting]
    clock.advance(PATIENCE_S)
    outbox.tick()
    assert on_disk(tmp_path) == [("t/1", None), ("t/2", b"small")]


def test_outbox_picture_of_a_delivered_event_or_another_file_is_left_out(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.acknowledge(HOME, outbox.epoch, outbox.append([item(1)]))
    outbox.add_picture(outbox.epoch, 1, item(1, b"late"))
    seq = outbox.append([item(2)])
    outbox.add_picture("another", seq, item(2, b"other"))
    assert [row.item for row in outbox.read(HOME)] == [item(2)]


def test_outbox_first_document_of_a_new_file_is_written_at_once(tmp_path: Path) -> None:
    open_outbox(tmp_path, FakeClock()).append([item(1)], lasting=False)
    assert on_disk(tmp_path) == [("t/1", None)]


def test_outbox_that_ran_out_of_numbers_writes_at_once(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.append([item(0)])
    for number in range(1, 600):
        outbox.acknowledge(HOME, outbox.epoch, outbox.append([item(number)], lasting=False))
    assert len(on_disk(tmp_path)) == 2


def test_outbox_disk_that_is_full_when_it_is_late_keeps_documents_in_memory(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = open_outbox(tmp_path, clock)
    outbox.append([item(1)])
    outbox.append([SpoolItem("t/2", "x" * 100_000)], lasting=False)
    fill_disk(outbox._spool)
    clock.advance(PATIENCE_S)
    outbox.tick()
    assert outbox.volatile
    assert topics(outbox) == ["t/2"]


def test_outbox_disk_that_fails_to_sync_tells_the_document_from_memory(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.append([item(1)])
    outbox.append([item(2)], synced=False)
    (tmp_path / "spool.sqlite-wal").unlink()
    outbox.sync()
    assert outbox.volatile
    assert topics(outbox) == ["t/2"]


def test_outbox_synced_document_is_not_told_again_when_the_disk_fails_later(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, FakeClock())
    outbox.append([item(1)], synced=False)
    outbox.sync()
    fill_disk(outbox._spool)
    outbox.append([SpoolItem("t/2", "x" * 100_000)])
    assert outbox.volatile
    assert topics(outbox) == ["t/2"]


class OutboxMachine(RuleBasedStateMachine):
    """Whatever happens: no number twice, and nothing gone but what was new in memory when it was killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(dir=quick_disk())
        self.clock = FakeClock()
        self.box = open_outbox(Path(self.folder.name), self.clock)
        self.used: set[int] = set()
        self.safe: set[int] = set()
        self.young: dict[int, float] = {}
        self.acknowledged = 0

    @rule(lasting=st.booleans(), count=st.integers(1, 3), picture=st.sampled_from([None, b"p" * 300]))
    def append(self, lasting: bool, count: int, picture: bytes | None) -> None:
        last = self.box.append([item(n, picture) for n in range(count)], lasting=lasting)
        seqs = range(last - count + 1, last + 1)
        assert min(seqs) > max(self.used, default=0)
        self.used |= set(seqs)
        if lasting:
            self.safe |= set(seqs)
        else:
            self.young |= dict.fromkeys(seqs, self.clock.monotonic_s())

    @rule(share=st.floats(0.0, 1.0))
    def acknowledge(self, share: float) -> None:
        waiting = [row.seq for row in self.box.read(HOME, limit=1000)]
        if waiting:
            seq = waiting[int(share * (len(waiting) - 1))]
            self.box.acknowledge(HOME, self.box.epoch, seq)
            self.acknowledged = max(self.acknowledged, seq)
            # What was taken while it was in memory is never written.
            self.young = {young: since_s for young, since_s in self.young.items() if young > seq}

    @rule(seconds=st.sampled_from([0.5, PATIENCE_S]))
    def tick(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.box.tick()
        until_s = self.clock.monotonic_s() - PATIENCE_S
        self.safe |= {seq for seq, since_s in self.young.items() if since_s <= until_s}
        self.young = {seq: since_s for seq, since_s in self.young.items() if since_s > until_s}

    @rule()
    def close_and_open(self) -> None:
        self.box.close()
        self.safe |= set(self.young)
        self.young = {}
        self.box = open_outbox(Path(self.folder.name), self.clock)

    @rule()
    def kill_and_open(self) -> None:
        # What it did not write, nobody sees any more.
        self.box._spool._db.close()
        self.box = open_outbox(Path(self.folder.name), self.clock)
        self.young = {}
        # It forgot acknowledgements that were not flushed, and may send such events again.
        self.acknowledged = 0

    @invariant()
    def nothing_safe_is_gone(self) -> None:
        there = {row.seq for row in self.box.read(HOME, limit=10_000)}
        missing = {seq for seq in self.safe | set(self.young) if seq > self.acknowledged} - there
        # Deleted before a kill, because it had been acknowledged.
        assert missing <= {seq for seq in self.safe if seq <= self.box._spool.delivered}
        assert self.box.depth() == len(there)

    def teardown(self) -> None:
        self.box.close()
        self.folder.cleanup()


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
