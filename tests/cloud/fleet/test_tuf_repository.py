"""The signed update repository: its keys, what it publishes, and what a crash leaves."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from cloud.errors import InputError, NotFoundError
from cloud.fleet.description import BundleDescription
from cloud.fleet.keys import ROLES, SigningKeys
from cloud.fleet.tuf_repository import UpdateRepository
from cloud.store.files import write_file
from edge_agent.errors import ConfigError, StorageError
from edge_agent.wire.sync import BundleTarget
from tests.fakes.clock import FakeClock

DAY_S = 86_400.0
CAT = BundleDescription("pi-4", "0.1.0", "d1", "Cat flap", 3)


class Cut(BaseException):
    """The power fails."""


class Repository:
    """A repository in a folder, and the bundles that go into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.metadata = folder / "tuf" / "metadata"
        self.real = self.open()

    def open(self, writes_left: int | None = None) -> UpdateRepository:
        left = [writes_left]

        def write(path: Path, data: bytes) -> None:
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Cut
            write_file(path, data)

        return UpdateRepository(self.folder / "tuf", self.folder / "keys", self.clock, write=write)

    def bundle(self, content: bytes = b"bundle") -> Path:
        path = self.folder / "bundle.zip"
        path.write_bytes(content)
        return path

    def publish(self, content: bytes = b"bundle") -> BundleTarget:
        return self.real.publish(self.bundle(content), CAT)

    def versions(self) -> dict[str, int]:
        """Return the versions that `timestamp.json` leads to; every document on the way must be signed."""
        root = Metadata[Root].from_bytes(self.real.root_json().encode()).signed
        timestamp = Metadata[Timestamp].from_file(str(self.metadata / "timestamp.json"))
        root.verify_delegate("timestamp", timestamp.signed_bytes, timestamp.signatures)
        number = timestamp.signed.snapshot_meta.version
        data = (self.metadata / f"{number}.snapshot.json").read_bytes()
        timestamp.signed.snapshot_meta.verify_length_and_hashes(data)
        snapshot = Metadata[Snapshot].from_bytes(data)
        root.verify_delegate("snapshot", snapshot.signed_bytes, snapshot.signatures)
        for name, listed in snapshot.signed.meta.items():
            listed.verify_length_and_hashes((self.metadata / f"{listed.version}.{name}").read_bytes())
        found = {name.removesuffix(".json"): listed.version for name, listed in snapshot.signed.meta.items()}
        return {"timestamp": timestamp.signed.version, "snapshot": number, **found}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path)
    found.real.init()
    return found


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_repository_starts_every_role_at_version_1(repository: Repository) -> None:
    assert repository.versions() == {"timestamp": 1, "snapshot": 1, "targets": 1}


def test_init_again_changes_nothing(repository: Repository) -> None:
    before = {path: path.read_bytes() for path in repository.folder.rglob("*") if path.is_file()}
    repository.open().init()
    assert {path: path.read_bytes() for path in repository.folder.rglob("*") if path.is_file()} == before


def test_keys_are_for_the_owner_only_and_never_shown(repository: Repository) -> None:
    folder = repository.folder / "keys" / "tuf"
    assert mode_of(folder) == 0o700
    assert {path.name for path in folder.iterdir()} == {f"{role}.pem" for role in ROLES}
    assert {mode_of(path) for path in folder.iterdir()} == {0o600}
    secret = (folder / "root.pem").read_text().splitlines()[1]
    assert secret not in repr(SigningKeys(repository.folder / "keys"))


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp", "bins"])
def test_missing_key_is_named(repository: Repository, role: str) -> None:
    path = repository.folder / "keys" / "tuf" / f"{role}.pem"
    path.unlink()
    with pytest.raises(ConfigError, match=f"{role}.pem is missing; restore it from its backup"):
        repository.publish()
    with pytest.raises(ConfigError, match="is missing"):
        repository.open().init()


def test_root_key_may_be_kept_elsewhere(repository: Repository) -> None:
    (repository.folder / "keys" / "tuf" / "root.pem").unlink()
    repository.open().init()
    assert repository.publish().release == 1


@pytest.mark.parametrize(
    ("place", "mode"), [("timestamp.pem", 0o640), ("timestamp.pem", 0o604), (".", 0o750)]
)
def test_key_that_others_can_read_is_refused(repository: Repository, place: str, mode: int) -> None:
    (repository.folder / "keys" / "tuf" / place).chmod(mode)
    with pytest.raises(ConfigError, match=f"open to other users \\(mode {mode:o}\\); run: chmod"):
        repository.real.refresh_timestamp()


def test_damaged_key_is_refused_without_showing_it(repository: Repository) -> None:
    (repository.folder / "keys" / "tuf" / "timestamp.pem").write_text("secret stuff")
    with pytest.raises(ConfigError, match="is damaged") as refused:
        repository.real.refresh_timestamp()
    assert "secret stuff" not in str(refused.value)


def test_keys_of_another_repository_are_refused(repository: Repository) -> None:
    (repository.folder / "keys").rename(repository.folder / "old_keys")
    SigningKeys(repository.folder / "keys").init()
    with pytest.raises(ConfigError, match="restore the right one"):
        repository.open().init()
    with pytest.raises(ConfigError, match="restore the right one"):
        repository.publish()


