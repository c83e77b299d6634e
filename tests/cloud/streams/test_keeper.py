"""What a worker does with its streams, with watches that do as they are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cloud.store import events, streams
from cloud.store.database import Database
from cloud.store.stream_tables import StreamRow
from cloud.streams.book import Book, Held, Overview, Told, Wanted
from cloud.streams.desk import StreamDesk
from cloud.streams.gaps import Sight, SightLog
from cloud.streams.keeper import Keeper, Work
from cloud.streams.leases import BEAT_S, LEASE_S
from cloud.streams.settings import StreamSettings
from tests.cloud.streams.test_book import Scene, told
from tests.fakes.clock import FakeClock


@dataclass
class FakeWatch:
    """Implements `Watch`; sees what `log` is told."""

    held: Held
    log: SightLog
    followed: list[Wanted] = field(default_factory=list)
    stopped: bool = False

    @property
    def wanted(self) -> Wanted:
        return self.followed[-1] if self.followed else self.held.wanted

    def start(self) -> None:
        pass

    def end(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped = True

    def follow(self, wanted: Wanted) -> None:
        self.followed.append(wanted)

    def sight(self) -> Sight:
        return self.log.take()

    def figures(self) -> Mapping[str, float]:
        return {}


@dataclass
class FakeWork:
    """Implements `Work`; has as much to do as it is told."""

    waits_s: float = 0.0

    def busy(self) -> float:
        return min(1.0, self.waits_s)

    def lag_s(self) -> float:
        return self.waits_s


class Office(Scene):
    """The scene of one stream, with keepers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.watches: list[FakeWatch] = []

    def keeper(self, name: str, work: Work | None = None, *, back_s: float | None = None) -> Keeper:
        def watch(held: Held) -> FakeWatch:
            self.watches.append(FakeWatch(held, SightLog(self.clock.now_s())))
            return self.watches[-1]

        return Keeper(name, self.book, self.clock, watch, work=work, back_s=back_s)

    def add(self, count: int) -> None:
        """Ask for so many streams more."""
        with self.home.database.write() as session:
            for number in range(count):
                row = StreamRow(
                    id=f"str_more_{number}",
                    name=f"more-{number}",
                    address="rtsp://192.0.2.1/live",
                    detectors=[[self.detector, None]],
                    settings=StreamSettings().model_dump_json(),
                    paused=False,
                    created=self.clock.now_s(),
                )
                streams.add(session, row)

    def turn(self, *keepers: Keeper) -> None:
        self.clock.advance(BEAT_S)
        for keeper in keepers:
            keeper.turn()

    def change(self, **columns: object) -> None:
        with self.home.database.write() as session:
            row = streams.find(session, "yard")
            for name, value in columns.items():
                setattr(row, name, value)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_keepers_share_streams_without_speaking_and_one_takes_over_from_a_dead_one(office: Office) -> None:
    first, second = office.keeper("w1"), office.keeper("w2")
    office.turn(first, second)
    office.turn(first, second)
    holders = [keeper for keeper in (first, second) if keeper.streams]
    assert len(holders) == len(office.watches) == 1
    heir = second if holders == [first] else first
    for _ in range(int(LEASE_S) + 1):
        office.turn(heir)
    assert heir.streams == ("str_1",)
    office.turn(holders[0])
    assert holders[0].streams == ()
    assert office.watches[0].stopped, "the one that was thought dead hears of it"
    assert not office.watches[1].stopped


def test_keeper_stores_what_was_told_before_it_says_that_it_was_watched(office: Office) -> None:
    keeper = office.keeper("w1")
    office.turn(keeper)
    (watch,) = office.watches
    keeper.tell(watch.held, told(1, watch.held)[0][1][0])
    watch.log.looked(office.clock.now_s(), "pictures are coming")
    office.turn(keeper)
    with office.home.database.read() as session:
        assert events.count(session) == 1
        assert streams.lease_of(session, "str_1").watched == office.clock.now_s() - BEAT_S


def test_keeper_follows_new_rules_in_place_and_opens_a_new_address_anew(office: Office) -> None:
    keeper = office.keeper("w1")
    office.turn(keeper)
    office.change(settings='{"threshold": 0.9}')
    office.turn(keeper)
    assert office.watches[0].wanted.settings.threshold == 0.9
    office.change(address="rtsp://192.0.2.1/other")
    office.turn(keeper)
    office.turn(keeper)
    assert office.watches[0].stopped
    assert office.watches[1].wanted.address.endswith("other")
    office.change(paused=True)
    office.turn(keeper)
    assert keeper.streams == ()
    assert [kind for kind, _, ended in office.gaps() if ended is None] == ["paused"]


def test_event_of_a_stream_that_is_not_held_any_more_does_not_block_the_others(office: Office) -> None:
    keeper = office.keeper("w1")
    office.turn(keeper)
    held = office.watches[0].held
    stale = Held(held.wanted, held.token - 1)
    keeper.tell(stale, Told(1, told(1, held)[0][1][0].event))
    keeper.tell(held, told(2, held)[0][1][0])
    office.turn(keeper)
    with office.home.database.read() as session:
        assert events.count(session) == 1


class SlowBook(Book):
    """A book of so many streams that looking at all of them takes a second."""

    looks = 0

    def __init__(self, database: Database, clock: FakeClock) -> None:
        super().__init__(database, clock)
        self._slow_clock = clock

    def look(self, *, bury: bool = True) -> Overview:
        self.looks += 1
        self._slow_clock.advance(1.0)
        return super().look(bury=bury)


