"""The spool: what is kept, what goes, what a broken disk costs."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge_agent.errors import StorageError
from edge_agent.report.outbox import Outbox
from edge_agent.report.spool import Spool, SpoolItem
from tests.fakes.clock import FakeClock

BOTH = ("home", "cloud")


def quick_disk() -> str | None:
    """Return a disk in memory, if there is one: waits for a real one, thousands of times, prove nothing."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def item(number: int, thumbnail_bytes: int = 0) -> SpoolItem:
    return SpoolItem(f"t/{number}", f'{{"n": {number}}}', b"x" * thumbnail_bytes or None)


def open_spool(folder: Path, *, consumers: tuple[str, ...] = BOTH, max_bytes: int = 1_000_000) -> Spool:
    return Spool(folder / "spool.sqlite", consumers=consumers, max_bytes=max_bytes)


def seqs(spool: Spool, consumer: str) -> list[int]:
    return [row.seq for row in spool.read(consumer, limit=1000)]


def test_append_survives_reopen_with_same_epoch(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    assert spool.append([item(1, 10), item(2)]) == 2
    epoch = spool.epoch
    spool.close()
    again = open_spool(tmp_path)
    assert again.epoch == epoch
    assert [row.item for row in again.read("home")] == [item(1, 10), item(2)]


def test_row_goes_only_when_all_consumers_have_it(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([item(n) for n in range(1, 6)])
    spool.acknowledge("home", spool.epoch, 4)
    spool.flush()
    assert seqs(spool, "home") == [5]
    assert seqs(spool, "cloud") == [1, 2, 3, 4, 5]
    spool.acknowledge("cloud", spool.epoch, 3)
    spool.flush()
    assert seqs(spool, "cloud") == [4, 5]
    spool.close()
    again = open_spool(tmp_path)
    assert again._db.execute("SELECT min(seq) FROM event").fetchone() == (4,)


def test_rows_that_everybody_has_are_deleted_many_at_a_time(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, consumers=("home",))
    kept = []
    for number in range(1, 401):
        spool.append([item(number)])
        spool.acknowledge("home", spool.epoch, number)
        spool.flush()
        kept.append(spool._db.execute("SELECT count(*) FROM event").fetchone()[0])
    assert kept[198:201] == [199, 1, 2]
    assert max(kept) == 200
    assert spool._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_quota_takes_what_was_delivered_before_anything_else(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, consumers=("home",), max_bytes=100_000)
    for number in range(1, 100):
        spool.append([item(number, 5_000)])
        spool.acknowledge("home", spool.epoch, number)
    assert spool.dropped_events == 0
    assert spool.depth("home") == 0


def test_file_of_an_older_agent_goes_on_with_its_seq(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "spool.sqlite")
    old.execute(
        "CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, "
        "document TEXT NOT NULL, thumbnail BLOB)"
    )
    old.executemany("INSERT INTO event (topic, document) VALUES (?, ?)", [("t", "{}")] * 7)
    old.execute("DELETE FROM event")
    old.commit()
    old.close()
    assert open_spool(tmp_path).append([item(8)]) > 7


def test_seq_is_not_used_again_after_everything_was_delivered(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, consumers=("home",))
    spool.append([item(1), item(2)])
    spool.acknowledge("home", spool.epoch, 2)
    spool.close()
    again = open_spool(tmp_path, consumers=("home",))
    assert again.append([item(3)]) == 3


def test_foreign_epoch_and_future_seq_acknowledge_nothing(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([item(1)])
    spool.acknowledge("cloud", "another-epoch", 1)
    spool.acknowledge("cloud", spool.epoch, 99)
    spool.flush()
    assert seqs(spool, "cloud") == [1]


def test_forgotten_consumer_holds_nothing_back(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([item(1)])
    spool.close()
    alone = open_spool(tmp_path, consumers=("home",))
    alone.acknowledge("home", alone.epoch, 1)
    alone.flush()
    assert alone.depth("home") == 0


def test_spool_to_which_nobody_listens_takes_and_closes(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, consumers=(), max_bytes=1_000)
    for number in range(30):
        spool.append([item(number)])
    spool.flush()
    spool.close()
    assert open_spool(tmp_path).append([item(31)]) == 31


def test_quota_drops_thumbnails_before_events(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=100_000)
    for number in range(1, 40):
        spool.append([item(number, 5_000)])
    rows = spool.read("cloud", limit=1000)
    assert [row.seq for row in rows] == list(range(1, 40))
    pictures = [row.seq for row in rows if row.item.thumbnail]
    assert pictures == list(range(pictures[0], 40)), "the newest pictures stay"
    assert 5 <= len(pictures) < 39
    assert spool.dropped() == ()


def test_quota_dropped_events_are_one_range_until_cloud_knows(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, max_bytes=20_000)
    for number in range(1, 1001):
        spool.append([item(number)])
    kept = seqs(spool, "cloud")
    assert len(kept) > 100
    (gap,) = spool.dropped()
    assert (gap.first_seq, gap.last_seq) == (1, kept[0] - 1)
    assert spool.dropped_events == gap.last_seq
    spool.acknowledge("cloud", spool.epoch, kept[0])
    spool.flush()
    assert spool.dropped() == ()


@pytest.mark.parametrize("damage", ["garbage", "torn page"])
def test_damaged_file_is_put_aside_and_new_epoch_begins(tmp_path: Path, damage: str) -> None:
    spool = open_spool(tmp_path)
    spool.append([item(n, 3000) for n in range(100)])
    epoch = spool.epoch
    spool.close()
    path = tmp_path / "spool.sqlite"
    content = path.read_bytes()
    path.write_bytes(b"not a database" * 999 if damage == "garbage" else content[:8192] + b"\xff" * 40_000)
    again = open_spool(tmp_path)
    assert again.set_aside == 1
    assert again.epoch != epoch
    assert again.append([item(1)]) == 1
    assert (tmp_path / "spool.sqlite.damaged").exists()


def test_file_damaged_while_open_is_replaced_and_takes_the_event(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([item(n, 3000) for n in range(100)])
    spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    spool._db.execute("PRAGMA cache_size = 0")
    path = tmp_path / "spool.sqlite"
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    try:
        seq = spool.append([item(1)])
    except StorageError:
        seq = spool.append([item(1)])
    assert seq >= 1
    assert spool.read("home")[-1].item == item(1)


def fill_disk(spool: Spool) -> None:
    """Let SQLite itself report a full disk at the next new page."""
    pages = spool._db.execute("PRAGMA page_count").fetchone()[0]
    spool._db.execute(f"PRAGMA max_page_count = {pages}")


def test_full_disk_is_storage_error_and_keeps_what_was(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([item(1)])
    fill_disk(spool)
    with pytest.raises(StorageError, match="free some space"):
        spool.append([item(2, 100_000)])
    assert seqs(spool, "cloud") == [1]


def test_unwritable_folder_is_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        Spool(tmp_path / "file" / "spool.sqlite", consumers=BOTH, max_bytes=1000)


def test_outbox_lives_in_memory_while_disk_is_full_and_returns(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = Outbox(tmp_path / "spool.sqlite", consumers=("home",), max_bytes=1_000_000, clock=clock)
    outbox.append([item(1)])
    disk_epoch = outbox.epoch
    fill_disk(outbox._spool)
    outbox.append([SpoolItem("t/2", "x" * 100_000)])
    assert outbox.volatile
    assert outbox.alarm is not None
    assert [row.item.topic for row in outbox.read("home")] == ["t/2"]
    outbox.acknowledge("home", outbox.epoch, 1)
    clock.advance(61)
    outbox.flush()
    assert not outbox.volatile
    assert outbox.alarm is None
    assert outbox.epoch == disk_epoch
    assert [row.item.topic for row in outbox.read("home")] == ["t/1"], "nothing stored was lost"


def test_outbox_without_any_disk_still_takes_events(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    clock = FakeClock()
    outbox = Outbox(tmp_path / "file" / "s.sqlite", consumers=BOTH, max_bytes=1_000_000, clock=clock)
    assert outbox.append([item(1)]) == 1
    assert outbox.depth() == 1
    clock.advance(100)
    outbox.flush()
    assert outbox.volatile


CHILD = """
import sys
from pathlib import Path
from edge_agent.report.spool import Spool, SpoolItem
spool = Spool(Path(sys.argv[1]), consumers=("home",), max_bytes=10**8)
while True:
    print(spool.append([SpoolItem("t", "{}")], synced=sys.argv[2] == "synced"), flush=True)
"""


@pytest.mark.parametrize("how", ["synced", "unsynced"])
def test_kill_9_loses_nothing_that_was_appended(tmp_path: Path, how: str) -> None:
    path = tmp_path / "spool.sqlite"
    words = [sys.executable, "-c", CHILD, str(path), how]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= 30:
            break
    os.kill(child.pid, signal.SIGKILL)
    promised = [int(line) for line in child.stdout.read().split()[:-1]] + [30]
    child.wait()
    child.stdout.close()
    spool = Spool(path, consumers=("home",), max_bytes=10**8)
    assert {row.seq for row in spool.read("home", limit=10**6)} >= set(range(1, max(promised) + 1))


def test_writes_are_synchronous_wal(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    assert spool._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sqlite3.connect(tmp_path / "spool.sqlite").execute("SELECT count(*) FROM event").fetchone() == (0,)


class SpoolMachine(RuleBasedStateMachine):
    """Whatever is appended, acknowledged and reopened: nothing unacknowledged goes unless reported."""

    def __init__(self) -> None:
        super().__init__()
        from tempfile import TemporaryDirectory

        self.folder = TemporaryDirectory(dir=quick_disk())
        self.spool = open_spool(Path(self.folder.name), max_bytes=20_000)
        self.last = 0
        self.acked = dict.fromkeys(BOTH, 0)
        self.gone: set[int] = set()

    @rule(count=st.integers(1, 20), picture=st.sampled_from([0, 500]))
    def append(self, count: int, picture: int) -> None:
        self.last = self.spool.append([item(n, picture) for n in range(count)])
        for gap in self.spool.dropped():
            self.gone |= set(range(gap.first_seq, gap.last_seq + 1))

    @rule(consumer=st.sampled_from(BOTH), share=st.floats(0, 1))
    def acknowledge(self, consumer: str, share: float) -> None:
        seq = int(self.last * share)
        self.spool.acknowledge(consumer, self.spool.epoch, seq)
        self.acked[consumer] = max(self.acked[consumer], seq)

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = open_spool(Path(self.folder.name), max_bytes=20_000)

    @invariant()
    def nothing_is_missing(self) -> None:
        for consumer in BOTH:
            expected = set(range(self.acked[consumer] + 1, self.last + 1)) - self.gone
            assert set(seqs(self.spool, consumer)) == expected

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
