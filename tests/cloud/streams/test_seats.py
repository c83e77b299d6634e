"""Seats: who sits there is found by the next pool, and sees whether there is one."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud.streams.seats import Found, Seat, SeatRow, Sitting, TakenError
from edge_agent.clock import SystemClock
from tests.fakes.clock import FakeClock


@pytest.fixture
def row(tmp_path: Path) -> Iterator[SeatRow]:
    row = SeatRow.claim(tmp_path)
    yield row
    row.release()


@pytest.fixture
def seat(row: SeatRow) -> Seat:
    (seat,) = row.seats(1)
    seat.prepare("as agreed")
    return seat


@pytest.fixture
def other(seat: Seat) -> Iterator[subprocess.Popen[str]]:
    """Have a process that sits there, as a worker does."""
    command = [sys.executable, "-m", "tests.cloud.streams.sitter", str(seat.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "sits\n"
        yield process
        process.kill()


def read(pipe: int) -> bytes:
    assert select.select([pipe], [], [], 60.0)[0], "something was said"
    return os.read(pipe, 65536)


def test_next_pool_gets_the_same_seats_and_a_second_one_gets_others(tmp_path: Path) -> None:
    first = SeatRow.claim(tmp_path)
    slots = [seat.slot for seat in first.seats(2)]
    beside = SeatRow.claim(tmp_path)
    assert not {seat.slot for seat in beside.seats(2)} & set(slots)
    first.release()
    again = SeatRow.claim(tmp_path)
    assert [seat.slot for seat in again.seats(2)] == slots
    again.release()
    beside.release()


def test_seats_of_another_machine_get_other_names(tmp_path: Path) -> None:
    row = SeatRow.claim(tmp_path)
    (before,) = row.seats(1)
    before.prepare("")
    row.release()
    name = tmp_path / "0" / "name"
    name.write_text(f"{name.read_text().partition(chr(10))[0]}\nanother machine")
    row = SeatRow.claim(tmp_path)
    assert row.seats(1)[0].slot != before.slot
    assert not list((tmp_path / "0").glob(f"{before.slot}*")), "what it left is cleared away"
    row.release()


def test_who_sits_there_is_found_and_nobody_else_can_sit_there(
    seat: Seat, row: SeatRow, other: subprocess.Popen[str]
) -> None:
    found = seat.found()
    assert found is not None
    assert (found.pid, found.poll(), seat.terms) == (other.pid, None, "as agreed")
    with pytest.raises(TakenError):
        Sitting(seat.path, FakeClock())
    assert (row.beyond(1), [one.pid for one in row.beyond(0)]) == ([], [other.pid])


def test_who_was_killed_is_not_found_any_more(seat: Seat, other: subprocess.Popen[str]) -> None:
    found = seat.found()
    assert found is not None
    with pytest.raises(subprocess.TimeoutExpired):
        found.wait(0.01)
    other.kill()
    assert found.wait(60.0) == 0
    other.wait()
    assert (found.poll(), seat.found()) == (0, None)
    Sitting(seat.path, FakeClock()).leave()


def test_number_that_another_process_has_now_is_nobody(seat: Seat) -> None:
    seat.path.with_suffix(".lock").write_text(str(os.getpid()))
    assert seat.found() is None, "nobody holds the lock"


def test_what_is_said_is_heard_by_the_server_of_the_moment(seat: Seat) -> None:
    sitting = Sitting(seat.path, SystemClock())
    assert not sitting.has_server
    sitting.say("to nobody")
    for _ in range(2):
        with seat.listening() as pipe:
            assert sitting.has_server
            sitting.say("who is there?")
            # What nobody heard may have torn a line.
            assert read(pipe).strip() == b"who is there?"
        assert not sitting.has_server
    sitting.leave()


def test_server_that_does_not_read_makes_nobody_wait_for_long(seat: Seat) -> None:
    sitting = Sitting(seat.path, SystemClock())
    with seat.listening() as pipe:
        for _ in range(100):
            sitting.say("x" * 3000)
        while select.select([pipe], [], [], 0.0)[0]:
            os.read(pipe, 65536)
        sitting.say("whole")
        assert read(pipe).splitlines()[-1] == b"whole"
    sitting.leave()


def test_server_is_seen_while_another_thread_waits_for_it_to_read(seat: Seat) -> None:
    sitting = Sitting(seat.path, SystemClock())
    with seat.listening(), ThreadPoolExecutor(1) as thread:
        # More than the pipe holds: it is waited for.
        saying = thread.submit(sitting.say, "x" * 3_000_000)
        while not saying.done():
            assert sitting.has_server
        saying.result()
    sitting.leave()


def test_seat_whose_folder_is_gone_is_not_there(seat: Seat) -> None:
    sitting = Sitting(seat.path, SystemClock())
    assert sitting.is_there
    seat.path.with_suffix(".news").unlink()
    assert not sitting.is_there
    seat.prepare("")
    assert not sitting.is_there, "that is another one"
    sitting.leave()


def test_process_that_is_found_can_be_ended(seat: Seat, other: subprocess.Popen[str]) -> None:
    found = seat.found()
    assert isinstance(found, Found)
    found.terminate()
    assert found.wait(60.0) == 0
    other.wait()
    found.terminate()
