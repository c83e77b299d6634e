"""The signed update repository: a TUF repository in a folder that any web server can serve.

    <tuf_path>/metadata/   <n>.root.json <n>.targets.json <n>.bin-xx.json <n>.snapshot.json timestamp.json
    <tuf_path>/targets/    bundles/<sha256>.<name>.zip

Only `timestamp.json` is ever replaced, and it is written last: a reader sees the old state or the new one. A
publication that was cut off leaves files that nothing refers to; the next one writes over them.
"""

from __future__ import annotations

import copy
import datetime as dt
import fcntl
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import MetaFile, Root, Snapshot, Targets, Timestamp

from cloud.errors import NotFoundError
from cloud.fleet import signing
from cloud.fleet.description import BundleDescription, describe
from cloud.fleet.keys import BINS, ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, SigningKeys
from cloud.fleet.metadata_files import TIMESTAMP_FILE, MetadataFiles, State
from cloud.fleet.target_files import TargetFiles
from cloud.store.files import storing, write_file
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError, StorageError
from edge_agent.wire.sync import BundleTarget
from edge_agent.wire.target import TargetCustom

_LOGGER = logging.getLogger(__name__)

Write = Callable[[Path, bytes], object]


@dataclass(frozen=True)
class SignedFiles:
    """All that proves one bundle: every root, the top-level targets, the bin, and the bundle itself."""

    roots: tuple[bytes, ...]
    targets: bytes
    bin_role: str
    bin: bytes
    bundle_path: Path


