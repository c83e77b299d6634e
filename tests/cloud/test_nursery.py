"""What is forked is as if it had been started by itself, and its end is told, nursery or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.nursery import Nursery, Nursling
from cloud.processes import Supervisor, nursery_for_workers, start_worker, stop_child
from edge_agent.clock import SystemClock
from tests.fakes.frame_source import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has nurseries")

MODULE = "tests.fakes.nursed"
COMMAND = [sys.executable, "-m", MODULE, "a", "b c"]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery(frozenset({MODULE}), ["numpy"], {"OMP_NUM_THREADS": "1"})
    nursery.open()
    yield nursery
    nursery.close()


def born(nursery: Nursery, command: list[str] = COMMAND) -> tuple[Nursling, dict[str, Any]]:
    """Return a worker and what it says of itself."""
    child = nursery.start(command, {**os.environ, "ELFOWL_MARK": "owl"}, with_stdout=True)
    assert child is not None
    assert child.stdout is not None
    said: dict[str, Any] = json.loads(child.stdout.readline())
    return child, said


def test_forked_worker_is_as_if_it_had_been_started_by_itself(nursery: Nursery) -> None:
    (one, said), (other, said_by_other) = born(nursery), born(nursery)
    assert said["arguments"] == ["a", "b c"]
    assert said["environment"]["ELFOWL_MARK"] == "owl"
    assert "OMP_NUM_THREADS" not in said["environment"] or "OMP_NUM_THREADS" in os.environ
    assert said["session"] == one.pid
    assert said["command"] == COMMAND
    assert not set(said["drawn"]) & set(said_by_other["drawn"])
    # The last one is of the listing itself; nothing of the nursery, nor of the other worker.
    assert said_by_other["files"] == said["files"] == ["0", "1", "2", "3"]
    for child in (one, other):
        child.kill()
        assert child.wait(60.0) == -signal.SIGKILL


@pytest.mark.parametrize(("told", "code"), [("0\n", 0), ("3\n", 3), ("die\n", -signal.SIGKILL)])
def test_end_of_a_forked_worker_is_told_as_it_was(nursery: Nursery, told: str, code: int) -> None:
    child, _ = born(nursery)
    assert child.poll() is None
    child.stdin.write(told)
    child.stdin.flush()
    assert child.wait(60.0) == code
    assert child.poll() == code


def test_forked_worker_ends_with_who_asked_for_it(nursery: Nursery) -> None:
    child, _ = born(nursery)
    child.stdin.close()
    assert child.wait(60.0) == 0


@pytest.mark.parametrize("command", [["sleep", "1"], [sys.executable, "-m", "json.tool"], [sys.executable]])
def test_foreign_program_is_not_started_by_the_nursery(nursery: Nursery, command: list[str]) -> None:
    assert nursery.start(command, {}, with_stdout=False) is None


def test_worker_lives_on_when_the_nursery_is_killed_and_the_next_ones_are_started_as_usual() -> None:
    with nursery_for_workers(Nursery(frozenset({MODULE}), ["json"])):
        child = start_worker(COMMAND, stdout=subprocess.PIPE)
        assert isinstance(child, Nursling)
        assert child.stdout is not None
        assert child.stdout.readline()
        parent = int(_stat(child.pid)[1])
        os.kill(parent, signal.SIGKILL)
        assert until(lambda: _is_gone(parent))
        later = [start_worker(COMMAND, stdout=subprocess.PIPE) for _ in range(2)]
        assert [isinstance(one, Nursling) for one in later] == [False, True]
        assert child.poll() is None
        stop_child(child)
        assert child.poll() == -signal.SIGKILL, "how it ended nobody knows"
        for one in later:
            stop_child(one)


def _stat(process_id: int) -> list[str]:
    """Return state and parent of a process, and more."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()


def _is_gone(process_id: int) -> bool:
    try:
        return _stat(process_id)[0] == "Z"
    except OSError:
        return True


def test_nursery_whose_libraries_began_threads_forks_nobody_and_is_not_tried_again() -> None:
    with nursery_for_workers(Nursery(frozenset({MODULE}), ["tests.fakes.begins_a_thread"])):
        early = start_worker(COMMAND)
        assert early.wait(60.0) == -signal.SIGKILL, "who supervises it starts it again"
        later = [start_worker(COMMAND) for _ in range(2)]
        assert not any(isinstance(one, Nursling) for one in later)
        for one in later:
            stop_child(one)


def test_worker_that_is_stopped_before_the_nursery_is_ready_ends() -> None:
    with nursery_for_workers(Nursery(frozenset({MODULE}), ["json", "wave"])):
        child = start_worker(COMMAND)
        stop_child(child)
        assert child.wait(60.0) in {0, -signal.SIGTERM}


def test_supervisor_starts_a_killed_worker_again_by_the_nursery(nursery: Nursery) -> None:
    def start() -> Nursling:
        child = nursery.start(COMMAND, dict(os.environ), with_stdout=True)
        assert child is not None
        return child

    supervisor = Supervisor("nursed", start, SystemClock())
    supervisor.start()
    assert until(lambda: supervisor.process_id is not None)
    first = supervisor.process_id
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert until(lambda: supervisor.process_id not in {first, None})
    supervisor.stop()
    assert supervisor.process_id is None
