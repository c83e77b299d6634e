"""Tokens, desired and reported state, jobs in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.open_home import Home
from cloud.errors import ConflictError
from cloud.store import devices, jobs
from edge_agent.wire.sync import Desired, Reported
from tests.cloud.homes import DEVICE, add_device, make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def test_token_is_spent_by_the_first_only(home: Home) -> None:
    with home.database.write() as session:
        devices.add_token(session, sha256="a" * 64, now_s=1.0, expires_s=9.0)
    with home.database.write() as session:
        spent = [
            devices.spend_token(session, sha256="a" * 64, device=name, now_s=2.0) for name in ("one", "two")
        ]
    assert spent == [True, False]


def test_revoked_device_has_no_key_to_be_believed(home: Home) -> None:
    add_device(home)
    with home.database.write() as session:
        assert devices.enrolled_key_of(session.connection(), DEVICE) == "key"
        assert devices.key_and_shared_of(session.connection(), DEVICE) == ("key", False)
        assert devices.key_and_version_of(session, DEVICE) == ("key", 0)
        devices.put_desired(session, Desired(device=DEVICE, version=3), now_s=1.0)
        session.flush()
        assert devices.key_and_version_of(session, DEVICE) == ("key", 3)
        devices.find(session, DEVICE).state = "revoked"
        session.flush()
        assert devices.enrolled_key_of(session.connection(), DEVICE) is None
        assert devices.key_and_shared_of(session.connection(), DEVICE) == (None, False)
        assert devices.key_and_version_of(session, DEVICE) == (None, 0)
        assert devices.key_of(session, DEVICE) == "key"


@pytest.mark.parametrize(("version", "taken"), [(1, False), (2, False), (3, True)])
def test_desired_state_is_stored_only_when_newer(home: Home, version: int, taken: bool) -> None:
    add_device(home)
    with home.database.write() as session:
        devices.put_desired(session, Desired(device=DEVICE, version=2), now_s=1.0)
        if taken:
            devices.put_desired(session, Desired(device=DEVICE, version=version), now_s=2.0)
        else:
            with pytest.raises(ConflictError):
                devices.put_desired(session, Desired(device=DEVICE, version=version), now_s=2.0)
        assert devices.desired_of(session, DEVICE).version == (version if taken else 2)


def test_device_removed_takes_its_states_along(home: Home) -> None:
    add_device(home)
    report = Reported(device=DEVICE, desired_version=1, agent_version="0.1.0", profile="pi-4")
    with home.database.write() as session:
        devices.put_desired(session, Desired(device=DEVICE, version=2), now_s=1.0)
        devices.put_reported(session, report, now_s=1.0)
    with home.database.write() as session:
        devices.remove(session, DEVICE)
    with home.database.read() as session:
        assert devices.desired_of(session, DEVICE).version == 0
        assert devices.reported_of(session, DEVICE) is None


def test_availability_of_a_stranger_is_not_noted(home: Home) -> None:
    with home.database.write() as session:
        assert not devices.note_seen(session, "stranger", now_s=1.0)
        assert devices.every(session) == []


def test_many_sightings_are_noted_at_once_and_strangers_passed_over(home: Home) -> None:
    add_device(home)
    with home.database.write() as session:
        devices.note_all_seen(session, {DEVICE: 5.0, "stranger": 6.0})
    with home.database.read() as session:
        (row,) = devices.every(session)
    assert (row.name, row.online, row.last_seen) == (DEVICE, True, 5.0)


def test_same_job_is_not_accepted_twice_while_it_is_under_way(home: Home) -> None:
    with home.database.write() as session:
        first = jobs.add(session, kind="train", detector_id="d", params={}, now_s=1.0)
        with pytest.raises(ConflictError, match=first.id):
            jobs.add(session, kind="train", detector_id="d", params={}, now_s=1.0)
        jobs.change(session, first.id, now_s=2.0, state="failed")
        assert jobs.add(session, kind="train", detector_id="d", params={}, now_s=3.0).id != first.id


def test_job_that_was_cancelled_stays_so(home: Home) -> None:
    with home.database.write() as session:
        job = jobs.add(session, kind="train", detector_id="d", params={}, now_s=1.0)
        jobs.change(session, job.id, now_s=2.0, state="cancelled")
        assert jobs.change(session, job.id, now_s=3.0, state="done").state == "cancelled"
        assert jobs.unfinished(session) == []