class UpdateRepository:
    """Publishes and withdraws bundles; one writer at a time, guarded by a lock file.

    Args:
        tuf_path: Where `metadata/` and `targets/` are.
        keys_path: Where the signing keys are, in `tuf/`.
        clock: Where the time comes from.
        lifetimes: How long signatures hold.
        write: Puts a file on the disk whole or not at all.
    """

    def __init__(
        self,
        tuf_path: Path,
        keys_path: Path,
        clock: Clock,
        *,
        lifetimes: signing.Lifetimes | None = None,
        write: Write = write_file,
    ) -> None:
        self._folder = tuf_path
        self._files = MetadataFiles(tuf_path / "metadata")
        self._targets = TargetFiles(tuf_path / "targets")
        self._keys = SigningKeys(keys_path)
        self._clock = clock
        self._lifetimes = lifetimes or signing.Lifetimes()
        self._write = write

    def init(self) -> None:
        """Make keys and an empty repository, unless that was done before.

        Raises:
            ConfigError: There is a repository, but its keys are missing or not fit to be used.
            StorageError: The disk is full or read-only, or the repository is damaged.
        """
        with self._locked():
            timestamp_path = self._files.folder / TIMESTAMP_FILE
            if timestamp_path.exists():
                self._check_keys(self._files.load())
                return
            if self._targets.any_there():
                message = f"{timestamp_path} is gone; restore {self._folder} from its backup"
                raise StorageError(message)
            self._keys.init()
            self._write_first()

    def publish(
        self,
        bundle_zip: Path,
        description: BundleDescription | None = None,
        *,
        head_update: Path | None = None,
    ) -> BundleTarget:
        """Sign a bundle and offer it to devices.

        A device refuses a lower release of a detector; to bring an older version back, publish it again.

        Args:
            bundle_zip: The bundle.
            description: What to sign about it; none: what its own manifest says.
            head_update: Makes the same bundle on a device with its trunk; none: only the whole is offered.

        Returns:
            Its signed place, to be put into a device's desired state.

        Raises:
            InputError: The file is not a bundle, or changed meanwhile, or has no trunk for a head update.
            ConfigError: A signing key is missing or not fit to be used.
            StorageError: The disk is full or read-only, or the repository is damaged.
        """
        description = description or describe(bundle_zip)
        with self._locked():
            state = self._files.load()
            release = state.release + 1
            target = self._targets.store_bundle(bundle_zip, description, release)
            custom = description.custom(release)
            if head_update is not None:
                offer = self._targets.store_head_update(head_update, target.path, description)
                custom = custom.model_copy(update={"head_update": offer})
            self._list(state, target, custom)
        _LOGGER.info("published %s, release %d, %d bytes", target.path, release, target.length_bytes)
        return target

    def withdraw(self, target: BundleTarget) -> None:
        """Take a bundle back: no device installs it any more; one that runs it goes on until it gets another.

        Raises:
            NotFoundError: It is not published.
            ConfigError: A signing key is missing or not fit to be used.
            StorageError: The disk is full or read-only, or the repository is damaged.
        """
        with self._locked():
            state = self._files.load()
            name = signing.bin_of(state.targets, target.path)
            bin_targets = self._files.load_targets(state, name)
            entry = bin_targets.targets.pop(target.path, None)
            if entry is None:
                message = f"there is no published bundle {target.path}"
                raise NotFoundError(message)
            self._commit(state, {name: bin_targets})
            offer = TargetCustom.model_validate(entry.custom).head_update
            for gone in (target, offer) if offer is not None else (target,):
                self._targets.remove(gone.path, gone.sha256)
        _LOGGER.info("withdrew %s", target.path)

    def change_root(self, change: Callable[[Root], None], signers: Sequence[CryptoSigner]) -> int:
        """Sign a next root; devices take it when enough keys of the old one and of the new one signed it.

        Call `refresh_timestamp` afterwards: it signs again what the new root gave to other keys.

        Args:
            change: Changes keys, roles or thresholds of the root that it gets.
            signers: Keys of the old root and of the new one.

        Returns:
            The new root's version.

        Raises:
            InputError: Too few keys signed; nothing was changed.
            StorageError: The disk is full or read-only, or the repository is damaged.
        """
        with self._locked():
            old = self._files.load().root
            new = Root.from_dict(copy.deepcopy(old.to_dict()))
            change(new)
            new.version = old.version + 1
            new.expires = self._expiry(self._lifetimes.root_s)
            data = signing.sign(new, *{signer.public_key.keyid: signer for signer in signers}.values())
            signing.refuse_unsigned(old, new, data)
            self._write(self._files.folder / f"{new.version}.root.json", data)
        return new.version

    def change_bin_key(self, key: SSlibKey) -> None:
        """Let another key sign all bundles; it has to lie among the signing keys already.

        Raises:
            ConfigError: A signing key is missing or not fit to be used.
            StorageError: The disk is full or read-only, or the repository is damaged.
        """
        with self._locked():
            state = self._files.load()
            bins = {role: self._files.load_targets(state, role) for role in state.target_roles}
            bins.pop(TARGETS, None)
            state.targets.delegations = signing.bins_of(key)
            self._commit(state, {TARGETS: state.targets, **bins})

    def bin_keyids(self) -> tuple[str, ...]:
        """Return the keys that sign bundles.

        Raises:
            StorageError: There is no repository yet, or it is damaged.
        """
        return tuple(signing.bin_keys(self._files.load().targets))

    def root(self) -> Root:
        """Return the newest root.

        Raises:
            StorageError: There is no repository yet, or it is damaged.
        """
        return self._files.load().root

    def expiries(self) -> dict[str, tuple[int, float]]:
        """Return version and expiry (UTC seconds since 1970) of root, targets, snapshot and timestamp.

        Raises:
            StorageError: There is no repository yet, or it is damaged.
        """
        state = self._files.load()
        signed = {
            ROOT: state.root,
            TARGETS: state.targets,
            SNAPSHOT: state.snapshot,
            TIMESTAMP: state.timestamp,
        }
        return {role: (one.version, one.expires.timestamp()) for role, one in signed.items()}

    def refresh_timestamp(self) -> None:
        """Sign again what would expire, or what lacks the signature of a key that was changed.

        To be called at each start, and then at least once a day.

        When the key of the root is not kept here, its owner has to renew it: the log warns.

        Raises:
            ConfigError: A signing key is missing or not fit to be used.
            StorageError: The disk is full or read-only, or the repository is damaged.
        """
        with self._locked():
            state = self._files.load()
            self._renew_root(state.root)
            roles = {role: self._files.load_targets(state, role) for role in state.target_roles}
            old = {role: signed for role, signed in roles.items() if self._needs_signing(state, role, signed)}
            snapshot_file = f"{state.snapshot.version}.snapshot.json"
            is_signed = self._files.is_signed(snapshot_file, SNAPSHOT, state.root)
            if old or not is_signed or self._is_old(state.snapshot, self._lifetimes.snapshot_s):
                self._commit(state, old)
            else:
                self._write_timestamp(state, state.timestamp.snapshot_meta)

    def root_json(self) -> str:
        """Return the newest root, which a device pins when it joins.

        Raises:
            StorageError: There is no repository yet, or it is damaged.
        """
        return self._files.roots()[-1].decode()

    def signed_files(self, target: BundleTarget) -> SignedFiles:
        """Return all that proves a published bundle.

        Raises:
            NotFoundError: It is not published.
            StorageError: The repository is damaged.
        """
        with self._locked():
            state = self._files.load()
            name = signing.bin_of(state.targets, target.path)
            bin_targets = self._files.load_targets(state, name)
            bundle_path = self._targets.path_of(target.path, target.sha256)
            if target.path not in bin_targets.targets or not bundle_path.is_file():
                message = f"there is no published bundle {target.path}"
                raise NotFoundError(message)
            return SignedFiles(
                roots=self._files.roots(),
                targets=self._files.read(f"{state.targets.version}.targets.json"),
                bin_role=name,
                bin=self._files.read(f"{bin_targets.version}.{name}.json"),
                bundle_path=bundle_path,
            )

    def _write_first(self) -> None:
        keys: dict[str, SSlibKey] = {role: self._keys.signer(role).public_key for role in ROLES}
        root = signing.first_root(keys, self._expiry(self._lifetimes.root_s))
        self._write(self._files.folder / "1.root.json", signing.sign(root, self._signer(ROOT, root)))
        targets = signing.first_targets(keys[BINS], self._expiry(self._lifetimes.targets_s))
        empty = State(root, targets, Snapshot(meta={}), Timestamp())
        empty.snapshot.version = empty.timestamp.version = 0  # so that the first ones written are 1
        self._commit(empty, {TARGETS: targets})

    def _list(self, state: State, target: BundleTarget, custom: TargetCustom) -> None:
        name = signing.bin_of(state.targets, target.path)
        bin_targets = self._files.load_targets(state, name)
        bin_targets.targets[target.path] = signing.target_entry(
            target.path, target.length_bytes, target.sha256, custom.model_dump(mode="json")
        )
        state.targets.unrecognized_fields[signing.RELEASE_FIELD] = target.release
        self._commit(state, {TARGETS: state.targets, name: bin_targets})

    def _commit(self, state: State, changed: dict[str, Targets]) -> None:
        """Write new versions of the roles in `changed`, then the snapshot, then the timestamp."""
        meta = dict(state.snapshot.meta)
        for role, signed in changed.items():
            signed.version = state.version_of(role) + 1
            signed.expires = self._expiry(self._lifetimes.targets_s)
            data = signing.sign(signed, self._targets_signer(state, role))
            self._write(self._files.folder / f"{signed.version}.{role}.json", data)
            meta[f"{role}.json"] = signing.meta_file(signed.version, data)
        version = state.snapshot.version + 1
        snapshot = signing.snapshot_of(version, self._expiry(self._lifetimes.snapshot_s), meta)
        data = signing.sign(snapshot, self._signer(SNAPSHOT, state.root))
        self._write(self._files.folder / f"{version}.snapshot.json", data)
        self._write_timestamp(replace(state, snapshot=snapshot), signing.meta_file(version, data))

    def _write_timestamp(self, state: State, snapshot_meta: MetaFile) -> None:
        timestamp = signing.timestamp_of(
            state.timestamp.version + 1,
            self._expiry(self._lifetimes.timestamp_s),
            snapshot_meta,
            self._clock.now_s(),
        )
        data = signing.sign(timestamp, self._signer(TIMESTAMP, state.root))
        self._write(self._files.folder / TIMESTAMP_FILE, data)

    def _renew_root(self, root: Root) -> None:
        if not self._is_old(root, self._lifetimes.root_s):
            return
        if not self._keys.holds(ROOT) or root.roles[ROOT].threshold > 1:
            _LOGGER.warning("the root of %s expires on %s; renew it with its key", self._folder, root.expires)
            return
        root.version += 1
        root.expires = self._expiry(self._lifetimes.root_s)
        data = signing.sign(root, self._signer(ROOT, root))
        self._write(self._files.folder / f"{root.version}.root.json", data)

    def _needs_signing(self, state: State, role: str, signed: Targets) -> bool:
        if self._is_old(signed, self._lifetimes.targets_s):
            return True
        by = state.root if role == TARGETS else state.targets
        return not self._files.is_signed(f"{signed.version}.{role}.json", role, by)

    def _signer(self, role: str, root: Root) -> CryptoSigner:
        keyids = root.roles[role].keyids
        signer = self._keys.signer(role, keyids)
        self._refuse_stranger(role, signer, keyids)
        return signer

    def _targets_signer(self, state: State, role: str) -> CryptoSigner:
        if role == TARGETS:
            return self._signer(TARGETS, state.root)
        keyids = list(signing.bin_keys(state.targets))
        signer = self._keys.signer(BINS, keyids)
        self._refuse_stranger(BINS, signer, keyids)
        return signer

    def _refuse_stranger(self, role: str, signer: CryptoSigner, keyids: list[str]) -> None:
        if signer.public_key.keyid not in keyids:
            message = f"the {role} key in {self._keys} is not that of {self._folder}; restore the right one"
            raise ConfigError(message)

    def _check_keys(self, state: State) -> None:
        for role in (TARGETS, SNAPSHOT, TIMESTAMP):
            self._signer(role, state.root)
        self._targets_signer(state, BINS)

    def _expiry(self, lifetime_s: float) -> dt.datetime:
        return signing.expiry(self._clock.now_s(), lifetime_s)

    def _is_old(self, signed: Root | Targets | Snapshot, lifetime_s: float) -> bool:
        return bool(signed.expires.timestamp() - self._clock.now_s() < lifetime_s / 2)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with storing(self._folder):
            self._files.folder.mkdir(parents=True, exist_ok=True)
            self._targets.folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("wb")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
