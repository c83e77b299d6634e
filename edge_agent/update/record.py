"""What the updater remembers across power cuts: one document, replaced in one step."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from edge_agent.update.disk import Disk, storing, write_whole
from edge_agent.wire.base import Document, Sha256
from edge_agent.wire.sync import BundleTarget, UpdateOutcome, UpdatePhase

_LOGGER = logging.getLogger(__name__)
_FAILURES_KEPT: Final = 50


class Attempt(Document):
    """An installation under way."""

    id: str
    target: BundleTarget
    reason: str | None = Field(None, description="why it is rolled back")
    permanent: bool = True
    note: str | None = Field(None, description="what to tell of it when it succeeds")


class Failure(Document):
    """An installation that failed, and whether it may be tried again."""

    outcome: UpdateOutcome
    path: str | None = Field(None, description="none: these bytes are unfit under whatever name")
    profile: str
    agent_version: str
    count: int = 1
    attempt: int = Field(1, description="of the bundle that failed; a higher one is tried")
    retry_after_s: float | None = Field(None, description="UTC seconds; none: never")


class UpdateRecord(Document):
    """`update.json`."""

    schema_version: Literal[1] = Field(1, alias="schema")
    phase: UpdatePhase = "idle"
    attempt: Attempt | None = None
    outcomes: tuple[UpdateOutcome, ...] = Field((), description="not reported yet")
    failures: dict[Sha256, Failure] = Field(default_factory=dict)
    deaths: dict[Sha256, int] = Field(
        default_factory=dict, description="how often the agent ended while a bundle was checked or on trial"
    )
    floors: dict[str, int] = Field(
        default_factory=dict, description="lowest release to accept, by repository and detector"
    )


class RecordFile:
    """Keeps the record on the disk; its methods may be called from several threads.

    Args:
        path: The file.
        disk: What writes.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()
        self._record = self._read()

    @property
    def value(self) -> UpdateRecord:
        """Return the record as it is now; it is never changed, only replaced."""
        return self._record

    def change(self, step: Callable[[UpdateRecord], UpdateRecord]) -> UpdateRecord:
        """Replace the record by what `step` makes of it.

        Raises:
            StorageError: The disk is full or read-only; the record is as it was.
        """
        with self._lock:
            changed = step(self._record)
            if changed != self._record:
                write_whole(self._disk, self._path, changed.to_json().encode())
                self._record = changed
            return changed

    def _read(self) -> UpdateRecord:
        with storing(self._path):
            try:
                return UpdateRecord.from_json(self._path.read_bytes())
            except FileNotFoundError:
                return UpdateRecord()
            except ValueError:
                # Floors are found again in the slots; what was not reported yet is lost.
                _LOGGER.exception("%s is damaged and put aside", self._path)
                self._disk.replace(self._path, self._path.with_suffix(".damaged"))
        return UpdateRecord()


def committed(record: UpdateRecord, attempt: Attempt, outcome: UpdateOutcome, floor_key: str) -> UpdateRecord:
    """Return the record after a success: the outcome is to be told, and no older release comes back."""
    sha256 = attempt.target.sha256
    return record.model_copy(
        update={
            "phase": "idle",
            "attempt": None,
            "outcomes": (*record.outcomes, outcome),
            "failures": {k: v for k, v in record.failures.items() if k != sha256},
            "deaths": {k: v for k, v in record.deaths.items() if k != sha256},
            "floors": {
                **record.floors,
                floor_key: max(record.floors.get(floor_key, 0), attempt.target.release),
            },
        }
    )


def failed(record: UpdateRecord, sha256: str, failure: Failure) -> UpdateRecord:
    """Return the record after a failure: the outcome is to be told, once."""
    failures = {k: v for k, v in record.failures.items() if k != sha256} | {sha256: failure}
    kept = dict(list(failures.items())[-_FAILURES_KEPT:])
    return record.model_copy(
        update={
            "phase": "idle",
            "attempt": None,
            "outcomes": (*record.outcomes, failure.outcome),
            "failures": kept,
            "deaths": {k: v for k, v in record.deaths.items() if k != sha256},
        }
    )
