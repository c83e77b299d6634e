"""Old events are moved into files: each is in one place whatever breaks, and figures are the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.actions import ageing
from cloud.actions.forgetting import Doomed
from cloud.actions.open_home import Home
from cloud.search.aged import Aged, aged_of
from cloud.search.chosen import Chosen
from cloud.search.counts import Counting, count_events
from cloud.search.dwell import dwell
from cloud.search.export import rows_of
from cloud.search.heat import heat
from cloud.search.judge import Seen
from cloud.search.together import together
from cloud.store.aged_tables import AgedFileRow
from cloud.store.database import Database
from cloud.store.tables import EventState
from tests.cloud.homes import make_home
from tests.cloud.search.seen import PLACES, START_S, row_of, seen
from tests.fakes.clock import FakeClock

MIDDLE_S = START_S + 5000


class BrokenError(Exception):
    """What a kill looks like from within."""


class Breaking(Database):
    """Breaks when it comes to writing: before it began, before it is committed, or after."""

    def __init__(self, database: Database, step: str) -> None:
        super().__init__(database.url)
        self._step = step

    @contextmanager
    def write(self, *, durable: bool = False, alone: bool = True) -> Iterator[Session]:
        if self._step == "before":
            raise BrokenError
        with super().write(durable=durable, alone=alone) as session:
            yield session
            if self._step == "within":
                session.flush()
                raise BrokenError
        raise BrokenError


class Meddling(Database):
    """Lets somebody else be faster."""

    def __init__(self, database: Database, meddle: Callable[[Session], None]) -> None:
        super().__init__(database.url)
        self._meddle = meddle

    @contextmanager
    def write(self, *, durable: bool = False, alone: bool = True) -> Iterator[Session]:
        with super().write() as session:
            self._meddle(session)
        with super().write(durable=durable, alone=alone) as session:
            yield session


def some_events() -> list[Seen]:
    chance = random.Random(1)
    return [
        seen(
            event_id=f"event-{number:03}",
            device=chance.choice(("porch", "gate")),
            camera=chance.choice(("front", 'the "back", =1')),
            label=chance.choice(("person", "dog")),
            start_s=(begin_s := START_S + chance.random() * 9000),
            until_s=begin_s + chance.choice((1.5, 70.0, 700.0)),
            box=chance.choice(PLACES),
        )
        for number in range(40)
    ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path, FakeClock())
    with home.database.write() as session:
        session.add_all([row_of(one) for one in some_events()])
    return home


def ids_in_rows(home: Home) -> set[str]:
    with home.database.read() as session:
        return set(session.scalars(select(EventState.event_id)))


def ids_in_files(home: Home) -> list[str]:
    old = aged(home, Chosen())
    return [] if old is None else [str(row[0]) for row in old.rows("event_id")]


def aged(home: Home, chosen: Chosen) -> Aged | None:
    with home.database.read() as session:
        return aged_of(session, home.settings.home, chosen, reach_s=1e9)


def assert_each_is_in_one_place(home: Home) -> None:
    both = [*ids_in_files(home), *ids_in_rows(home)]
    assert sorted(both) == sorted(one.event_id for one in some_events())


def figures(home: Home, chosen: Chosen) -> list[object]:
    counting = Counting(("hour", "label"), **vars(chosen))
    old = aged(home, chosen)
    with home.database.read() as session:
        warm = heat(session, chosen, aged=old)
        pairs = together(session, chosen, aged=old)
        stays = [(one.label, one.device, one.camera, one.spread) for one in dwell(session, chosen, old)]
        table = sorted(rows_of(session, chosen, old))
        counts = count_events(session, counting, aged=old)
    return [counts, warm.cells.tolist(), warm.events, pairs.moments, sorted(stays), table]


@pytest.mark.parametrize(
    "chosen",
    [Chosen(), Chosen(since_s=MIDDLE_S - 900, label="dog"), Chosen(until_s=MIDDLE_S), Chosen(camera="front")],
)
def test_figures_and_tables_are_the_same_after_events_were_moved(home: Home, chosen: Chosen) -> None:
    before = figures(home, chosen)
    assert ageing.move_old(home, MIDDLE_S, most=7) > 10
    assert 0 < len(ids_in_rows(home)) < 30
    assert_each_is_in_one_place(home)
    assert figures(home, chosen) == before


@pytest.mark.parametrize("step", ["before", "within", "after"])
def test_event_is_in_one_place_whatever_step_breaks(home: Home, step: str) -> None:
    broken = replace(home, database=Breaking(home.database, step))
    with pytest.raises(BrokenError):
        ageing.move_old(broken, MIDDLE_S, most=7)
    assert_each_is_in_one_place(home)
    assert len(ids_in_files(home)) == (7 if step == "after" else 0)

    ageing.move_old(home, MIDDLE_S, most=7)
    assert_each_is_in_one_place(home)
    home.clock.advance(1e10)  # type: ignore[attr-defined]
    ageing.move_old(home, MIDDLE_S)
    with home.database.read() as session:
        known = set(session.scalars(select(AgedFileRow.path)))
    assert {f"aged/{path.name}" for path in (home.settings.home / "aged").iterdir()} == known


@pytest.mark.parametrize("is_deleted", [True, False])
def test_event_that_changes_while_it_is_moved_stays_as_it_is_now(home: Home, is_deleted: bool) -> None:
    oldest = min(some_events(), key=lambda one: one.until_s)

    def meddle(session: Session) -> None:
        state = session.get_one(EventState, (oldest.device, oldest.event_id))
        if is_deleted:
            session.delete(state)
        else:
            state.received += 1e6

    assert ageing.move_old(replace(home, database=Meddling(home.database, meddle)), MIDDLE_S) == 0
    assert ids_in_files(home) == []
    assert (oldest.event_id in ids_in_rows(home)) is not is_deleted


def test_events_are_deleted_out_of_files_too(home: Home) -> None:
    ageing.move_old(home, START_S + 1e6, most=15)
    wanted = {one.event_id for one in some_events() if one.camera != "front"}
    assert ageing.delete_aged(home, Doomed(camera="front"), dry_run=True) == 40 - len(wanted)
    assert ageing.delete_aged(home, Doomed(camera="front")) == 40 - len(wanted)
    assert set(ids_in_files(home)) == wanted
    left = {one.event_id for one in some_events() if one.camera != "front" and one.until_s >= MIDDLE_S}
    ageing.delete_aged(home, Doomed(received_before_s=MIDDLE_S))
    assert set(ids_in_files(home)) == left
    assert ageing.delete_aged(home, Doomed(received_before_s=START_S)) == 0
