"""Two slots for bundles: one runs, the other takes the next. A power cut at any step leaves a whole one.

    slots/a.zip  slots/b.zip   bundles, as they were signed
    slots/slots.json           what lies in each, and which one runs; replaced in one step

Nothing is believed because it was true yesterday: the digests are checked again at each start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from edge_agent.errors import ElfowlError, StorageError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.head_update import trunk_sha256
from edge_agent.update.disk import Disk, sha256_of, storing, write_whole
from edge_agent.wire.base import Document
from edge_agent.wire.sync import BundleTarget

_LOGGER = logging.getLogger(__name__)

SlotName = Literal["a", "b"]
_RECORD_FILE: Final = "slots.json"


class SlotsRecord(Document):
    """`slots.json`."""

    schema_version: Literal[1] = Field(1, alias="schema")
    current: SlotName | None = None
    a: BundleTarget | None = None
    b: BundleTarget | None = None


@dataclass(frozen=True)
class InstalledBundle:
    """A verified bundle on this device."""

    path: Path
    target: BundleTarget


class Slots:
    """The two slots; opening them checks both and forgets what is damaged.

    Args:
        folder: Where they are.
        disk: What writes.

    Raises:
        StorageError: The disk is full or read-only.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._record = self._checked(self._read(SlotsRecord()))

    def current(self) -> InstalledBundle | None:
        """Return the bundle that runs; none when there is no sound one: then the starter bundle has to do."""
        return self._bundle_in(self._record.current)

    def previous(self) -> InstalledBundle | None:
        """Return the bundle in the other slot, if there is a sound one."""
        return self._bundle_in(self._spare)

    def with_trunk(self, trunk_sha256: str) -> InstalledBundle | None:
        """Return the bundle whose trunk has this digest, the running one first; none when none has."""
        for bundle in (self.current(), self.previous()):
            if bundle is not None and _has_trunk(bundle.path, trunk_sha256):
                return bundle
        return None

    def stage(self, zip_path: Path, target: BundleTarget) -> InstalledBundle:
        """Move a verified zip into the slot that does not run; what runs stays.

        Args:
            zip_path: On the same file system as the slots; it is moved.
            target: What it is; its digest is not checked here.

        Raises:
            StorageError: The disk is full or read-only; what runs is kept.
        """
        spare = self._spare
        self._write(self._record.model_copy(update={spare: None}))
        path = self._path_of(spare)
        with storing(path):
            self._disk.sync(zip_path)
            self._disk.replace(zip_path, path)
            self._disk.sync(self._folder)
        self._write(self._record.model_copy(update={spare: target}))
        return InstalledBundle(path, target)

    def relabel(self, target: BundleTarget) -> InstalledBundle | None:
        """Note that the bundle in the other slot is wanted again, perhaps as a newer release.

        Returns:
            It; none when the other slot does not hold these bytes.

        Raises:
            StorageError: The disk is full or read-only; nothing changed.
        """
        spare = self._spare
        if not self._holds(spare, target.sha256):
            return None
        self._write(self._record.model_copy(update={spare: target}))
        return self._bundle_in(spare)

    def switch(self) -> None:
        """Let the other slot run from now on, if it holds a bundle.

        Raises:
            StorageError: The disk is full or read-only; nothing changed.
        """
        if self.previous() is not None:
            self._write(self._record.model_copy(update={"current": self._spare}))

    def drop(self, sha256: str) -> None:
        """Forget a bundle that is not fit; if it runs, the other one runs from now on.

        Raises:
            StorageError: The disk is full or read-only; nothing changed.
        """
        record = self._record
        for name in ("a", "b"):
            record = _without(record, name) if self._holds(name, sha256) else record
        if record != self._record:
            self._write(record)

    @property
    def _spare(self) -> SlotName:
        return "b" if self._record.current == "a" else "a"

    def _holds(self, name: SlotName, sha256: str) -> bool:
        bundle = self._bundle_in(name)
        return bundle is not None and bundle.target.sha256 == sha256

    def _bundle_in(self, name: SlotName | None) -> InstalledBundle | None:
        target: BundleTarget | None = None if name is None else getattr(self._record, name)
        return None if name is None or target is None else InstalledBundle(self._path_of(name), target)

    def _path_of(self, name: SlotName) -> Path:
        return self._folder / f"{name}.zip"

    def _read(self, otherwise: SlotsRecord) -> SlotsRecord:
        path = self._folder / _RECORD_FILE
        try:
            return SlotsRecord.from_json(path.read_bytes())
        except FileNotFoundError:
            return otherwise
        except (OSError, ValueError) as error:
            problem = type(error).__name__
        _LOGGER.error("%s is damaged (%s): no installed bundle can be used", path, problem)
        return otherwise

    def _checked(self, record: SlotsRecord) -> SlotsRecord:
        sound = record
        for name in ("a", "b"):
            target: BundleTarget | None = getattr(record, name)
            if target is not None and not _is_sound(self._path_of(name), target):
                _LOGGER.error("bundle %s in slot %s is damaged", target.path, name)
                sound = _without(sound, name)
        if sound != record:
            write_whole(self._disk, self._folder / _RECORD_FILE, sound.to_json().encode())
        return sound

    def _write(self, record: SlotsRecord) -> None:
        try:
            write_whole(self._disk, self._folder / _RECORD_FILE, record.to_json().encode())
        except StorageError:
            # The disk may have failed before or after the new record took the old one's name.
            self._record = self._read(self._record)
            raise
        self._record = record


def _without(record: SlotsRecord, name: SlotName) -> SlotsRecord:
    """Return the record with an empty slot; if that one ran, the other runs, if it holds something."""
    emptied = record.model_copy(update={name: None})
    if record.current != name:
        return emptied
    other: SlotName = "b" if name == "a" else "a"
    return emptied.model_copy(update={"current": other if getattr(emptied, other) is not None else None})


def _has_trunk(path: Path, wanted_sha256: str) -> bool:
    try:
        return trunk_sha256(open_bundle(path).manifest) == wanted_sha256
    except ElfowlError:
        return False


def _is_sound(path: Path, target: BundleTarget) -> bool:
    try:
        return path.stat().st_size == target.length_bytes and sha256_of(path) == target.sha256
    except OSError:
        return False
