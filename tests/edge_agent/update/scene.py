"""A publisher, a cloud that serves it, and a device that is enrolled there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.update.assembly import UpdaterParts, open_updater
from edge_agent.update.disk import Disk, RealDisk, sha256_of
from edge_agent.update.identity import Enrolment
from edge_agent.update.updater import HealthCheck, SmokeTest, Updater
from edge_agent.wire.sync import BundleTarget, MqttAccess
from tests.edge_agent.update.faulty_cloud import FaultyCloud
from tests.edge_agent.update.publisher import AGENT_VERSION, BASE_URL, PROFILE, Publisher
from tests.fakes.clock import FakeClock


def passes(_path: Path) -> None:
    """Be a smoke test that finds nothing."""


def open_updater_with(
    parts: UpdaterParts, state_dir: Path, root_json: str, agent_version: str = AGENT_VERSION
) -> Updater:
    """Open the updater of a device that is enrolled with the publisher of this root."""
    enrolment = Enrolment(
        device="cam1",
        cloud_url="http://cloud.test/",
        mqtt=MqttAccess(host="cloud.test", port=1883),
        tuf_root=root_json,
        tuf_metadata_url=f"{BASE_URL}/metadata/",
        tuf_targets_url=f"{BASE_URL}/targets/",
    )
    return open_updater(enrolment, state_dir, profile=PROFILE, agent_version=agent_version, parts=parts)


@dataclass
class Scene:
    """All that an update needs, in one folder."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    smoke_test: SmokeTest = passes
    health_check: HealthCheck | None = None
    agent_version: str = AGENT_VERSION

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.folder / "publisher", self.clock)
        self.cloud = FaultyCloud(self.publisher.tuf_path, self.clock)
        self.root_json = self.publisher.repository.root_json()

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def start(self, disk: Disk | None = None) -> Updater:
        """Start the agent's updater, as after a boot; `recover` is left to the caller."""
        parts = UpdaterParts(
            self.cloud.client(), self.clock, disk or RealDisk(), self.smoke_test, self.health_check
        )
        return open_updater_with(parts, self.state_dir, self.root_json, self.agent_version)

    def install(self, target: BundleTarget) -> Updater:
        """Install a bundle that is expected to be fine."""
        updater = self.start()
        updater.recover()
        outcome = updater.apply(target)
        assert outcome.outcome == "success", outcome.reason
        updater.mark_reported({outcome.id})
        return updater


def runs(updater: Updater, target: BundleTarget) -> bool:
    """Return whether a bundle is current, with all its bytes."""
    current = updater.current()
    return current is not None and sha256_of(current.path) == current.target.sha256 == target.sha256
