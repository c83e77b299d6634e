"""Puts an updater together for one device; everything it keeps is in `<state_dir>/update`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from edge_agent.clock import Clock
from edge_agent.update.disk import Disk, RealDisk
from edge_agent.update.fetcher import ResumableFetcher
from edge_agent.update.identity import Enrolment
from edge_agent.update.pace import Pace, PacedSmokeTest
from edge_agent.update.record import RecordFile
from edge_agent.update.slots import Slots
from edge_agent.update.smoke import smoke_test, time_bundle
from edge_agent.update.tuf_client import RepositorySource, UpdateClient
from edge_agent.update.updater import DeviceTraits, HealthCheck, SmokeTest, Updater


@dataclass(frozen=True)
class UpdaterParts:
    """What an updater works with; tests put simulators in place of these."""

    client: httpx.Client
    clock: Clock
    disk: Disk
    smoke_test: SmokeTest
    health_check: HealthCheck | None = None


def default_parts(
    client: httpx.Client,
    clock: Clock,
    health_check: HealthCheck | None = None,
    smoke: SmokeTest = smoke_test,
) -> UpdaterParts:
    """Return what an updater works with on a real device.

    Args:
        client: See `edge_agent.update.fetcher.open_client`.
        clock: Where the time comes from.
        health_check: Watches a new bundle run; see `HealthCheck`.
        smoke: Tries it before; see `SmokeTest`.
    """
    return UpdaterParts(client, clock, RealDisk(), smoke, health_check)


def paced_smoke_test(pace: Pace, running: Callable[[], Path | None]) -> SmokeTest:
    """Return the smoke test of a device with cameras: it also refuses what is far too slow for them.

    Args:
        pace: What a detector has to keep up with.
        running: Returns the path of the bundle that runs now.
    """
    return PacedSmokeTest(
        pace, running, smoke_test=lambda path: smoke_test(path).ms_per_picture, stopwatch=time_bundle
    )


def open_updater(
    enrolment: Enrolment, state_dir: Path, *, profile: str, agent_version: str, parts: UpdaterParts
) -> Updater:
    """Open the updater of an enrolled device; call `recover` on it before anything else.

    Args:
        enrolment: Where the repository is, and whom to trust.
        state_dir: Where the agent keeps its state.
        profile: The device's profile.
        agent_version: For example `0.1.0`.
        parts: What it works with.

    Raises:
        StorageError: The disk is full or read-only.
    """
    folder = state_dir / "update"
    source = RepositorySource(enrolment.tuf_metadata_url, enrolment.tuf_targets_url, enrolment.tuf_root)
    fetcher = ResumableFetcher(parts.client, folder / "parts", parts.clock, disk=parts.disk)
    return Updater(
        UpdateClient(source, folder / "tuf", fetcher, parts.clock, parts.disk),
        open_slots(state_dir, parts.disk),
        RecordFile(folder / "update.json", parts.disk),
        DeviceTraits(profile, agent_version, source.id),
        parts.clock,
        smoke_test=parts.smoke_test,
        health_check=parts.health_check,
    )


def open_slots(state_dir: Path, disk: Disk | None = None) -> Slots:
    """Open the slots alone: what a device runs that is not enrolled now.

    Raises:
        StorageError: The disk is full or read-only.
    """
    return Slots(state_dir / "update" / "slots", disk or RealDisk())
