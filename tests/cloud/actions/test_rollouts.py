"""Roll-outs in a real database, followed by devices with the real updater."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cloud.actions import bundles as bundle_actions
from cloud.actions import devices as device_actions
from cloud.actions import rollouts as actions
from cloud.actions.rollout_preview import preview
from cloud.errors import ConflictError, InputError
from cloud.fleet.rollout_plan import Plan, Rollout, Selector, Trial
from cloud.fleet.rollout_states import Order
from cloud.fleet.rollouts import counts
from cloud.store import audit, devices
from edge_agent.errors import ArtifactError
from edge_agent.update.assembly import UpdaterParts, open_updater
from edge_agent.update.disk import RealDisk
from edge_agent.update.identity import Enrolment
from edge_agent.update.updater import Updater
from edge_agent.wire.shadow import ShadowCamera, ShadowReport
from edge_agent.wire.sync import BundleTarget, Desired, MqttAccess, Reported
from tests.cloud.bundle_files import PROFILE, note_version, write_bundle_file
from tests.cloud.homes import add_detector, add_device, make_home
from tests.edge_agent.update.conftest import MEMORY
from tests.edge_agent.update.faulty_cloud import FaultyCloud
from tests.edge_agent.update.publisher import AGENT_VERSION, BASE_URL
from tests.fakes.clock import FakeClock

NAMES = ("cam0", "cam1", "cam2", "cam3")


class Device:
    """A device with the real updater; `broken` bundles fail its smoke test, by detector version."""

    def __init__(self, name: str, fleet: Fleet, folder: Path) -> None:
        self.name, self._fleet = name, fleet
        self.broken: set[int] = set()
        self.version = 0
        cloud = FaultyCloud(fleet.home.settings.tuf_path, fleet.clock)
        enrolment = Enrolment(
            device=name, cloud_url="http://cloud.test/", mqtt=MqttAccess(host="cloud.test", port=1883),
            tuf_root=fleet.repository.root_json(),
            tuf_metadata_url=f"{BASE_URL}/metadata/", tuf_targets_url=f"{BASE_URL}/targets/",
        )  # fmt: skip
        parts = UpdaterParts(cloud.client(), fleet.clock, RealDisk(), self._smoke_test, None)
        self.updater: Updater = open_updater(
            enrolment, folder, profile=PROFILE, agent_version=AGENT_VERSION, parts=parts
        )

    def sync(self) -> None:
        """Fetch what is wanted, obey, report."""
        with self._fleet.home.database.read() as session:
            desired = devices.desired_of(session, self.name)
        if desired.bundle is not None:
            self.version = desired.bundle.detector_version
            self.updater.apply(desired.bundle)
        current = self.updater.current()
        reported = Reported(
            device=self.name, desired_version=desired.version, agent_version=AGENT_VERSION, profile=PROFILE,
            installed=current.target if current else None, outcomes=self.updater.outcomes(),
            shadow=self._look_in_the_shadow(desired),
        )  # fmt: skip
        with self._fleet.home.database.write() as session:
            device_actions.note_report(session, reported, now_s=self._fleet.clock.now_s())
        self.updater.mark_reported({outcome.id for outcome in reported.outcomes})

    @property
    def runs(self) -> int | None:
        current = self.updater.current()
        return None if current is None else current.target.detector_version

    @staticmethod
    def _look_in_the_shadow(desired: Desired) -> ShadowReport | None:
        if desired.shadow is None:
            return None
        seen = {"front": ShadowCamera(alerts_now=9, alerts_candidate=6, alerts_both=6, pictures=200)}
        return ShadowReport(bundle_sha256=desired.shadow.sha256, since=0.0, until=60.0, cameras=seen)

    def _smoke_test(self, _path: Path) -> None:
        if self.version in self.broken:
            message = "golden picture answered otherwise"
            raise ArtifactError(message)


class Fleet:
    """A home folder with two published versions, and four devices that run the first."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.home = make_home(folder / "home", self.clock)
        self.repository = bundle_actions.open_repository(self.home.settings, self.clock)
        self.detector_id = add_detector(self.home)
        self.bundle_ids = [self._publish(version) for version in (1, 2)]
        for name in NAMES:
            add_device(self.home, name, profile=PROFILE)
        self.devices = {name: Device(name, self, folder / name) for name in NAMES}
        with self.home.database.write() as session:
            for name in NAMES:
                self._assign(session, name, self.bundle_ids[0])
        for device in self.devices.values():
            device.sync()

    def _publish(self, version: int) -> str:
        note_version(self.home, self.detector_id, version)
        file = write_bundle_file(self.folder / "made", self.detector_id, version)
        with self.home.database.write() as session:
            row = bundle_actions.import_bundle(session, self.home.settings, file, now_s=self.clock.now_s())
            bundle_actions.publish(session, self.home.settings, self.repository, row.id)
        return row.id

    def _assign(self, session: Session, name: str, bundle_id: str) -> None:
        device_actions.assign(
            session, name, bundle_id, publish_again=self.publish_again, now_s=self.clock.now_s()
        )

    def publish_again(self, session: Session, bundle_id: str) -> BundleTarget:
        return bundle_actions.publish_again(session, self.home.settings, self.repository, bundle_id)

    def plan(self, version: int = 2, name: str = "persons", **changes: object) -> Plan:
        plan = Plan(name=name, bundle_ids=(self.bundle_ids[version - 1],), observe_s=60.0, shares=(0.5, 1.0))
        return plan.model_copy(update=changes)

    def begin(self, plan: Plan | None = None) -> int:
        with self.home.database.write() as session:
            return actions.begin(session, plan or self.plan(), now_s=self.clock.now_s()).number

    def order(self, number: int, what: Order) -> None:
        with self.home.database.write() as session:
            actions.order(session, number, what, now_s=self.clock.now_s())

    def tick(self) -> None:
        self.clock.advance(60.0)
        for device in self.devices.values():
            device.sync()
        with self.home.database.write(durable=True) as session:
            actions.carry_on(session, publish_again=self.publish_again, now_s=self.clock.now_s())

    def state(self, number: int) -> tuple[Rollout, dict[str, int]]:
        with self.home.database.read() as session:
            return actions.load(session, number), counts(actions.members_of(session, number))

    def until(self, number: int, *states: str) -> dict[str, int]:
        for _ in range(60):
            rollout, counted = self.state(number)
            if rollout.state in states:
                return counted
            self.tick()
        raise AssertionError(self.state(number))

    @property
    def wanted_in_the_shadow(self) -> set[int | None]:
        with self.home.database.read() as session:
            shadows = [devices.desired_of(session, name).shadow for name in NAMES]
        return {None if one is None else one.detector_version for one in shadows}

    @property
    def runs(self) -> list[int | None]:
        return [device.runs for device in self.devices.values()]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        fleet = Fleet(Path(folder))
        yield fleet
        fleet.home.database.close()


