"""Signed kits: a bundle for a camera that has no cloud, and what is refused."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.errors import NotFoundError
from cloud.fleet.kit import export_kit
from edge_agent.errors import ArtifactError, ConfigError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.update.kit import open_kit
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.update.publisher import PROFILE, Publisher
from tests.fakes.clock import FakeClock

YEAR_S = 365 * 86_400.0

Members = dict[str, bytes]


class Desk:
    """Where kits are exported, and a camera to which they are carried."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.publisher = Publisher(folder / "publisher", self.clock)
        self.root_json = self.publisher.repository.root_json()
        self.target = self.publisher.publish()
        self.kit = folder / "kit.zip"
        export_kit(self.publisher.repository, self.target, self.kit)

    def open(self, root_json: str | None = None, profile: str = PROFILE) -> Path:
        return open_kit(
            self.kit,
            root_json or self.root_json,
            state_path=self.folder / "camera" / "kits",
            clock=self.clock,
            profile=profile,
        )

    def members(self) -> Members:
        with zipfile.ZipFile(self.kit) as kit:
            return {name: kit.read(name) for name in kit.namelist()}

    def rewrite(self, members: Members) -> None:
        with zipfile.ZipFile(self.kit, "w") as kit:
            for name, data in members.items():
                kit.writestr(name, data)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_kit_gives_the_published_bundle(desk: Desk) -> None:
    path = desk.open()
    assert path.read_bytes() == desk.publisher.bundle_path(desk.target).read_bytes()
    assert open_bundle(path).sha256 == desk.target.sha256
    assert desk.open() == path


def test_same_kit_is_the_same_bytes(desk: Desk) -> None:
    again = export_kit(desk.publisher.repository, desk.target, desk.folder / "again.zip")
    assert again.read_bytes() == desk.kit.read_bytes()


def test_withdrawn_bundle_gives_no_kit(desk: Desk) -> None:
    desk.publisher.repository.withdraw(desk.target)
    with pytest.raises(NotFoundError):
        export_kit(desk.publisher.repository, desk.target, desk.folder / "again.zip")
    assert not (desk.folder / "again.zip").exists()


def test_opened_kit_stays_good_when_its_signatures_expire(desk: Desk) -> None:
    path = desk.open()
    desk.clock.advance(10 * YEAR_S)
    assert desk.open() == path


def test_kit_that_expired_before_it_was_opened_is_refused(desk: Desk) -> None:
    desk.clock.advance(1.1 * YEAR_S)
    with pytest.raises(ArtifactError, match="expired on 20"):
        desk.open()


def test_damaged_copy_is_unpacked_again(desk: Desk) -> None:
    path = desk.open()
    good = path.read_bytes()
    path.write_bytes(b"damaged")
    assert desk.open().read_bytes() == good


def test_kit_made_after_the_root_was_renewed_opens_with_the_old_pinned_root(desk: Desk) -> None:
    desk.clock.advance(3 * YEAR_S)
    desk.publisher.repository.refresh_timestamp()
    assert desk.publisher.repository.root_json() != desk.root_json
    export_kit(desk.publisher.repository, desk.target, desk.kit)
    assert desk.open().exists()


def test_kit_of_another_cloud_is_refused(desk: Desk) -> None:
    other = Publisher(desk.folder / "other", desk.clock).repository.root_json()
    with pytest.raises(ArtifactError, match="not signed by the trusted keys: targets was signed by 0/1 keys"):
        desk.open(other)


def test_kit_for_another_profile_is_refused(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="is for profile 'x86-64', this device is 'pi-4'"):
        desk.open(profile="pi-4")


def test_missing_kit_is_the_operators_business(desk: Desk) -> None:
    desk.kit.unlink()
    with pytest.raises(ConfigError, match="there is no kit at"):
        desk.open()


@pytest.mark.parametrize("root", ["", "{}", "junk"])
def test_damaged_pinned_root_is_the_operators_business(desk: Desk, root: str) -> None:
    with pytest.raises(ConfigError, match="root of trust"):
        desk.open(root or " ")


def flipped(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


def change(name: str, how: Callable[[bytes], bytes]) -> Callable[[Members], Members]:
    return lambda members: {member: how(data) if name in member else data for member, data in members.items()}


def without(name: str) -> Callable[[Members], Members]:
    return lambda members: {member: data for member, data in members.items() if name not in member}


def names_another_target(data: bytes) -> bytes:
    document = json.loads(data)
    document["target"]["path"] = "bundles/other.zip"
    return json.dumps(document).encode()


def raises_the_length(data: bytes) -> bytes:
    document = json.loads(data)
    for entry in document["signed"]["targets"].values():
        entry["length"] += 1
    return json.dumps(document).encode()


ATTACKS: dict[str, Callable[[Members], Members]] = {
    "changed bundle": change("bundle.zip", flipped),
    "longer bundle": change("bundle.zip", lambda data: data + b"x"),
    "shorter bundle": change("bundle.zip", lambda data: data[:-1]),
    "no bundle": without("bundle.zip"),
    "no index": without("kit.json"),
    "no bin": without("metadata/bin"),
    "no targets": without("metadata/targets"),
    "junk index": change("kit.json", lambda _: b"[]"),
    "other target": change("kit.json", names_another_target),
    "forged bin": change("metadata/bin", raises_the_length),
    "junk bin": change("metadata/bin", lambda _: b"\xff\xfe"),
    "targets in place of the bin": lambda members: {
        name: members["metadata/targets.json"] if "metadata/bin" in name else data
        for name, data in members.items()
    },
    "huge metadata": change("metadata/targets", lambda data: data + b" " * 6_000_000),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_changed_kit_is_refused_in_one_line_and_leaves_nothing(desk: Desk, name: str) -> None:
    desk.rewrite(ATTACKS[name](desk.members()))
    with pytest.raises(ArtifactError, match=r"^kit kit\.zip is damaged or not signed by") as refused:
        desk.open()
    assert "\n" not in str(refused.value)
    assert not list((desk.folder / "camera").rglob("*.*"))


def test_bits_that_rot_anywhere_in_the_file_are_never_accepted_as_another_bundle(desk: Desk) -> None:
    whole, numbers = desk.kit.read_bytes(), random.Random(7)
    good = desk.publisher.bundle_path(desk.target).read_bytes()
    for _ in range(200):
        position = numbers.randrange(len(whole))
        changed = bytes([whole[position] ^ (1 << numbers.randrange(8))])
        desk.kit.write_bytes(whole[:position] + changed + whole[position + 1 :])
        try:
            path = desk.open()
        except ArtifactError:
            continue
        assert path.read_bytes() == good
        path.unlink()


def test_newest_release_is_not_needed_for_an_older_kit(desk: Desk) -> None:
    """A documented limit: without a cloud nobody can know that there is a newer bundle."""
    newer: BundleTarget = desk.publisher.publish()
    assert newer.release > desk.target.release
    assert desk.open().exists()
