"""Bundles: kept when compression made them, signed when a person wants them on cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.errors import ConflictError, InputError
from cloud.fleet.description import describe
from cloud.fleet.kit import export_kit
from cloud.fleet.tuf_repository import UpdateRepository
from cloud.settings import Settings
from cloud.store import audit, bundles, detectors
from cloud.store.files import copy_file, remove_tree, write_file
from cloud.store.ids import new_id
from cloud.store.tables import BundleRow
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, StorageError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.wire.sync import BundleTarget

HEADS_FILE = "heads.zip"
"""Beside a bundle that was made by new heads on an older trunk: what a camera with that trunk needs of it."""


def open_repository(settings: Settings, clock: Clock) -> UpdateRepository:
    """Return the signed update repository of this home folder; it is made at the first use.

    Raises:
        ConfigError: Its keys are missing or not fit to be used.
        StorageError: The disk is full, or the repository is damaged.
    """
    repository = UpdateRepository(settings.tuf_path, settings.keys_path, clock)
    repository.init()
    return repository


def publish(
    session: Session, settings: Settings, repository: UpdateRepository, bundle_id: str
) -> BundleTarget:
    """Sign a bundle and offer it to devices; one that is published already stays as it is.

    Raises:
        NotFoundError: There is no such bundle.
        StorageError: The disk is full.
    """
    row = bundles.find(session, bundle_id)
    if row.target is not None:
        return BundleTarget.from_json(row.target)
    return publish_again(session, settings, repository, bundle_id)


def publish_again(
    session: Session, settings: Settings, repository: UpdateRepository, bundle_id: str
) -> BundleTarget:
    """Sign a bundle under a new release, the highest of all, so that it may follow a newer version.

    Raises:
        NotFoundError: There is no such bundle.
        StorageError: The disk is full.
    """
    path = bundle_path(settings, bundles.find(session, bundle_id))
    heads = path.with_name(HEADS_FILE)
    target = repository.publish(path, head_update=heads if heads.is_file() else None)
    bundles.note_published(session, bundle_id, target)
    return target


def withdraw(
    session: Session, repository: UpdateRepository, bundle_id: str, *, now_s: float, who: str | None = None
) -> BundleRow:
    """Take a published bundle back: no device installs it any more, whoever asks for it.

    Raises:
        NotFoundError: There is no such bundle.
        ConflictError: It is not published.
        StorageError: The disk is full.
    """
    row = bundles.find(session, bundle_id)
    if row.target is None:
        message = f"bundle {bundle_id} is not published"
        raise ConflictError(message)
    repository.withdraw(BundleTarget.from_json(row.target))
    row.state, row.target = "made", None
    audit.note(
        session, "bundle withdrawn", now_s=now_s, who=who, detail=f"{bundle_id}, release {row.release}"
    )
    return row


@dataclass(frozen=True)
class ExportedKit:
    """A kit, the root to trust beside it, and for which kind of device it is.

    `root_kept` tells that a root of this repository lay there already; an older one is as good, because the
    kit leads from it to the newest.
    """

    path: Path
    root_path: Path
    root_kept: bool
    profile: str


def export(
    session: Session,
    settings: Settings,
    repository: UpdateRepository,
    *,
    bundle_id: str,
    out: Path,
    root_out: Path | None = None,
) -> ExportedKit:
    """Write a signed kit of a bundle, for a camera that has no cloud, and the root that it shall trust.

    Args:
        session: A write session.
        settings: Of the home folder.
        repository: Signs the bundle, unless it is published already.
        bundle_id: The bundle.
        out: The kit to be written.
        root_out: The root; `root.json` beside the kit by default.

    Raises:
        NotFoundError: There is no such bundle.
        ConflictError: The root of somebody else lies at `root_out`; nothing is written.
        StorageError: The disk is full.
    """
    root_path = root_out or out.with_name("root.json")
    target = publish(session, settings, repository, bundle_id)
    root_kept = _lies_already(root_path, repository.signed_files(target).roots)
    export_kit(repository, target, out)
    if not root_kept:
        write_file(root_path, repository.root_json().encode())
    return ExportedKit(out, root_path, root_kept, bundles.find(session, bundle_id).profile)


def _lies_already(root_path: Path, roots: Sequence[bytes]) -> bool:
    """Return whether one of our roots lies there.

    Raises:
        ConflictError: Something else lies there; cameras may trust it, so it is never replaced.
    """
    try:
        if root_path.read_bytes() in roots:
            return True
    except FileNotFoundError:
        return False
    except OSError as error:
        message = f"{root_path}: {error.strerror or error}; name a file with --root-out"
        raise StorageError(message) from error
    message = (
        f"{root_path} is not the root of this elfowl; move it away, or name another file with --root-out"
    )
    raise ConflictError(message)


def import_bundle(session: Session, settings: Settings, file: Path, *, now_s: float) -> BundleRow:
    """Keep a bundle that was made elsewhere, with the receipt that lies beside it.

    Raises:
        InputError: It is not a bundle, or its receipt is missing.
        NotFoundError: It carries a detector that is not from here.
    """
    about = describe(file)
    if not file.with_name("receipt.json").is_file():
        message = f"{file}: its receipt.json is not beside it; keep what elfowl-compress writes together"
        raise InputError(message)
    detectors.find(session, about.detector_id)
    detectors.find_version(session, about.detector_id, about.detector_version)
    bundle_id = new_id("bun")
    folder = settings.bundles_path / about.detector_id / bundle_id
    try:
        for suffix in (".json", ".html"):
            copy_file(file.with_name(f"receipt{suffix}"), folder / f"receipt{suffix}")
        stored = copy_file(file, folder / file.name)
    except ElfowlError:
        remove_tree(folder)
        raise
    row = BundleRow(
        id=bundle_id,
        detector_id=about.detector_id,
        detector_version=about.detector_version,
        profile=about.profile,
        runtime=open_bundle(stored.path).manifest.runtime,
        path=str(stored.path.relative_to(settings.home)),
        sha256=stored.sha256,
        length_bytes=stored.length_bytes,
        receipt_path=str((folder / "receipt.json").relative_to(settings.home)),
        created=now_s,
    )
    return bundles.add(session, row)


def bundle_path(settings: Settings, row: BundleRow) -> Path:
    """Return where the file of a bundle lies."""
    return _existing(settings.home / row.path)


def receipt_path(settings: Settings, row: BundleRow, suffix: str = ".json") -> Path:
    """Return where the receipt of a bundle lies; `suffix` is `.json` or `.html`."""
    return _existing((settings.home / row.receipt_path).with_suffix(suffix))


def copy_bundle(session: Session, settings: Settings, bundle_id: str, out: Path) -> Path:
    """Copy the unsigned bundle file.

    Raises:
        NotFoundError: There is no such bundle.
    """
    return copy_file(bundle_path(settings, bundles.find(session, bundle_id)), out).path


def _existing(path: Path) -> Path:
    if not path.is_file():
        message = f"{path} is gone; compress the detector again"
        raise StorageError(message)
    return path