def test_roll_out_reaches_every_device_and_rolls_back_over_the_release_floor(fleet: Fleet) -> None:
    assert fleet.runs == [1, 1, 1, 1]
    number = fleet.begin()
    assert fleet.until(number, "done") == {"succeeded": 4}
    assert fleet.runs == [2, 2, 2, 2]
    fleet.order(number, "roll_back")
    assert fleet.until(number, "returned") == {"returned": 4}
    assert fleet.runs == [1, 1, 1, 1]


@pytest.mark.slow
def test_bad_version_stops_at_the_canary_and_a_retry_tries_it_again(fleet: Fleet) -> None:
    for device in fleet.devices.values():
        device.broken.add(2)
    number = fleet.begin()
    assert fleet.until(number, "halted") == {"failed": 1, "waiting": 3}
    fleet.tick()
    assert fleet.runs == [1, 1, 1, 1]
    for device in fleet.devices.values():
        device.broken.clear()
    fleet.order(number, "retry")
    assert fleet.until(number, "done") == {"succeeded": 4}


def test_step_that_was_cut_off_is_taken_again_and_asks_nobody_twice(fleet: Fleet) -> None:
    number = fleet.begin()

    class Killed(BaseException):
        pass

    def cut_off() -> None:
        with fleet.home.database.write(durable=True) as session:
            actions.carry_on(session, publish_again=fleet.publish_again, now_s=fleet.clock.now_s())
            raise Killed

    with pytest.raises(Killed):
        cut_off()
    assert fleet.state(number)[1] == {"waiting": 4}
    fleet.home.database.close()
    fleet.home = make_home(fleet.folder / "home", fleet.clock)
    assert fleet.until(number, "done") == {"succeeded": 4}
    with fleet.home.database.read() as session:
        assert {devices.desired_of(session, name).version for name in NAMES} == {2}


