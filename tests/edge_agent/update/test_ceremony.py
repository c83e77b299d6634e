"""The owner changes keys with the tools that are meant for it; devices follow, also old ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from cloud.errors import InputError
from cloud.fleet.ceremony import ROTATED, Ceremony
from cloud.fleet.keys import SigningKeys, signer_from
from cloud.fleet.tuf_repository import UpdateRepository
from cloud.store.files import write_file
from edge_agent.errors import ConfigError, StorageError
from tests.edge_agent.update.scene import Scene, runs


class Cut(BaseException):
    """The power fails."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    found = Scene(tmp_path)
    found.install(found.publisher.publish())
    return found


def ceremony(scene: Scene, writes_left: int | None = None) -> Ceremony:
    left = [writes_left]

    def write(path: Path, data: bytes) -> None:
        if left[0] is not None:
            left[0] -= 1
            if left[0] < 0:
                raise Cut
        write_file(path, data)

    folder = scene.publisher.folder
    repository = UpdateRepository(scene.publisher.tuf_path, folder / "keys", scene.clock, write=write)
    return Ceremony(repository, folder / "keys")


def keyids(scene: Scene) -> dict[str, tuple[str, ...]]:
    return {one.role: one.keyids for one in ceremony(scene).status()}


@pytest.mark.parametrize("role", ROTATED)
def test_device_follows_the_change_of_every_key(scene: Scene, role: str) -> None:
    before = keyids(scene)
    ceremony(scene).rotate(role)
    after = keyids(scene)
    assert {name for name in after if after[name] != before[name]} == {role}
    new = scene.publisher.publish()
    updater = scene.start()
    assert updater.apply(new).outcome == "success"
    assert runs(updater, new)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp", "bins"])
def test_change_that_was_cut_off_anywhere_is_finished_by_the_next_try(scene: Scene, role: str) -> None:
    for writes in range(6):
        before = keyids(scene)[role]
        try:
            ceremony(scene, writes).rotate(role)
        except Cut:
            ceremony(scene)._repository.init()
            ceremony(scene)._repository.refresh_timestamp()
            ceremony(scene).rotate(role)
        assert keyids(scene)[role] != before
        assert not list((scene.publisher.folder / "keys" / "tuf").glob("*.next.pem"))
        assert scene.start().apply(scene.publisher.publish()).outcome == "success"


def test_two_of_three_root_keys_change_a_key_and_one_cannot(scene: Scene) -> None:
    owners = scene.folder / "owners"
    paths = ceremony(scene).share_root(owners, 3, 2)
    assert not SigningKeys(scene.publisher.folder / "keys").holds("root")
    before = scene.publisher.repository.root_json()
    with pytest.raises(ConfigError, match="not on this machine"):
        ceremony(scene).rotate("timestamp")
    with pytest.raises(InputError, match="2 keys of the present root have to sign"):
        ceremony(scene).rotate("timestamp", paths[:1])
    assert scene.publisher.repository.root_json() == before
    ceremony(scene).rotate("timestamp", paths[1:])
    new = scene.publisher.publish()
    assert scene.start().apply(new).outcome == "success"
    signed = Metadata[Root].from_bytes(scene.publisher.repository.root_json().encode())
    assert (signed.signed.version, len(signed.signatures)) == (3, 2)


def test_root_key_that_leaked_is_believed_no_more(scene: Scene) -> None:
    stolen = SigningKeys(scene.publisher.folder / "keys").signer("root")
    ceremony(scene).rotate("root")
    signed = scene.publisher.repository.root()
    assert stolen.public_key.keyid not in signed.keys
    with pytest.raises(InputError, match="have to sign"):
        scene.publisher.repository.change_root(lambda _: None, [stolen])


@pytest.mark.parametrize(("count", "threshold"), [(3, 4), (0, 0), (10, 2)])
def test_numbers_of_root_keys_that_make_no_sense_are_refused(
    scene: Scene, count: int, threshold: int
) -> None:
    with pytest.raises(InputError, match=f"{threshold} of {count} keys"):
        ceremony(scene).share_root(scene.folder / "owners", count, threshold)


def test_key_files_that_lie_there_are_never_replaced(scene: Scene) -> None:
    owners = scene.folder / "owners"
    owners.mkdir()
    (owners / "root-2.pem").write_text("precious")
    with pytest.raises(StorageError):
        ceremony(scene).share_root(owners, 2, 1)
    assert (owners / "root-2.pem").read_text() == "precious"
    assert SigningKeys(scene.publisher.folder / "keys").holds("root")


def test_root_that_one_of_three_signed_alone_is_refused_by_devices(scene: Scene) -> None:
    paths = ceremony(scene).share_root(scene.folder / "owners", 3, 2)
    running = scene.publisher.publish()
    scene.install(running)
    thief = CryptoSigner.generate_ed25519()
    forged = Metadata[Root].from_bytes(scene.publisher.repository.root_json().encode())
    forged.signed.version += 1
    for keyid in list(forged.signed.roles["timestamp"].keyids):
        forged.signed.revoke_key(keyid, "timestamp")
    forged.signed.add_key(thief.public_key, "timestamp")
    forged.signatures.clear()
    forged.sign(signer_from(paths[0]))
    path = scene.publisher.metadata_path / f"{forged.signed.version}.root.json"
    wanted = scene.publisher.publish()
    path.write_bytes(forged.to_bytes())
    updater = scene.start()
    outcome = updater.apply(wanted)
    assert outcome.outcome == "failure"
    assert "not signed by the trusted keys" in str(outcome.reason)
    assert runs(updater, running)