def test_published_bundle_is_signed_with_what_a_device_must_know(repository: Repository) -> None:
    target = repository.publish()
    assert target.path == "bundles/Cat-flap-v3-pi-4-r1.zip"
    files = repository.real.signed_files(target)
    assert files.bundle_path.read_bytes() == b"bundle"
    assert files.bundle_path.name == f"{target.sha256}.Cat-flap-v3-pi-4-r1.zip"
    entry = Metadata[Targets].from_bytes(files.bin).signed.targets[target.path]
    assert (entry.length, entry.hashes) == (target.length_bytes, {"sha256": target.sha256})
    assert entry.custom == {
        "schema": 1,
        "profile": "pi-4",
        "min_agent_version": "0.1.0",
        "release": 1,
        "detector_id": "d1",
        "detector_name": "Cat flap",
        "detector_version": 3,
        "head_update": None,
    }


def test_release_grows_and_no_name_is_used_twice(repository: Repository) -> None:
    first, second = repository.publish(), repository.publish()
    repository.real.withdraw(second)
    third = repository.publish()
    assert [first.release, second.release, third.release] == [1, 2, 3]
    assert len({first.path, second.path, third.path}) == 3


def test_many_bundles_are_spread_over_bins(repository: Repository) -> None:
    for number in range(30):
        repository.publish(b"%d" % number)
    versions = repository.versions()
    assert 20 < sum(name.startswith("bin-") for name in versions) <= 30
    assert (repository.metadata / f"{versions['targets']}.targets.json").stat().st_size < 1000


def test_detector_without_plain_letters_gets_a_plain_name(repository: Repository) -> None:
    target = repository.real.publish(repository.bundle(), BundleDescription("pi-4", "0.1.0", "d1", "猫", 1))
    assert target.path == "bundles/detector-v1-pi-4-r1.zip"
    assert target.detector_name == "猫"


def test_withdrawn_bundle_is_gone(repository: Repository) -> None:
    target = repository.publish()
    repository.real.withdraw(target)
    assert list((repository.folder / "tuf" / "targets").rglob("*.zip")) == []
    for forbidden in (repository.real.withdraw, repository.real.signed_files):
        with pytest.raises(NotFoundError, match="no published bundle"):
            forbidden(target)


def test_file_that_is_no_bundle_is_refused(repository: Repository) -> None:
    with pytest.raises(InputError, match="elfowl-compress"):
        repository.real.publish(repository.bundle(b"no zip"))
    assert repository.publish().release == 1


def test_timestamp_is_renewed_and_the_rest_left_alone(repository: Repository) -> None:
    before = repository.versions()
    repository.clock.advance(DAY_S)
    repository.real.refresh_timestamp()
    assert repository.versions() == {**before, "timestamp": before["timestamp"] + 1}


def test_everything_is_renewed_long_before_it_expires(repository: Repository) -> None:
    repository.publish()
    for _ in range(10 * 12):
        repository.clock.advance(30 * DAY_S)
        repository.real.refresh_timestamp()
    versions = repository.versions()
    now_s = repository.clock.now_s()
    current = [
        repository.metadata / f"{versions[role]}.{role}.json" for role in versions if role != "timestamp"
    ]
    for path in current:
        assert Metadata.from_file(str(path)).signed.expires.timestamp() > now_s, path.name
    assert Metadata[Root].from_bytes(repository.real.root_json().encode()).signed.version > 1


def test_root_whose_key_is_elsewhere_is_not_renewed_but_warned_about(
    repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    (repository.folder / "keys" / "tuf" / "root.pem").unlink()
    repository.clock.advance(4 * 365 * DAY_S)
    repository.real.refresh_timestamp()
    assert "renew it with its key" in caplog.text


@pytest.mark.parametrize("writes", range(4))
def test_crash_while_beginning_is_made_good_by_the_next_start(tmp_path: Path, writes: int) -> None:
    repository = Repository(tmp_path)
    with pytest.raises(Cut):
        repository.open(writes).init()
    repository.open().init()
    assert repository.publish().release == 1
    assert repository.versions()["snapshot"] == 2


@pytest.mark.parametrize("writes", range(4))
def test_crash_while_publishing_leaves_the_old_state_and_the_next_one_works(
    repository: Repository, writes: int
) -> None:
    repository.publish(b"first")
    before = repository.versions()
    with pytest.raises(Cut):
        repository.open(writes).publish(repository.bundle(b"second"), CAT)
    assert repository.versions() == before
    assert repository.publish(b"third").release == 2
    assert repository.versions()["snapshot"] == before["snapshot"] + 1


def test_lost_timestamp_is_not_papered_over(repository: Repository) -> None:
    repository.publish()
    (repository.metadata / "timestamp.json").unlink()
    with pytest.raises(StorageError, match="from its backup"):
        repository.open().init()


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.root.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"junk", None])
def test_damaged_metadata_is_one_clear_line(repository: Repository, name: str, content: bytes | None) -> None:
    path = repository.metadata / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=r"backup|there is no update repository") as refused:
        repository.publish()
    assert "\n" not in str(refused.value)


def test_use_before_the_beginning_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no update repository"):
        Repository(tmp_path).real.root_json()


def test_two_publishers_at_once_both_succeed(repository: Repository) -> None:
    targets: list[BundleTarget] = []

    def publish(number: int) -> None:
        path = repository.folder / f"{number}.zip"
        path.write_bytes(b"%d" % number)
        targets.append(repository.open().publish(path, CAT))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(target.release for target in targets) == list(range(1, 9))
    for target in targets:
        assert repository.real.signed_files(target).bundle_path.is_file()
