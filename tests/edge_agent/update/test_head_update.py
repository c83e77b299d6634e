"""New heads on a trunk that is here: a small file does; when it is no good, the whole bundle comes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge_agent.errors import ArtifactError, LinkError, StorageError
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.faulty_cloud import Fault
from tests.edge_agent.update.faulty_disk import FaultyDisk, PowerCut
from tests.edge_agent.update.forgetful_disk import ForgetfulDisk
from tests.edge_agent.update.scene import Scene, runs

TRUNK = random.Random("trunk").randbytes(100_000)
MOST_STEPS = 60


def scene_with_base(tmp_path: Path) -> tuple[Scene, BundleTarget, BundleTarget]:
    """Return a device that runs a base bundle, that, and a newer one which is offered as new heads too."""
    scene = Scene(tmp_path)
    base = scene.publisher.publish_split(TRUNK)
    scene.install(base)
    newer = scene.publisher.publish_split(TRUNK, base)
    scene.cloud.requests.clear()
    return scene, base, newer


def test_device_with_the_trunk_fetches_the_heads_alone(tmp_path: Path) -> None:
    scene, base, newer = scene_with_base(tmp_path)
    updater = scene.start()
    outcome = updater.apply(newer)
    assert (outcome.outcome, outcome.reason) == ("success", None)
    assert runs(updater, newer)
    assert scene.cloud.downloaded_bytes("-heads.zip") < 10_000 < newer.length_bytes
    assert scene.cloud.downloaded_bytes(f"{newer.sha256}.") == 0
    assert runs(scene.start(), newer), (
        "its bytes are those of the whole bundle, so every start finds them sound"
    )
    previous = scene.start()._slots.previous()
    assert previous is not None
    assert previous.target == base


def test_heads_follow_heads_on_the_same_trunk(tmp_path: Path) -> None:
    scene, base, newer = scene_with_base(tmp_path)
    updater = scene.install(newer)
    third = scene.publisher.publish_split(TRUNK, base)
    scene.cloud.requests.clear()
    assert updater.apply(third).outcome == "success"
    assert runs(updater, third)
    assert scene.cloud.downloaded_bytes("-heads.zip") < 10_000
    assert scene.cloud.downloaded_bytes(f"{third.sha256}.") == 0


def test_device_without_the_trunk_fetches_the_whole_bundle_and_says_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    base = scene.publisher.publish_split(TRUNK)
    scene.install(scene.publisher.publish_split(TRUNK[::-1]))
    newer = scene.publisher.publish_split(TRUNK, base)
    updater = scene.start()
    outcome = updater.apply(newer)
    assert outcome.outcome == "success"
    assert "no bundle here has its trunk" in (outcome.reason or "")
    assert runs(updater, newer)
    assert scene.cloud.downloaded_bytes("-heads.zip") == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("-heads.zip", tamper=lambda data: data[:-1] + b"x"),
        Fault("-heads.zip", tamper=lambda data: data + b"x"),
        Fault("-heads.zip", status=404),
    ],
    ids=["other bytes", "longer", "missing"],
)
def test_head_update_that_is_not_the_signed_one_is_not_used(tmp_path: Path, fault: Fault) -> None:
    scene, _, newer = scene_with_base(tmp_path)
    scene.cloud.faults.append(fault)
    updater = scene.start()
    outcome = updater.apply(newer)
    assert outcome.outcome == "success"
    assert "the whole bundle was fetched" in (outcome.reason or "")
    assert runs(updater, newer)
    assert scene.cloud.downloaded_bytes(f"{newer.sha256}.") == newer.length_bytes


def test_signed_head_update_that_makes_another_bundle_is_not_used(tmp_path: Path) -> None:
    scene, base, newer = scene_with_base(tmp_path)
    other = scene.publisher.publish_split(TRUNK, base)
    target = scene.publisher.repository.publish(
        scene.publisher.bundle_path(newer), head_update=heads_of(scene, other)
    )
    updater = scene.start()
    outcome = updater.apply(target)
    assert outcome.outcome == "success"
    assert "do not make the bundle that was signed" in (outcome.reason or "")
    assert runs(updater, target)


def test_cut_off_head_update_is_gone_on_with(tmp_path: Path) -> None:
    scene, _, newer = scene_with_base(tmp_path)
    scene.cloud.faults.append(Fault("-heads.zip", times=1, cut_after_bytes=1_500))
    updater = scene.start()
    with pytest.raises(LinkError):
        updater.apply(newer)
    assert updater.phase == "idle"
    assert updater.apply(newer).outcome == "success"
    assert scene.cloud.requests[-1].range_header == "bytes=1500-"
    assert scene.cloud.downloaded_bytes(f"{newer.sha256}.") == 0


def test_new_heads_that_fail_their_golden_pictures_leave_the_old_ones(tmp_path: Path) -> None:
    def fails(_path: Path) -> None:
        message = "golden picture answered otherwise"
        raise ArtifactError(message)

    scene, base, newer = scene_with_base(tmp_path)
    scene.smoke_test = fails
    updater = scene.start()
    assert updater.apply(newer).outcome == "failure"
    assert runs(updater, base)
    assert runs(scene.start(), base)


def test_new_heads_that_are_unhealthy_are_rolled_back(tmp_path: Path) -> None:
    scene, base, newer = scene_with_base(tmp_path)
    scene.health_check = lambda _path: "unhealthy"
    updater = scene.start()
    outcome = updater.apply(newer)
    assert (outcome.outcome, outcome.reason) == ("failure", "unhealthy")
    assert runs(updater, base)


def test_withdrawn_bundle_takes_its_head_update_with_it(tmp_path: Path) -> None:
    scene, base, newer = scene_with_base(tmp_path)
    heads = heads_of(scene, newer)
    scene.publisher.repository.withdraw(newer)
    assert not heads.exists()
    updater = scene.start()
    assert updater.apply(newer).outcome == "failure"
    assert runs(updater, base)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["power cut that damages", "full disk"])
def test_fault_at_any_step_of_a_head_update_ends_in_one_success(tmp_path: Path, fault: str) -> None:
    scene, base, _ = scene_with_base(tmp_path)
    running = base
    for step in range(MOST_STEPS):
        target = scene.publisher.publish_split(TRUNK, base)
        memory = ForgetfulDisk(scene.state_dir, seed=step)
        disk = FaultyDisk(step, full=fault == "full disk", disk=memory)
        updater = scene.start(disk)
        try:
            updater.apply(target)
        except PowerCut:
            memory.lose_power()
        except StorageError:
            pass
        else:
            if disk.steps <= step:
                break
        updater = scene.start()
        updater.recover()
        assert runs(updater, running) or runs(updater, target), f"step {step}"
        outcome = updater.apply(target)
        assert outcome.outcome == "success", f"step {step}: {outcome.reason}"
        assert runs(updater, target)
        assert [o.outcome for o in updater.outcomes()] == ["success"], f"step {step}"
        updater.mark_reported({o.id for o in updater.outcomes()})
        running = target
    else:
        pytest.fail("a head update has more steps than are tried")


def heads_of(scene: Scene, target: BundleTarget) -> Path:
    """Return where the published head update of a bundle lies."""
    name = Path(target.path).stem
    return next((scene.publisher.tuf_path / "targets" / "bundles").glob(f"*.{name}-heads.zip"))
