"""`kill -9` of a real process in every phase of an installation: a whole bundle runs, one outcome is told."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.wire.sync import BundleTarget, UpdatePhase
from tests.edge_agent.update.dying_agent import STANDS
from tests.edge_agent.update.scene import Scene, runs
from tests.edge_agent.update.test_fault_table import ENDS_AS

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
STEP: dict[UpdatePhase, int] = {"download": 3, "verify": 4, "trial": 1, "commit": 1, "rollback": 1}
"""Where in the phase: with metadata not synced, while slots change, before a record gets its name."""


def kill_in(phase: UpdatePhase, folder: Path, target: BundleTarget) -> None:
    arguments = [str(folder), phase, str(STEP[phase]), target.to_json()]
    command = [sys.executable, "-m", "tests.edge_agent.update.dying_agent", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip() == STANDS
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("phase", ENDS_AS)
def test_process_that_is_killed_in_a_phase_leaves_one_whole_bundle_and_one_outcome(
    tmp_path: Path, phase: UpdatePhase
) -> None:
    scene = Scene(tmp_path)
    running = scene.publisher.publish()
    scene.install(running)
    target = scene.publisher.publish()
    kill_in(phase, tmp_path, target)
    updater = scene.start()
    assert updater.phase == phase
    updater.recover()
    assert runs(updater, running) or runs(updater, target)
    outcome = updater.apply(target)
    assert outcome.outcome == ENDS_AS[phase], outcome.reason
    assert runs(updater, target if ENDS_AS[phase] == "success" else running)
    assert [one.outcome for one in updater.outcomes()] == [ENDS_AS[phase]]
