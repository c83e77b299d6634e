"""The power fails at every step of an installation; a whole bundle runs afterwards, and all goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.errors import StorageError
from edge_agent.update.disk import RealDisk, sha256_of
from edge_agent.update.slots import Slots
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.faulty_disk import FaultyDisk, PowerCut
from tests.edge_agent.update.scene import Scene, runs

SLOT_STEPS = 12
UPDATE_STEPS = 50


def staged_zip(folder: Path, content: bytes) -> tuple[Path, BundleTarget]:
    path = folder / f"{content.decode()}.zip"
    path.write_bytes(content)
    target = BundleTarget(
        path=f"bundles/{content.decode()}.zip",
        sha256=sha256_of(path),
        length_bytes=len(content),
        release=1,
        detector_id="d",
        detector_name="d",
        detector_version=1,
    )
    return path, target


def content_of(slots: Slots) -> bytes | None:
    current = slots.current()
    return None if current is None else current.path.read_bytes()


def install(slots: Slots, folder: Path, content: bytes) -> None:
    slots.stage(*staged_zip(folder, content))
    slots.switch()


@pytest.fixture
def slots_path(tmp_path: Path) -> Iterator[Path]:
    """Return slots in which `two` runs and `one` is kept."""
    slots = Slots(tmp_path / "slots", RealDisk())
    install(slots, tmp_path, b"one")
    install(slots, tmp_path, b"two")
    yield tmp_path / "slots"
    # What is there in the end can always be built upon.
    slots = Slots(tmp_path / "slots", RealDisk())
    install(slots, tmp_path, b"last")
    assert content_of(Slots(tmp_path / "slots", RealDisk())) == b"last"


@pytest.mark.parametrize("step", range(SLOT_STEPS))
def test_power_cut_while_installing_leaves_the_old_or_the_new_bundle(slots_path: Path, step: int) -> None:
    with pytest.raises(PowerCut):
        install(Slots(slots_path, FaultyDisk(step)), slots_path.parent, b"three")
    after = Slots(slots_path, RealDisk())
    assert content_of(after) in ({b"two"} if step < SLOT_STEPS - 2 else {b"two", b"three"})


def test_all_steps_of_installing_are_covered(slots_path: Path) -> None:
    disk = FaultyDisk()
    install(Slots(slots_path, disk), slots_path.parent, b"three")
    assert disk.steps == SLOT_STEPS
    assert content_of(Slots(slots_path, RealDisk())) == b"three"


@pytest.mark.parametrize("step", range(3))
def test_power_cut_while_rolling_back_leaves_a_whole_bundle(slots_path: Path, step: int) -> None:
    slots = Slots(slots_path, FaultyDisk(step))
    current = slots.current()
    assert current is not None
    with pytest.raises(PowerCut):
        slots.drop(current.target.sha256)
    assert content_of(Slots(slots_path, RealDisk())) in {b"one", b"two"}


@pytest.mark.parametrize("step", range(SLOT_STEPS))
def test_full_disk_while_installing_keeps_the_old_bundle(slots_path: Path, step: int) -> None:
    slots = Slots(slots_path, FaultyDisk(step, full=True))
    with pytest.raises(StorageError, match="no space left"):
        install(slots, slots_path.parent, b"three")
    assert content_of(slots) == b"two" or step == SLOT_STEPS - 1
    assert content_of(Slots(slots_path, RealDisk())) in {b"two", b"three"}


@pytest.mark.parametrize("content", [b"", b"tw", b"twox", b"owt"])
def test_slot_with_other_bytes_is_not_used(slots_path: Path, content: bytes) -> None:
    current = Slots(slots_path, RealDisk()).current()
    assert current is not None
    current.path.write_bytes(content)
    after = Slots(slots_path, RealDisk())
    assert content_of(after) == b"one"
    assert after.previous() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"current": "c"}', '{"current": "a", "a": {}}'])
def test_damaged_slot_record_means_no_installed_bundle(slots_path: Path, text: str) -> None:
    (slots_path / "slots.json").write_text(text)
    assert Slots(slots_path, RealDisk()).current() is None


def test_all_steps_of_an_update_are_covered(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.install(scene.publisher.publish())
    disk = FaultyDisk()
    assert scene.start(disk).apply(scene.publisher.publish()).outcome == "success"
    assert disk.steps <= UPDATE_STEPS


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["power cut", "full disk", "full disk and a start"])
def test_fault_at_any_step_of_an_update_ends_in_one_success(tmp_path: Path, fault: str) -> None:
    scene = Scene(tmp_path)
    running = scene.publisher.publish()
    scene.install(running)
    for step in range(UPDATE_STEPS):
        target = scene.publisher.publish()
        disk = FaultyDisk(step, full=fault != "power cut")
        updater = scene.start(disk)
        try:
            updater.apply(target)
        except (PowerCut, StorageError):
            pass
        else:
            if disk.steps <= step:
                break
        if fault != "full disk":
            updater = scene.start()
        recovered = None if fault == "full disk" else updater.recover()
        assert runs(updater, running) or runs(updater, target), f"step {step}"
        assert recovered is None or recovered.outcome == "success", f"step {step}"
        outcome = updater.apply(target)
        assert outcome.outcome == "success", f"step {step}: {outcome.reason}"
        assert runs(updater, target)
        assert [o.outcome for o in updater.outcomes()] == ["success"], f"step {step}"
        updater.mark_reported({o.id for o in updater.outcomes()})
        running = target
    else:
        pytest.fail("an update has more steps than are tried")


def test_agent_that_dies_in_the_smoke_test_twice_refuses_the_bundle(tmp_path: Path) -> None:
    def dies(_path: Path) -> None:
        raise PowerCut

    scene = Scene(tmp_path)
    old = scene.publisher.publish()
    scene.install(old)
    scene.smoke_test = dies
    bad = scene.publisher.publish()
    for _ in range(2):
        updater = scene.start()
        assert updater.recover() is None
        with pytest.raises(PowerCut):
            updater.apply(bad)
    updater = scene.start()
    outcome = updater.recover()
    assert outcome is not None
    assert outcome.reason == "the agent ended 2 times while it tried this bundle"
    assert runs(updater, old)
    assert updater.apply(bad) == outcome
    assert updater.outcomes() == (outcome,)


def test_agent_that_dies_once_on_trial_goes_on_with_it_and_commits(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.install(scene.publisher.publish())
    new = die_on_trial(scene)
    updater = scene.start()
    assert updater.recover() is None
    assert updater.phase == "trial"
    assert runs(updater, new)
    scene.health_check = None
    outcome = scene.start().resume()
    assert outcome is not None
    assert outcome.outcome == "success"
    assert scene.start().outcomes() == (outcome,)


def test_agent_that_dies_twice_on_trial_rolls_back(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    old = scene.publisher.publish()
    scene.install(old)
    new = die_on_trial(scene)
    updater = scene.start()
    updater.recover()
    with pytest.raises(PowerCut):
        updater.resume()
    updater = scene.start()
    outcome = updater.recover()
    assert outcome is not None
    assert outcome.outcome == "failure"
    assert runs(updater, old)
    assert updater.apply(new) == outcome


@pytest.mark.parametrize("step", range(9))
def test_power_cut_while_rolling_back_is_finished_at_the_next_start(tmp_path: Path, step: int) -> None:
    scene = Scene(tmp_path)
    old = scene.publisher.publish()
    scene.install(old)
    new = die_on_trial(scene)
    scene.start().recover()
    scene.health_check = lambda _path: "unhealthy"
    with pytest.raises(PowerCut):
        scene.start(FaultyDisk(step)).resume()
    updater = scene.start()
    recovered = updater.recover() or updater.resume()
    assert recovered is None or recovered.outcome == "failure"
    assert runs(updater, old)
    assert [o.bundle_sha256 for o in updater.outcomes()] == [new.sha256]


def die_on_trial(scene: Scene) -> BundleTarget:
    """Let the agent end while a new bundle runs on trial."""

    def dies(_path: Path) -> str | None:
        raise PowerCut

    scene.health_check = dies
    target = scene.publisher.publish()
    with pytest.raises(PowerCut):
        scene.start().apply(target)
    return target