def test_newer_of_two_roll_outs_wins_the_devices_that_both_want(fleet: Fleet) -> None:
    older = fleet.begin(fleet.plan(2, "older"))
    fleet.tick()
    newer = fleet.begin(fleet.plan(1, "newer", selector=Selector(devices=("cam0", "cam1"))))
    assert fleet.until(older, "done") == {"skipped": 2, "succeeded": 2}
    fleet.until(newer, "done")
    assert fleet.runs == [1, 1, 2, 2]


def test_canary_tries_it_in_the_shadow_before_it_is_asked(fleet: Fleet) -> None:
    number = fleet.begin(fleet.plan(shadow=Trial(look_s=60.0)))
    fleet.tick()
    assert fleet.state(number)[1] == {"trying": 1, "waiting": 3}
    assert fleet.wanted_in_the_shadow == {None, 2}
    assert fleet.until(number, "done") == {"succeeded": 4}
    assert (fleet.runs, fleet.wanted_in_the_shadow) == ([2] * 4, {None})


def test_newer_roll_out_ends_the_trial_of_the_one_before(fleet: Fleet) -> None:
    fleet.begin(fleet.plan(name="older", shadow=Trial(look_s=60.0)))
    fleet.tick()
    fleet.begin(fleet.plan(name="newer"))
    assert fleet.wanted_in_the_shadow == {None}


def test_same_name_twice_is_refused_while_the_first_is_under_way(fleet: Fleet) -> None:
    fleet.begin()
    with pytest.raises(ConflictError, match="is under way"):
        fleet.begin()


def test_device_that_is_revoked_on_the_way_is_left_out(fleet: Fleet) -> None:
    number = fleet.begin()
    with fleet.home.database.write() as session:
        devices.find(session, "cam2").state = "revoked"
    assert fleet.until(number, "done") == {"succeeded": 3, "skipped": 1}


def test_preview_tells_devices_and_bytes_and_changes_nothing(fleet: Fleet) -> None:
    with fleet.home.database.write() as session:
        devices.find(session, "cam3").profile = "pi-4"
        plan = fleet.plan()
        shown = preview(session, fleet.home.settings, plan)
        length = device_actions._target_for(session, "cam0", fleet.bundle_ids[1]).length_bytes
        again = preview(session, fleet.home.settings, fleet.plan(1))
    assert [device.bytes for device in shown.devices] == [length] * 3
    assert shown.total_bytes == 3 * length
    assert {device.runs for device in shown.devices} == {"persons v1"}
    assert list(shown.left_out) == ["cam3"]
    assert again.total_bytes == 0


def test_plan_that_makes_no_sense_is_refused(fleet: Fleet) -> None:
    nobody = fleet.plan(selector=Selector(groups=("nobody",)))
    both = fleet.plan(bundle_ids=tuple(fleet.bundle_ids))
    for plan, message in ((nobody, "means no device"), (both, "both for")):
        with fleet.home.database.read() as session, pytest.raises(InputError, match=message):
            actions.outline(session, plan)


def test_what_is_done_stands_in_the_audit_log(fleet: Fleet) -> None:
    number = fleet.begin()
    fleet.order(number, "abort")
    fleet.until(number, "aborted")
    with fleet.home.database.read() as session:
        said = [row.what for row in audit.newest(session)]
    assert said == ["roll-out aborted", "roll-out abort", "roll-out begun"]
