"""Installs bundles: download, verify, trial, commit or roll back; what ran before runs until then.

Every step is on the disk before it is taken, so that after a power cut or `kill -9` the next start goes on
or goes back. A failed bundle is told once, and not tried again and again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.clock import Clock
from edge_agent.errors import ArtifactError, BackendError, ConfigError, ElfowlError, StorageError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.update.disk import sha256_of, storing
from edge_agent.update.obtain import BundleRepository, obtain
from edge_agent.update.record import Attempt, Failure, RecordFile, committed, failed
from edge_agent.update.slots import InstalledBundle, Slots
from edge_agent.update.tuf_client import SignedTarget
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.sync import BundleTarget, Outcome, UpdateOutcome, UpdatePhase

_LOGGER = logging.getLogger(__name__)

_DEATHS_ALLOWED: Final = 1
_FIRST_RETRY_S: Final = 600.0
_BACKEND_TRIES: Final = 3  # a missing runtime may be installed meanwhile
_LONGEST_RETRY_S: Final = 3_600.0

SmokeTest = Callable[[Path], object]
"""Tries a bundle; raises ArtifactError when it is unfit, BackendError when this machine lacks its runtime."""

HealthCheck = Callable[[Path], str | None]
"""Runs a bundle in earnest for a while; returns why it must go, or none when it may stay."""


@dataclass(frozen=True)
class DeviceTraits:
    """What decides which bundles fit: the device's profile, its agent, and whose signatures it trusts."""

    profile: str
    agent_version: str
    repository_id: str


class _UnfitError(ArtifactError):
    """A sound bundle that is not for this device."""


