"""Durable jobs, with children that are small scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import within
from cloud.actions.open_home import Home
from cloud.errors import ConflictError
from cloud.jobs.progress import AWAY_CODE, ProgressLine, parse_line
from cloud.jobs.runner import JobRunner
from cloud.store import jobs, workspaces
from cloud.store.database import Database
from cloud.store.tables import Job
from edge_agent.clock import SystemClock
from edge_agent.errors import StorageError
from tests.cloud.homes import make_home

CLOCK = SystemClock()
QUICK = """
import json
print("a library says hello")
print(json.dumps({"progress": 0.5, "stage": "half", "seconds_left": 3}), flush=True)
print(json.dumps({"progress": 1.0, "result": {"answer": 42}}))
"""
FAILING = """
import json, sys
print(json.dumps({"error": "there are no labelled frames yet"}))
sys.exit(1)
"""
MEASURING = """
import json, time
print(json.dumps({"progress": 0.5, "stage": "learning", "figures": {"loss": 0.4}}), flush=True)
time.sleep(600)
"""
TOLD = """
import json, os
print(json.dumps({"progress": 1.0, "result": {"workspace": os.environ["ELFOWL_JOB_WORKSPACE"]}}))
"""
CRASHING = "import os; os._exit(7)"
KILLED = "import os; os.kill(os.getpid(), 9)"
ENDLESS = (
    "import json, time; print(json.dumps({'progress': 0.1, 'stage': 'slow'}), flush=True); time.sleep(600)"
)


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ('{"progress": 0.5, "stage": "x"}', ProgressLine(progress=0.5, stage="x")),
        ("hello", None),
        ('{"progress": 5}', None),
        ("{broken", None),
        ("", None),
    ],
)
def test_line_that_is_no_progress_is_ignored(line: str, parsed: ProgressLine | None) -> None:
    assert parse_line(line) == parsed


def wait_for(home: Home, job_id: str, *states: str) -> Job:
    deadline_s = CLOCK.monotonic_s() + 30.0
    while CLOCK.monotonic_s() < deadline_s:
        with home.database.read() as session:
            job = jobs.find(session, job_id)
        if job.state in states:
            return job
        CLOCK.sleep(0.05)
    pytest.fail(f"job is {job.state}, not {' or '.join(states)}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


class Runner:
    """A started runner whose children are scripts by detector id."""

    def __init__(self, home: Home, scripts: dict[str, str]) -> None:
        self.heard: list[tuple[str, float]] = []
        self.runner = JobRunner(
            home.settings,
            home.database,
            CLOCK,
            on_change=lambda job: self.heard.append((job.state, job.progress)),
            command=lambda job: [sys.executable, "-c", scripts[job.detector_id]],
        )
        self.runner.start()


@pytest.fixture
def running(home: Home) -> Iterator[Runner]:
    scripts = {
        "quick": QUICK,
        "failing": FAILING,
        "crashing": CRASHING,
        "killed": KILLED,
        "endless": ENDLESS,
        "measuring": MEASURING,
        "told": TOLD,
    }
    running = Runner(home, scripts)
    yield running
    running.runner.stop()


@pytest.mark.slow
def test_job_tells_its_progress_and_its_result(home: Home, running: Runner) -> None:
    job = wait_for(home, running.runner.submit("train", "quick", {}).id, "done")
    assert job.result == {"answer": 42}
    assert running.heard[0] == ("queued", 0.0)
    assert ("running", 0.5) in running.heard
    assert running.heard[-1] == ("done", 1.0)


@pytest.mark.slow
def test_process_of_a_job_is_told_whose_job_it_is(home: Home, running: Runner) -> None:
    with home.database.write() as session:
        workspaces.add(session, name="other", now_s=1.0).id = "ws_2"
    with within("ws_2"):
        submitted = running.runner.submit("train", "told", {})
    assert wait_for(home, submitted.id, "done").result == {"workspace": "ws_2"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("failing", "there are no labelled frames yet"),
        ("crashing", "ended with code 7"),
        ("killed", "was killed 2 times"),
    ],
)
def test_job_that_fails_says_why(home: Home, running: Runner, script: str, words: str) -> None:
    job = wait_for(home, running.runner.submit("train", script, {}).id, "failed")
    assert words in (job.error or "")


@pytest.mark.slow
@pytest.mark.parametrize("end", [KILLED, f"raise SystemExit({AWAY_CODE})"])
def test_job_whose_process_is_killed_or_has_no_database_is_run_again(home: Home, end: str) -> None:
    marker = home.settings.home / "second-time"
    once = f"import pathlib; m = pathlib.Path({str(marker)!r})\nif not m.exists():\n    m.touch(); {end}\n"
    running = Runner(home, {"quick": once + QUICK})
    try:
        assert wait_for(home, running.runner.submit("train", "quick", {}).id, "done").result == {"answer": 42}
    finally:
        running.runner.stop()


@pytest.mark.slow
def test_job_cancelled_ends_its_child_and_makes_room_for_the_next(home: Home, running: Runner) -> None:
    job = wait_for(home, running.runner.submit("train", "endless", {}).id, "running")
    waiting = running.runner.submit("compress", "quick", {})
    assert running.runner.cancel(job.id).state == "cancelled"
    assert wait_for(home, waiting.id, "done").result == {"answer": 42}
    with pytest.raises(ConflictError, match="cancelled already"):
        running.runner.cancel(job.id)


@pytest.mark.slow
def test_job_tells_what_it_measures_until_it_ends(running: Runner) -> None:
    job = running.runner.submit("train", "measuring", {})
    deadline_s = CLOCK.monotonic_s() + 30.0
    while not running.runner.figures(job.id) and CLOCK.monotonic_s() < deadline_s:
        CLOCK.sleep(0.05)
    assert running.runner.figures(job.id) == {"loss": 0.4}
    running.runner.cancel(job.id)
    while running.runner.figures(job.id) and CLOCK.monotonic_s() < deadline_s:
        CLOCK.sleep(0.05)
    assert running.runner.figures(job.id) == {}


class AwayDatabase(Database):
    """A database that cannot be reached when it is written to for the n-th time."""

    def __init__(self, url: str, away: set[int]) -> None:
        super().__init__(url)
        self._away, self._writes = away, 0

    @contextmanager
    def write(self, *, durable: bool = False, alone: bool = True) -> Iterator[Session]:
        self._writes += 1
        if self._writes in self._away:
            message = "database: connection refused"
            raise StorageError(message)
        with super().write(durable=durable, alone=alone) as session:
            yield session


@pytest.mark.slow
def test_job_is_told_as_done_though_the_database_was_away_when_it_began_and_ended(home: Home) -> None:
    # Writes: accepted, begun (away), begun, progress (away), done (away), done.
    away = replace(home, database=AwayDatabase(home.settings.database_url, {2, 4, 5}))
    running = Runner(away, {"quick": QUICK})
    try:
        assert wait_for(home, running.runner.submit("train", "quick", {}).id, "done").result == {"answer": 42}
    finally:
        running.runner.stop()
    assert [state for state, _ in running.heard] == ["queued", "running", "done"]


_SERVER = """
import sys
from pathlib import Path
from cloud.jobs.runner import JobRunner
from edge_agent.clock import SystemClock
from tests.cloud.homes import make_home
home = make_home(Path(sys.argv[1]))
runner = JobRunner(home.settings, home.database, SystemClock(),
    command=lambda job: [sys.executable, "-c", sys.argv[2]])
runner.start()
print(runner.submit("train", "d", {}).id, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_job_of_a_server_that_ended_is_done_by_the_next_one(home: Home, end: int | None) -> None:
    marker = home.settings.home / "second-time"
    script = (
        f"import pathlib, time; m = pathlib.Path({str(marker)!r})\nif not m.exists(): time.sleep(600)\n"
        + QUICK
    )
    if end is None:
        first = JobRunner(
            home.settings, home.database, CLOCK, command=lambda _: [sys.executable, "-c", script]
        )
        first.start()
        job_id = first.submit("train", "d", {}).id
        wait_for(home, job_id, "running")
        first.stop()
    else:
        command = [sys.executable, "-c", _SERVER, str(home.settings.home), script]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            job_id = server.stdout.readline().strip()
            wait_for(home, job_id, "running")
            os.kill(server.pid, end)
            server.wait()
    marker.write_text("")
    second = JobRunner(home.settings, home.database, CLOCK, command=lambda _: [sys.executable, "-c", script])
    second.start()
    try:
        assert wait_for(home, job_id, "done", "failed").result == {"answer": 42}
    finally:
        second.stop()
