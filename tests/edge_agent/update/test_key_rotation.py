"""Keys of the repository change while a device is away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Timestamp

from cloud.fleet.keys import SigningKeys
from tests.edge_agent.update.scene import Scene, runs

YEAR_S = 365 * 86_400.0


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    found = Scene(tmp_path)
    found.install(found.publisher.publish())
    return found


def read(scene: Scene, name: str) -> Metadata[Any]:
    return Metadata.from_file(str(scene.publisher.metadata_path / name))


def write(scene: Scene, name: str, metadata: Metadata[Any], *signers: CryptoSigner) -> None:
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)
    (scene.publisher.metadata_path / name).write_bytes(metadata.to_bytes())


def root_signer(scene: Scene) -> CryptoSigner:
    return SigningKeys(scene.publisher.folder / "keys").signer("root")


def change_key(scene: Scene, role: str, *, signers: tuple[CryptoSigner, ...] = ()) -> CryptoSigner:
    """Publish a root with a new key for `role`; it is signed by the root's own keys, or by `signers`."""
    newest = Metadata[Root].from_bytes(scene.publisher.repository.root_json().encode())
    new = CryptoSigner.generate_ed25519()
    for keyid in list(newest.signed.roles[role].keyids):
        newest.signed.revoke_key(keyid, role)
    newest.signed.add_key(new.public_key, role)
    newest.signed.version += 1
    write(scene, f"{newest.signed.version}.root.json", newest, *(signers or (root_signer(scene),)))
    return new


def sign_timestamp_again(scene: Scene, signer: CryptoSigner, *, raise_version_by: int = 1) -> None:
    timestamp: Metadata[Timestamp] = read(scene, "timestamp.json")
    timestamp.signed.version += raise_version_by
    write(scene, "timestamp.json", timestamp, signer)


def test_device_walks_over_several_roots_to_the_newest_keys(scene: Scene) -> None:
    new = scene.publisher.publish()
    for _ in range(3):
        signer = change_key(scene, "timestamp")
    sign_timestamp_again(scene, signer)
    updater = scene.start()
    assert updater.apply(new).outcome == "success"
    assert runs(updater, new)


def test_revoked_key_is_refused(scene: Scene) -> None:
    new = scene.publisher.publish()
    change_key(scene, "timestamp")
    outcome = scene.start().apply(new)
    assert "timestamp was signed by 0/1 keys" in str(outcome.reason)


def test_root_that_the_old_root_did_not_sign_is_refused(scene: Scene) -> None:
    new = scene.publisher.publish()
    stranger = CryptoSigner.generate_ed25519()
    change_key(scene, "root", signers=(stranger,))
    outcome = scene.start().apply(new)
    assert "root was signed by 0/1 keys" in str(outcome.reason)


def test_version_that_was_driven_up_by_a_stolen_key_is_healed_by_new_keys(scene: Scene) -> None:
    """Fast forward: until the key is revoked, no honest timestamp is new enough; afterwards all is well."""
    new = scene.publisher.publish()
    honest = (scene.publisher.metadata_path / "timestamp.json").read_bytes()
    keys = SigningKeys(scene.publisher.folder / "keys")
    sign_timestamp_again(scene, keys.signer("timestamp"), raise_version_by=1_000_000)
    unknown = new.model_copy(update={"path": "bundles/none.zip", "sha256": "0" * 64})
    scene.start().apply(unknown)
    (scene.publisher.metadata_path / "timestamp.json").write_bytes(honest)
    assert "older than what was seen before" in str(scene.start().apply(new).reason)
    sign_timestamp_again(scene, change_key(scene, "timestamp"))
    scene.clock.advance(601)
    assert scene.start().apply(new).outcome == "success"


def test_renewed_root_is_followed_by_a_device_that_was_away_for_years(scene: Scene) -> None:
    scene.clock.advance(3 * YEAR_S)
    scene.publisher.repository.refresh_timestamp()
    newest = json.loads(scene.publisher.repository.root_json())
    assert newest["signed"]["version"] == 2
    new = scene.publisher.publish()
    scene.clock.advance(0.9 * YEAR_S)
    scene.publisher.repository.refresh_timestamp()
    assert scene.start().apply(new).outcome == "success"
