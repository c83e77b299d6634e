"""Pools take over workers that they find on the same terms; the workers here only sit there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud.processes import START_S
from cloud.settings import Settings
from cloud.streams.book import Book
from cloud.streams.pool import StreamPool, terms_of
from cloud.streams.seats import Seat, SeatRow
from edge_agent.clock import SystemClock
from tests.cloud.streams.test_book import Scene
from tests.fakes.clock import FakeClock
from tests.fakes.frame_source import until


def command(seat: Path) -> Sequence[str]:
    return [sys.executable, "-m", "tests.cloud.streams.sitter", str(seat)]


class Cloud:
    """A home whose server was killed, and who watched for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.scene = Scene(folder)
        self.settings = Settings(home=folder, stream_workers=1)
        self._stack = stack
        self.row = SeatRow.claim(folder / "watchers")
        self.seats = self.row.seats(2)

    def leave_behind(self, seat: Seat, settings: Settings) -> subprocess.Popen[str]:
        """Have a process that outlived its server."""
        seat.prepare(terms_of(command(seat.path), settings))
        left = subprocess.Popen(command(seat.path), stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._stack.callback(left.wait)
        self._stack.callback(left.kill)
        assert left.stdout is not None
        assert left.stdout.readline() == "sits\n"
        return left

    def next_pool(self) -> StreamPool:
        """Have the pool of the next server."""
        self.row.release()
        pool = StreamPool(self.settings, self.scene.home.database, SystemClock(), command=command)
        self._stack.callback(pool.stop)
        pool.start()
        return pool


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with ExitStack() as stack:
        yield Cloud(tmp_path, stack)


def test_next_server_takes_over_who_watches_and_ends_who_is_too_many(cloud: Cloud) -> None:
    kept = cloud.leave_behind(cloud.seats[0], cloud.settings)
    too_many = cloud.leave_behind(cloud.seats[1], cloud.settings)
    pool = cloud.next_pool()
    until(lambda: pool.process_ids == (kept.pid,))
    until(lambda: too_many.poll() is not None)
    pool.stop()
    assert kept.poll() is not None, "it ends with a server that stops in order"


def test_who_watches_on_other_terms_is_replaced(cloud: Cloud) -> None:
    others = cloud.settings.model_copy(update={"stream_hosts": ("camera.example",)})
    left = cloud.leave_behind(cloud.seats[0], others)
    pool = cloud.next_pool()
    until(lambda: pool.process_ids not in {(), (left.pid,)})
    assert left.poll() is not None
    until(lambda: cloud.seats[0].found() is not None)
    found = cloud.seats[0].found()
    assert found is not None
    assert (found.pid,) == pool.process_ids


def test_worker_that_is_killed_is_started_again_at_its_seat(cloud: Cloud) -> None:
    killed = cloud.leave_behind(cloud.seats[0], cloud.settings)
    pool = cloud.next_pool()
    until(lambda: pool.process_ids == (killed.pid,))
    killed.kill()
    killed.wait()
    until(lambda: pool.process_ids not in {(), (killed.pid,)})
    until(lambda: cloud.seats[0].found() is not None)
    found = cloud.seats[0].found()
    assert found is not None
    assert (found.pid,) == pool.process_ids


def test_workers_are_started_one_after_another_once_the_one_before_has_begun(cloud: Cloud) -> None:
    clock, scene = FakeClock(), cloud.scene
    cloud.row.release()
    settings = cloud.settings.model_copy(update={"stream_workers": 3})
    pool = StreamPool(settings, scene.home.database, clock, command=command, at_once=1)
    pool.start()
    try:
        until(lambda: cloud.seats[0].found() is not None)
        (first,) = pool.process_ids
        Book(scene.home.database, clock).beat(f"{cloud.seats[0].slot}.{first}", {})
        until(lambda: len(pool.process_ids) == 2)
        until(lambda: cloud.seats[1].found() is not None)
        assert len(pool.process_ids) == 2, "nobody said that the second one has begun"
        clock.advance(START_S)
        until(lambda: len(pool.process_ids) == 3)
    finally:
        pool.stop()