class Updater:
    """Walks through an installation; one at a time, in any one thread.

    Args:
        repository: Where bundles come from.
        slots: Where they go.
        record: What is remembered.
        traits: What fits this device.
        clock: Where the time comes from.
        smoke_test: Tries a bundle in a process of its own, before it runs.
        health_check: Watches it run; none: the smoke test is enough.
    """

    def __init__(
        self,
        repository: BundleRepository,
        slots: Slots,
        record: RecordFile,
        traits: DeviceTraits,
        clock: Clock,
        *,
        smoke_test: SmokeTest,
        health_check: HealthCheck | None = None,
    ) -> None:
        self._repository = repository
        self._slots = slots
        self._record = record
        self._traits = traits
        self._clock = clock
        self._smoke_test = smoke_test
        self._health_check = health_check or _healthy

    @property
    def phase(self) -> UpdatePhase:
        """Return how far the installation under way is."""
        return self._record.value.phase

    def current(self) -> InstalledBundle | None:
        """Return the bundle that is to run; none: the starter bundle has to do, and that loudly."""
        return self._slots.current()

    def outcomes(self) -> tuple[UpdateOutcome, ...]:
        """Return how installations ended, as far as it is not reported yet."""
        return self._record.value.outcomes

    def mark_reported(self, outcome_ids: set[str]) -> None:
        """Forget outcomes that the cloud has.

        Raises:
            StorageError: The disk is full or read-only.
        """
        self._record.change(
            lambda record: record.model_copy(
                update={"outcomes": tuple(o for o in record.outcomes if o.id not in outcome_ids)}
            )
        )

    def retry_in_s(self, target: BundleTarget) -> float | None:
        """Return when it is worth to `apply` a refused bundle again; none: not as long as nothing changes."""
        known = self._record.value.failures.get(target.sha256)
        if known is None or not self._still_counts(known, target):
            return 0.0
        return None if known.retry_after_s is None else known.retry_after_s - self._clock.now_s()

    def recover(self) -> UpdateOutcome | None:
        """Put things in order after a start; to be called before `current`.

        Returns:
            How an installation ended just now, if one did: it is in `outcomes` too.

        Raises:
            StorageError: The disk is full or read-only.
        """
        attempt, phase = self._record.value.attempt, self.phase
        if attempt is not None and phase in {"verify", "trial"}:
            return self._after_death(attempt)
        if phase == "download":
            self._set_phase("idle", None)
        return self.resume()

    def resume(self) -> UpdateOutcome | None:
        """Go on with what a start, or a full disk, interrupted; to be called when the current bundle runs.

        Returns:
            How an installation ended; none when none was on trial or later.

        Raises:
            StorageError: The disk is full or read-only.
        """
        attempt, phase = self._record.value.attempt, self.phase
        if attempt is None:
            return None
        if phase == "commit":
            return self._finish(attempt, "success")
        if phase == "rollback":
            return self._roll_back(attempt)
        return self._watch(attempt) if self._on_trial(attempt) else None

    def apply(self, target: BundleTarget) -> UpdateOutcome:
        """Install a bundle, unless it runs already or has failed before.

        Args:
            target: What the desired state names; believed only as far as signatures prove it.

        Returns:
            How it ended. What was not told before is in `outcomes` too.

        Raises:
            LinkError: The repository cannot be reached, or the download was cut off: try again later.
            StorageError: The disk is full or read-only: what runs is kept.
        """
        self.resume()
        current = self._slots.current()
        if current is not None and current.target.sha256 == target.sha256:
            return self._outcome(target, "success", None)
        known = self._record.value.failures.get(target.sha256)
        if known is not None and self._still_counts(known, target):
            return known.outcome
        attempt = Attempt(id=uuid.uuid4().hex, target=target)
        try:
            return self._install(attempt)
        except _UnfitError as error:
            return self._fail(attempt, error, path=target.path)
        except BackendError as error:
            return self._fail(attempt, error, tries=_BACKEND_TRIES)
        except ArtifactError as error:
            return self._fail(attempt, error, tries=None)
        except ElfowlError:
            if self.phase in {"download", "verify"}:
                with suppress(StorageError):
                    self._set_phase("idle", None)
            raise

    def fetch(self, target: BundleTarget, into: Path) -> Path:
        """Fetch and verify a bundle without installing it: what runs, and both slots, stay as they are.

        Args:
            target: What the desired state names; believed only as far as signatures prove it.
            into: The file to make, on the file system of the slots; it stays when it is this bundle already.

        Raises:
            LinkError: The repository cannot be reached, or the download was cut off.
            StorageError: The disk is full or read-only.
            ArtifactError: The bundle is not the signed one, damaged, or not for this device.
            BackendError: This machine lacks its runtime.
        """
        signed = self._repository.find(target.path)
        self._refuse_unfit(target, signed)
        with storing(into):
            if into.is_file() and sha256_of(into) == signed.sha256:
                return into
        zip_path, _ = obtain(self._repository, self._slots, signed)
        self._check_manifest(zip_path, target.path)
        try:
            self._smoke_test(zip_path)
        except ElfowlError:
            zip_path.unlink(missing_ok=True)
            raise
        with storing(into):
            zip_path.replace(into)
        return into

    def _install(self, attempt: Attempt) -> UpdateOutcome:
        self._set_phase("download", attempt)
        signed = self._repository.find(attempt.target.path)
        self._refuse_unfit(attempt.target, signed)
        staged = self._slots.relabel(attempt.target)
        if staged is None:
            zip_path, note = obtain(self._repository, self._slots, signed)
            attempt = attempt.model_copy(update={"note": note})
            self._set_phase("verify", attempt)
            self._check_manifest(zip_path, attempt.target.path)
            staged = self._slots.stage(zip_path, attempt.target)
        self._set_phase("trial", attempt)
        try:
            self._smoke_test(staged.path)
        except ArtifactError as error:
            self._slots.drop(attempt.target.sha256)
            return self._fail(attempt, error)
        self._slots.switch()
        return self._watch(attempt)

    def _watch(self, attempt: Attempt) -> UpdateOutcome:
        current = self._slots.current()
        problem = "its slot was found damaged" if current is None else self._problem_of(current)
        if problem is None:
            self._set_phase("commit", attempt)
            return self._finish(attempt, "success")
        return self._roll_back(attempt.model_copy(update={"reason": problem}))

    def _problem_of(self, bundle: InstalledBundle) -> str | None:
        try:
            return self._health_check(bundle.path)
        except ElfowlError as error:
            return str(error)

    def _roll_back(self, attempt: Attempt) -> UpdateOutcome:
        self._set_phase("rollback", attempt)
        self._slots.drop(attempt.target.sha256)
        return self._fail(attempt, ArtifactError(attempt.reason or "it did not prove itself"))

    def _after_death(self, attempt: Attempt) -> UpdateOutcome | None:
        """Judge an installation during which the agent ended: by a power cut, or by the bundle's fault."""
        sha256 = attempt.target.sha256
        deaths = self._record.value.deaths.get(sha256, 0) + 1
        if deaths > _DEATHS_ALLOWED:
            reason = f"the agent ended {deaths} times while it tried this bundle"
            return self._roll_back(attempt.model_copy(update={"reason": reason}))
        on_trial = self._on_trial(attempt)
        self._record.change(
            lambda record: record.model_copy(
                update={
                    "deaths": {**record.deaths, sha256: deaths},
                    "phase": "trial" if on_trial else "idle",
                    "attempt": attempt if on_trial else None,
                }
            )
        )
        return None

    def _on_trial(self, attempt: Attempt) -> bool:
        current = self._slots.current()
        in_trial = self._record.value.phase == "trial"
        return in_trial and current is not None and current.target.sha256 == attempt.target.sha256

    def _refuse_unfit(self, wanted: BundleTarget, signed: SignedTarget) -> None:
        custom = signed.custom
        floor = self._floor(custom.detector_id)
        proven = (signed.sha256, signed.length_bytes, custom.release, custom.detector_id)
        if proven != (wanted.sha256, wanted.length_bytes, wanted.release, wanted.detector_id):
            problem = "the cloud asks for something else than the publisher signed"
        elif custom.profile != self._traits.profile:
            problem = f"it is made for profile {custom.profile!r}, this device is {self._traits.profile!r}"
        elif _version(custom.min_agent_version) > _version(self._traits.agent_version):
            problem = f"it needs agent {custom.min_agent_version}, this is {self._traits.agent_version}"
        elif custom.release < floor:
            problem = f"release {custom.release} is older than release {floor}, which ran here before"
        else:
            return
        message = f"{wanted.path}: {problem}"
        raise _UnfitError(message)

    def _check_manifest(self, zip_path: Path, path: str) -> None:
        try:
            manifest: Manifest = open_bundle(zip_path).manifest
        except (ArtifactError, ConfigError) as error:
            raise _discarded(zip_path, str(error).replace(zip_path.name, path)) from error
        if manifest.profile != self._traits.profile:
            problem = (
                f"{path}: its manifest is for profile {manifest.profile!r}, not {self._traits.profile!r}"
            )
            raise _discarded(zip_path, problem)

    def _floor(self, detector_id: str) -> int:
        """Return the lowest release to accept; the slots remember it too, should the record be lost."""
        installed = [bundle for bundle in (self._slots.current(), self._slots.previous()) if bundle]
        releases = [b.target.release for b in installed if b.target.detector_id == detector_id]
        return max([self._record.value.floors.get(self._floor_key(detector_id), 0), *releases])

    def _floor_key(self, detector_id: str) -> str:
        return f"{self._traits.repository_id}/{detector_id}"

    def _still_counts(self, failure: Failure, target: BundleTarget) -> bool:
        same_device = (failure.profile, failure.agent_version) == (
            self._traits.profile,
            self._traits.agent_version,
        )
        same_name = failure.path is None or failure.path == target.path
        same_wish = target.attempt <= failure.attempt
        waiting = failure.retry_after_s is None or self._clock.now_s() < failure.retry_after_s
        return same_device and same_name and same_wish and waiting

    def _fail(
        self, attempt: Attempt, error: ElfowlError, *, tries: int | None = 1, path: str | None = None
    ) -> UpdateOutcome:
        """Remember a failure; after `tries` of them (none: never) it is for good."""
        _LOGGER.warning("bundle %s is refused: %s", attempt.target.path, error)
        sha256 = attempt.target.sha256
        before = self._record.value.failures.get(sha256)
        is_same_wish = before is not None and attempt.target.attempt <= before.attempt
        count = before.count + 1 if before is not None and is_same_wish else 1
        wait_s = min(_FIRST_RETRY_S * 2.0 ** (count - 1), _LONGEST_RETRY_S)
        outcome = self._outcome(attempt.target, "failure", str(error), attempt.id)
        failure = Failure(
            outcome=outcome,
            path=path,
            profile=self._traits.profile,
            agent_version=self._traits.agent_version,
            count=count,
            attempt=attempt.target.attempt,
            retry_after_s=None if tries is not None and count >= tries else self._clock.now_s() + wait_s,
        )
        self._record.change(lambda record: failed(record, sha256, failure))
        return outcome

    def _finish(self, attempt: Attempt, ending: Outcome) -> UpdateOutcome:
        outcome = self._outcome(attempt.target, ending, attempt.note, attempt.id)
        key = self._floor_key(attempt.target.detector_id)
        self._record.change(lambda record: committed(record, attempt, outcome, key))
        _LOGGER.info("bundle %s is installed", attempt.target.path)
        return outcome

    def _outcome(
        self, target: BundleTarget, ending: Outcome, reason: str | None, outcome_id: str | None = None
    ) -> UpdateOutcome:
        return UpdateOutcome(
            id=outcome_id or uuid.uuid4().hex,
            bundle_sha256=target.sha256,
            outcome=ending,
            reason=reason,
            at=self._clock.now_s(),
        )

    def _set_phase(self, phase: UpdatePhase, attempt: Attempt | None) -> None:
        self._record.change(lambda record: record.model_copy(update={"phase": phase, "attempt": attempt}))


def _discarded(zip_path: Path, problem: str) -> _UnfitError:
    zip_path.unlink(missing_ok=True)
    return _UnfitError(problem)


def _version(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, for comparing: 1.10.0rc1 → (1, 10, 0)."""
    numbers: list[int] = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def _healthy(_path: Path) -> str | None:
    return None
