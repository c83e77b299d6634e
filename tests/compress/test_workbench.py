"""Lanes, cancelling, cleaning up."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from compress.errors import CancelledError, ExportError
from compress.progress import MeterPart, Progress, ProgressMeter, Step
from compress.workbench import open_workbench
from edge_agent.errors import StorageError
from tests.fakes.clock import FakeClock


def meter() -> ProgressMeter:
    return ProgressMeter((("all", ((Step("a", "Doing a", 1.0),),)),), FakeClock(), None)


def test_open_workbench_leaves_an_older_result_alone(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text("old")
    with open_workbench(tmp_path, meter(), lambda: False) as bench:
        (bench.folder / "temporary").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["receipt.json"]


def test_open_workbench_after_a_failure_removes_the_folder_that_it_made(tmp_path: Path) -> None:
    out = tmp_path / "new"

    def fails() -> None:
        message = "no"
        raise ExportError(message)

    with pytest.raises(ExportError, match="no"), open_workbench(out, meter(), lambda: False) as bench:
        bench.in_lanes([fails])
    assert not out.exists()


def test_open_workbench_where_a_file_is_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StorageError, match="cannot write to"),
        open_workbench(tmp_path / "file", meter(), lambda: False),
    ):
        pass


def test_open_workbench_on_a_full_disk_says_so(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="No space left on device; free some space"),
        open_workbench(tmp_path, meter(), lambda: False),
    ):
        Path("/dev/full").write_text("x")


def test_open_workbench_says_of_a_picture_cut_short_that_the_disk_is_full(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="no space left on the disk"),
        open_workbench(tmp_path, meter(), lambda: False),
        Path("/dev/full").open("wb") as full,
    ):
        np.zeros(100_000, np.uint8).tofile(full)


def test_step_when_cancelled_stops(tmp_path: Path) -> None:
    with (
        pytest.raises(CancelledError, match="nothing was written"),
        open_workbench(tmp_path, meter(), lambda: True) as bench,
        bench.step("a"),
    ):
        pytest.fail("the step ran")


def test_in_lanes_returns_results_in_order_and_ticks(tmp_path: Path) -> None:
    seen: list[Progress] = []
    watched = ProgressMeter((("all", ((Step("a", "Doing a", 1.0),),)),), FakeClock(), seen.append)
    with open_workbench(tmp_path, watched, lambda: False) as bench:
        assert bench.in_lanes([lambda: 1, lambda: 2]) == [1, 2]
    assert seen


def test_in_lanes_when_one_fails_kills_the_children_of_the_others(tmp_path: Path) -> None:
    started = threading.Event()

    def waits() -> None:
        child = bench.start("tests.compress.sleepy")
        started.set()
        child.ask({"seconds": 60})

    def fails() -> None:
        started.wait(10)
        message = "the first failure"
        raise ExportError(message)

    with (
        pytest.raises(ExportError, match="the first failure"),
        open_workbench(tmp_path, meter(), lambda: False) as bench,
    ):
        bench.in_lanes([waits, fails])


def test_part_that_fails_leaves_the_others_at_work(tmp_path: Path) -> None:
    def fails() -> None:
        message = "only this one"
        raise ExportError(message)

    with open_workbench(tmp_path, meter(), lambda: False) as bench:
        first, second = (bench.at(tmp_path / name, MeterPart(meter(), name)) for name in ("first", "second"))
        with pytest.raises(ExportError, match="only this one"):
            first.in_lanes([fails])
        with pytest.raises(CancelledError):
            first.start("tests.compress.sleepy")
        assert second.start("tests.compress.sleepy").ask({"seconds": 0}) is not None


def test_open_workbench_where_another_works_says_so(tmp_path: Path) -> None:
    with (
        open_workbench(tmp_path, meter(), lambda: False),
        pytest.raises(StorageError, match="another compression works in"),
        open_workbench(tmp_path, meter(), lambda: False),
    ):
        pass


@pytest.mark.parametrize("stays", [True, False])
def test_open_workbench_keeps_what_was_worked_out_only_for_another_try(tmp_path: Path, stays: bool) -> None:
    with open_workbench(tmp_path, meter(), lambda: False) as bench:
        (bench.folder / "finished").touch()
        if stays:
            bench.keep()
    assert (tmp_path / ".working" / "finished").exists() is stays


def test_in_lanes_when_cancelled_ends_the_children(tmp_path: Path) -> None:
    stop = threading.Event()

    def waits() -> None:
        child = bench.start("tests.compress.sleepy")
        stop.set()
        child.ask({"seconds": 60})

    with pytest.raises(CancelledError), open_workbench(tmp_path, meter(), stop.is_set) as bench:
        bench.in_lanes([waits])
