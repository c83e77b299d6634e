"""What is wanted of devices: forward and back again, up to the device's own updater."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cloud.actions import bundles as bundle_actions
from cloud.actions import devices as device_actions
from cloud.store import bundles, devices
from edge_agent.update.assembly import UpdaterParts, open_updater
from edge_agent.update.disk import RealDisk
from edge_agent.update.identity import Enrolment
from edge_agent.update.updater import Updater
from edge_agent.wire.sync import BundleTarget, MqttAccess, Reported
from tests.cloud.bundle_files import PROFILE, note_version, write_bundle_file
from tests.cloud.homes import DEVICE, add_detector, add_device, make_home
from tests.edge_agent.update.faulty_cloud import FaultyCloud
from tests.edge_agent.update.publisher import AGENT_VERSION, BASE_URL
from tests.edge_agent.update.scene import passes
from tests.fakes.clock import FakeClock


class Fleet:
    """A home folder with published bundles of two versions, and one device that runs the real updater."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.home = make_home(folder / "home", self.clock)
        self.repository = bundle_actions.open_repository(self.home.settings, self.clock)
        detector_id = add_detector(self.home)
        add_device(self.home, profile=PROFILE)
        self.bundle_ids = [self._publish(folder / "made", detector_id, version) for version in (1, 2)]
        self.updater = self._updater(folder / "device")

    def _publish(self, folder: Path, detector_id: str, version: int) -> str:
        note_version(self.home, detector_id, version)
        file = write_bundle_file(folder, detector_id, version)
        with self.home.database.write() as session:
            row = bundle_actions.import_bundle(session, self.home.settings, file, now_s=self.clock.now_s())
            bundle_actions.publish(session, self.home.settings, self.repository, row.id)
        return row.id

    def _updater(self, folder: Path) -> Updater:
        cloud = FaultyCloud(self.home.settings.tuf_path, self.clock)
        enrolment = Enrolment(
            device=DEVICE,
            cloud_url="http://cloud.test/",
            mqtt=MqttAccess(host="cloud.test", port=1883),
            tuf_root=self.repository.root_json(),
            tuf_metadata_url=f"{BASE_URL}/metadata/",
            tuf_targets_url=f"{BASE_URL}/targets/",
        )
        parts = UpdaterParts(cloud.client(), self.clock, RealDisk(), passes, None)
        return open_updater(enrolment, folder, profile=PROFILE, agent_version=AGENT_VERSION, parts=parts)

    def _publish_again(self, session: Session, bundle_id: str) -> BundleTarget:
        return bundle_actions.publish_again(session, self.home.settings, self.repository, bundle_id)

    def assign(self, version: int | None) -> BundleTarget | None:
        bundle_id = None if version is None else self.bundle_ids[version - 1]
        with self.home.database.write() as session:
            desired = device_actions.assign(
                session, DEVICE, bundle_id, publish_again=self._publish_again, now_s=self.clock.now_s()
            )
        return desired.bundle

    def send(self, version: int) -> BundleTarget:
        """Assign a version, let the device install it and tell so."""
        target = self.assign(version)
        assert target is not None
        outcome = self.updater.apply(target)
        assert outcome.outcome == "success", outcome.reason
        report = Reported(
            device=DEVICE, desired_version=1, agent_version="0.1.0", profile=PROFILE,
            installed=target, outcomes=(outcome,),
        )  # fmt: skip
        with self.home.database.write() as session:
            device_actions.note_report(session, report, now_s=self.clock.now_s())
        return target

    def report_nothing_installed(self) -> None:
        report = Reported(device=DEVICE, desired_version=1, agent_version="0.1.0", profile=PROFILE)
        with self.home.database.write() as session:
            device_actions.note_report(session, report, now_s=self.clock.now_s())


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_older_version_is_signed_again_so_that_the_device_takes_it(fleet: Fleet) -> None:
    second = fleet.send(2)
    first = fleet.send(1)
    assert first.release > second.release
    assert first.detector_version == 1
    with fleet.home.database.read() as session:
        row = bundles.find(session, fleet.bundle_ids[0])
        assert devices.desired_of(session, DEVICE).bundle == first
    assert (row.release, row.target) == (first.release, first.to_json())
    assert fleet.send(2).release > first.release


def test_older_version_is_signed_again_even_after_the_device_was_emptied(fleet: Fleet) -> None:
    second = fleet.send(2)
    assert fleet.assign(None) is None
    fleet.report_nothing_installed()
    assert fleet.send(1).release > second.release


def test_same_or_newer_version_keeps_its_release(fleet: Fleet) -> None:
    assert [fleet.send(1).release, fleet.send(1).release, fleet.send(2).release] == [1, 1, 2]
