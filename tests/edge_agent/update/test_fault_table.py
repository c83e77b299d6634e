"""Every phase of the table of updates, hit by each fault at every step on the disk: a whole bundle runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_agent.agent.states import PHASES, UPDATE
from edge_agent.errors import StorageError
from edge_agent.update.updater import Updater
from edge_agent.wire.sync import UpdatePhase
from tests.edge_agent.update.faulty_disk import FaultyDisk, PowerCut
from tests.edge_agent.update.forgetful_disk import ForgetfulDisk
from tests.edge_agent.update.scene import Scene, runs

ENDS_AS: dict[UpdatePhase, str] = {
    "download": "success",
    "verify": "success",
    "trial": "success",
    "commit": "success",
    "rollback": "failure",
}
"""How an update that is hit in this phase ends at last; a phase without a row fails the tests."""
FAULTS = ("power cut", "power cut that forgets", "power cut that damages", "full disk")
MOST_STEPS = 40


class FickleDisk(FaultyDisk):
    """Fails at a step within one phase; what was not synced by then is forgotten, or damaged."""

    def __init__(self, record: Path, phase: UpdatePhase, fail_at: int, fault: str) -> None:
        self._memory = ForgetfulDisk(record.parent, seed=fail_at)
        super().__init__(fail_at, full=fault == "full disk", disk=self._memory)
        self._record, self._phase, self._fault = record, phase, fault

    def _fails(self) -> bool:
        if self._current() != self._phase:
            return False
        return super()._fails()

    def _fail(self, path: Path) -> None:
        if self._fault == "power cut that forgets":
            self._memory.lose_power("forgotten")
        elif self._fault == "power cut that damages":
            self._memory.lose_power()
        super()._fail(path)

    def _current(self) -> str:
        try:
            return str(json.loads(self._record.read_bytes())["phase"])
        except FileNotFoundError:
            return "idle"


def begin(scene: Scene, disk: FickleDisk | None = None) -> Updater:
    updater = scene.start(disk)
    updater.recover()
    return updater


def test_every_phase_of_the_table_has_an_ending() -> None:
    assert {"idle", *ENDS_AS} == set(PHASES) == {phase for phase, _ in UPDATE}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("phase", ENDS_AS)
def test_fault_at_every_step_of_a_phase_leaves_one_whole_bundle(
    tmp_path: Path, phase: UpdatePhase, fault: str
) -> None:
    scene, unhealthy = Scene(tmp_path), ""
    if ENDS_AS[phase] == "failure":
        scene.health_check = lambda path: "unhealthy" if path.name == unhealthy else None
    running = scene.publisher.publish()
    scene.install(running)
    hit = 0
    for step in range(MOST_STEPS):
        current = begin(scene).current()
        assert current is not None
        unhealthy = "b.zip" if current.path.name == "a.zip" else "a.zip"
        target = scene.publisher.publish()
        disk = FickleDisk(scene.state_dir / "update" / "update.json", phase, step, fault)
        try:
            begin(scene, disk).apply(target)
        except (PowerCut, StorageError):
            hit += 1
        updater = begin(scene)
        assert runs(updater, running) or runs(updater, target), f"step {step}"
        outcome = updater.apply(target)
        assert outcome.outcome == ENDS_AS[phase], f"step {step}: {outcome.reason}"
        running = target if outcome.outcome == "success" else running
        assert runs(updater, running), f"step {step}"
        told = [one.outcome for one in updater.outcomes() if one.bundle_sha256 == target.sha256]
        assert told == [ENDS_AS[phase]], f"step {step}"
        updater.mark_reported({one.id for one in updater.outcomes()})
        if disk.steps <= step:
            break
    assert hit > 0