@pytest.mark.parametrize("others_wait", [False, True])
def test_worker_of_very_many_streams_looks_at_all_of_them_every_ten_seconds(
    office: Office, others_wait: bool
) -> None:
    office.book = book = SlowBook(office.home.database, office.clock)
    work = FakeWork()
    keeper = office.keeper("w1", work)
    office.turn(keeper)
    assert keeper.streams == ("str_1",)
    if others_wait:
        work.waits_s = 3.0
        office.add(1)
    began_s = office.clock.monotonic_s()
    for _ in range(30):
        office.turn(keeper)
    assert book.looks - 1 == round((office.clock.monotonic_s() - began_s) / 10.0)


def test_stream_whose_worker_died_is_taken_at_once_also_among_very_many(office: Office) -> None:
    office.book = SlowBook(office.home.database, office.clock)
    one, other = office.keeper("w1"), office.keeper("w2")
    office.turn(one, other)
    office.turn(one, other)
    assert one.streams == ("str_1",)
    died_s = office.clock.monotonic_s()
    while not other.streams and office.clock.monotonic_s() - died_s < 3 * LEASE_S:
        office.turn(other)
    # The lease, a beat to notice it, and a second to look.
    assert office.clock.monotonic_s() - died_s <= LEASE_S + 2 * BEAT_S + 1.0


def test_streams_beyond_what_workers_can_look_at_wait_and_say_so_and_are_taken_when_there_is_room(
    office: Office,
) -> None:
    work = FakeWork()
    keeper, desk = (
        office.keeper("w1", work),
        StreamDesk(office.home.database, office.clock, office.home.settings),
    )
    office.add(80)
    office.turn(keeper)
    begun = len(keeper.streams)
    assert 1 <= begun < 50, "the next beat sees what these cost"
    work.waits_s = 3.0
    for _ in range(15):
        office.turn(keeper)
    assert len(keeper.streams) == begun
    waiting = [one for one in desk.every() if one.worker is None]
    assert len(waiting) == 81 - begun
    assert {(one.state, "start more of them" in one.reason) for one in waiting} == {("not watched", True)}
    gaps = [(gap.kind, gap.ended, gap.why) for gap in desk.gaps(waiting[0].id)]
    assert gaps == [("starting", None, waiting[0].reason)], "it is told once, not at each beat"
    work.waits_s = 0.0
    for _ in range(15):
        office.turn(keeper)
    assert len(keeper.streams) == 81
    assert not [one for one in desk.every() if "start more" in one.reason]


def test_worker_with_room_takes_what_another_one_has_no_room_for(office: Office) -> None:
    full, idle = office.keeper("w1", FakeWork(3.0)), office.keeper("w2", FakeWork())
    office.add(9)
    office.turn(full, idle)
    for _ in range(20):
        office.turn(full, idle)
    assert full.streams == ()
    assert len(idle.streams) == 10


def test_worker_that_waited_for_the_database_takes_nothing_from_those_that_waited_too(office: Office) -> None:
    first = office.keeper("w1")
    office.turn(first)
    office.turn(first)
    assert first.streams == ("str_1",)
    office.clock.advance(3 * LEASE_S)
    newcomer = office.keeper("w2", back_s=office.clock.monotonic_s())
    office.turn(newcomer)
    office.turn(first, newcomer)
    assert (first.streams, newcomer.streams) == (("str_1",), ())
    for _ in range(3 * int(LEASE_S)):
        office.turn(newcomer)
    assert newcomer.streams == ("str_1",), "the other one died in the end"


def test_workers_that_were_all_deaf_take_nothing_from_each_other_once_they_hear_again(office: Office) -> None:
    first, second = office.keeper("w1"), office.keeper("w2")
    office.turn(first, second)
    office.add(3)
    office.turn(first, second)
    office.turn(first, second)
    held = first.streams, second.streams
    assert sum(map(len, held)) == 4
    assert all(held)
    # The database is away for longer than a lease holds; then one of them is the first to hear again.
    office.clock.advance(3 * LEASE_S)
    office.turn(first)
    office.turn(first, second)
    assert (first.streams, second.streams) == held
    with office.home.database.read() as session:
        gaps = [gap.kind for one in (*held[0], *held[1]) for gap in streams.gaps(session, one)]
    assert "lost" not in gaps


class Locked(Database):
    """Tables that another process holds for a while, as a backup does: who wants to write waits."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        super().__init__(url)
        self._clock = clock
        self.waits_s = 0.0

    @contextmanager
    def write(self, *, durable: bool = False, alone: bool = True) -> Iterator[Session]:
        with super().write(durable=durable, alone=alone) as session:
            self._clock.advance(self.waits_s)
            self.waits_s = 0.0
            yield session


def test_workers_that_waited_for_the_lock_of_the_tables_take_nothing_from_each_other(tmp_path: Path) -> None:
    office = Office(tmp_path)
    tables = Locked(office.home.database.url, office.clock)
    office.book = Book(tables, office.clock)
    first, second = office.keeper("w1"), office.keeper("w2")
    office.turn(first, second)
    office.add(3)
    for _ in range(2):
        office.turn(first, second)
    held = first.streams, second.streams
    assert all(held)
    tables.waits_s = 3 * LEASE_S
    for _ in range(3):
        office.turn(first, second)
    assert (first.streams, second.streams) == held
    with office.home.database.read() as session:
        gaps = [gap.kind for one in (*held[0], *held[1]) for gap in streams.gaps(session, one)]
    assert "lost" not in gaps
    tables.close()
