"""Every file of the update path, as a power cut may leave it; and a disk that takes no more bytes."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.errors import LinkError, StorageError
from edge_agent.update.updater import Updater
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.faulty_cloud import Fault
from tests.edge_agent.update.forgetful_disk import ForgetfulDisk, World, damaged
from tests.edge_agent.update.scene import Scene, runs

METADATA = "tuf/*/metadata"
OURS = (
    "parts/*.part",
    f"{METADATA}/root_history/1.root.json",
    f"{METADATA}/timestamp.json",
    f"{METADATA}/snapshot.json",
    f"{METADATA}/targets.json",
    f"{METADATA}/bin-*.json",
    "tuf/*/time_floor",
    "update.json",
    "shadow.zip",
)
SLOTS = ("slots/slots.json", "slots/a.zip", "slots/b.zip")
LEFTOVERS = (
    ".update.json.new",
    "slots/.slots.json.new",
    "parts/0.whole.part",
    f"{METADATA}/tmpz7_k2pq1",
)
DAMAGES: tuple[World, ...] = ("forgotten", "empty", "torn", "zeros", "garbage")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Return a device that runs the newer of two bundles, with both slots full."""
    scene = Scene(tmp_path)
    for _ in range(2):
        scene.install(scene.publisher.publish())
    return scene


def files_like(scene: Scene, pattern: str) -> list[Path]:
    return list((scene.state_dir / "update").glob(pattern))


def damage(path: Path, world: World) -> None:
    if world == "forgotten":
        path.unlink()
    else:
        path.write_bytes(damaged(path.read_bytes(), 0, world, random.Random(world)))


def cut_off(scene: Scene) -> BundleTarget:
    """Let the download of a new bundle be cut off, with a file of each kind on the disk."""
    target = scene.publisher.publish()
    scene.start().fetch(target, scene.state_dir / "update" / "shadow.zip")
    scene.cloud.faults = [Fault("bundles/", times=1, cut_after_bytes=9_000)]
    with pytest.raises(LinkError):
        scene.start().apply(target)
    return target


def goes_on(scene: Scene, target: BundleTarget, what: str) -> Updater:
    """Install a bundle after a start; it is told once."""
    updater = scene.start()
    updater.recover()
    outcome = updater.apply(target)
    assert outcome.outcome == "success", f"{what}: {outcome.reason}"
    assert runs(updater, target), what
    assert [one.bundle_sha256 for one in updater.outcomes()] == [target.sha256], what
    updater.mark_reported({outcome.id})
    return updater


@pytest.mark.parametrize("pattern", OURS)
def test_file_that_a_power_cut_damaged_leaves_the_old_bundle_and_the_next_installs(
    scene: Scene, pattern: str
) -> None:
    for world in DAMAGES:
        running = scene.start().current()
        assert running is not None
        target = cut_off(scene)
        files = files_like(scene, pattern)
        assert files, f"nothing is like {pattern}"
        for file in files:
            damage(file, world)
        assert runs(scene.start(), running.target), world
        again = scene.start().fetch(target, scene.state_dir / "update" / "shadow.zip")
        assert again.stat().st_size == target.length_bytes, world
        goes_on(scene, target, world)


@pytest.mark.parametrize("pattern", SLOTS)
def test_slot_that_was_damaged_is_never_run_and_can_be_filled_again(scene: Scene, pattern: str) -> None:
    for world in DAMAGES:
        (file,) = files_like(scene, pattern)
        damage(file, world)
        current = scene.start().current()
        assert current is None or runs(scene.start(), current.target), world
        goes_on(scene, scene.publisher.publish(), world)
        goes_on(scene, scene.publisher.publish(), world)


@pytest.mark.parametrize("pattern", LEFTOVERS)
def test_leftover_of_a_power_cut_harms_nothing_and_does_not_stay(scene: Scene, pattern: str) -> None:
    folder, _, name = pattern.rpartition("/")
    leftover = files_like(scene, folder)[0] / name if folder else scene.state_dir / "update" / name
    leftover.write_bytes(b"torn")
    goes_on(scene, scene.publisher.publish(), pattern)
    assert not leftover.exists()


@pytest.mark.parametrize("largest_bytes", [100, 1_500, 4_000, 12_000])
def test_disk_that_takes_no_more_bytes_keeps_the_old_bundle(scene: Scene, largest_bytes: int) -> None:
    running = scene.start().current()
    assert running is not None
    target = scene.publisher.publish()
    updater = scene.start()
    with no_file_longer_than(largest_bytes), pytest.raises(StorageError):
        updater.apply(target)
    assert runs(updater, running.target)
    assert files_like(scene, "parts/*") == []
    assert files_like(scene, f"{METADATA}/tmp*") == []
    goes_on(scene, target, "with room again")


@contextmanager
def no_file_longer_than(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse what is written beyond this size, as a full disk does."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@pytest.mark.parametrize("world", DAMAGES)
def test_forgetful_disk_keeps_what_was_synced_and_nothing_else(tmp_path: Path, world: World) -> None:
    disk = ForgetfulDisk(tmp_path)
    for name in ("synced", "half synced", "past the disk"):
        (tmp_path / name).write_bytes(b"0123456789")
    disk.sync(tmp_path / "synced")
    disk.sync(tmp_path / "half synced")
    disk.sync(tmp_path)
    (tmp_path / "half synced").write_bytes(b"0123456789abcdefghij")
    disk.lose_power(world)
    assert (tmp_path / "synced").read_bytes() == b"0123456789"
    half = (tmp_path / "half synced").read_bytes()
    assert half.startswith(b"0123456789")
    assert half != b"0123456789abcdefghij"
    other = tmp_path / "past the disk"
    assert not other.exists() or other.read_bytes() != b"0123456789"
