"""Sessions see what is of their workspace, whatever is asked of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.orm import aliased

from cloud.accounts.workspaces import HOME, within
from cloud.actions.open_home import Home
from cloud.errors import ConflictError, NotFoundError
from cloud.ingest.batches import store_batch
from cloud.store import audit, detectors, events, jobs, scope, sources, workspaces
from cloud.store.apart import UNCONDITIONAL, conditions_of
from cloud.store.scans import SCAN_DEVICE
from cloud.store.tables import (
    Base,
    Detector,
    Device,
    EventState,
    Job,
    LabelBox,
    Media,
    StoredEvent,
    Thumbnail,
    Version,
)
from edge_agent.wire.sync import EventBatch
from tests.cloud.homes import DEVICE, add_device, batch, item, make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home with a second workspace, `ws_2`, and a detector and events in each of the two."""
    home = make_home(tmp_path)
    with home.database.write() as session:
        workspaces.add(session, name="workshop", now_s=1.0).id = "ws_2"
    for workspace_id, device in ((HOME, DEVICE), ("ws_2", "gate")):
        with within(workspace_id), home.database.write() as session:
            made = detectors.create(session, name="persons", labels=["person"], now_s=1.0)
            detectors.add_version(session, detector_id=made.id, version=1, metrics={}, now_s=1.0)
            jobs.add(session, kind="train", detector_id=made.id, params={}, now_s=1.0)
            sources.claim(session, device, sources.WHOLE, workspace_id)
        add_device(home, device)
        with home.database.write() as session:
            found = session.get(Device, device)
            assert found is not None
            found.workspace_id = workspace_id
            sent = batch(item(1)).model_copy(update={"device": device})
            named = sent.items[0].event.model_copy(update={"device": device, "id": f"event-{device}"})
            one = sent.items[0].model_copy(update={"event": named})
            store_batch(session, sent.model_copy(update={"items": (one,)}), now_s=1.0)
    return home


def test_every_table_has_a_condition_or_a_reason_to_have_none() -> None:
    tables = {mapper.class_ for mapper in Base.registry.mappers}
    placed = set(conditions_of("ws_2"))
    assert tables - placed - set(UNCONDITIONAL) == set(), "give them a place in cloud/store/apart.py"
    assert placed & set(UNCONDITIONAL) == set()


@pytest.mark.parametrize("workspace_id", [HOME, "ws_2"])
def test_whatever_is_asked_only_the_own_half_is_there(home: Home, workspace_id: str) -> None:
    device, other = (DEVICE, "gate") if workspace_id == HOME else ("gate", DEVICE)
    with home.database.read() as session:
        foreign = session.scalars(select(Detector).where(Detector.workspace_id != workspace_id)).one()
    again = aliased(EventState)
    with within(workspace_id), home.database.read() as session:
        assert session.get(Detector, foreign.id) is None
        assert session.get(Version, 1 if workspace_id == "ws_2" else 2) is None
        assert [one.workspace_id for one in detectors.every(session)] == [workspace_id]
        assert detectors.find(session, "persons").id != foreign.id
        assert session.scalars(select(EventState.device)).all() == [device]
        assert session.scalars(select(again.device)).all() == [device]
        assert session.scalar(select(func.count()).where(EventState.start_time > 0)) == 1
        assert session.scalars(select(StoredEvent.device)).all() == [device]
        assert session.get(EventState, (other, f"event-{other}")) is None
        assert session.scalar(select(func.min(EventState.device))) == device
        joined = select(Job.id).join(Detector, Detector.id == Job.detector_id)
        assert len(session.scalars(joined).all()) == 1
        nested = select(func.count()).select_from(select(Version.id).subquery())
        assert session.scalar(nested) == 1
        there = select(literal(1)).where(EventState.device == other).exists()
        assert session.scalar(select(there)) is False
        with pytest.raises(NotFoundError):
            events.find(session, f"event-{other}")
        with pytest.raises(NotFoundError):
            scope.refuse_foreign(session, Detector, foreign.id)
        scope.refuse_foreign(session, Detector, "det_of_nobody")


def test_changes_and_deletions_reach_no_further(home: Home) -> None:
    with within("ws_2"), home.database.write() as session:
        session.execute(update(Detector).values(labels=["changed"]))
        session.execute(delete(EventState))
        session.execute(delete(Version))
        for table in (Media, LabelBox, Thumbnail):
            session.execute(delete(table))
    with home.database.read() as session:
        assert [one.labels for one in detectors.every(session)] == [["person"], ["changed"]]
        assert session.scalars(select(EventState.device)).all() == [DEVICE]
        assert session.scalar(select(func.count()).select_from(Version)) == 1


def test_bare_statements_and_connections_are_refused_while_there_is_something_to_keep_apart(
    home: Home, tmp_path: Path
) -> None:
    bare = select(EventState.__table__.c.device)
    with within(HOME), home.database.read() as session:
        with pytest.raises(RuntimeError, match="would see all workspaces"):
            session.execute(bare)
        with pytest.raises(RuntimeError, match="would see all workspaces"):
            session.connection()
    with home.database.read() as session:
        assert len(session.execute(bare).all()) == 2
    alone = make_home(tmp_path / "alone")
    with within(HOME), alone.database.read() as session:
        assert session.execute(bare).all() == []


def test_what_is_added_is_of_the_scope_and_without_one_it_inherits(home: Home) -> None:
    with home.database.read() as session:
        foreign = session.scalars(select(Detector).where(Detector.workspace_id == "ws_2")).one()
    with home.database.write() as session:
        inherited = jobs.add(session, kind="suggest", detector_id=foreign.id, params={}, now_s=1.0)
        nobodys = jobs.add(session, kind="scan", detector_id="starter", params={}, now_s=1.0)
        audit.note(session, "refused", now_s=1.0, device="gate")
        assert (inherited.workspace_id, nobodys.workspace_id) == ("ws_2", HOME)
    with within("ws_2"), home.database.write() as session:
        own = jobs.add(session, kind="scan", detector_id="starter", params={"x": 1}, now_s=1.0)
        assert own.workspace_id == "ws_2"
        assert [row.what for row in audit.newest(session)] == ["refused"]


@pytest.mark.parametrize("name", ["gate", "scan", "cloud-stream"])
def test_name_of_a_device_is_claimed_once(home: Home, name: str) -> None:
    with home.database.write() as session, pytest.raises(ConflictError, match="is taken"):
        sources.claim(session, name, sources.WHOLE, HOME)


def test_name_under_which_events_came_before_there_were_others_stays_homes(home: Home) -> None:
    with home.database.write() as session:
        sent = batch(item(1)).model_copy(update={"device": "gone"})
        event = sent.items[0].event.model_copy(update={"device": "gone"})
        one = sent.items[0].model_copy(update={"event": event})
        store_batch(session, sent.model_copy(update={"items": (one,)}), now_s=1.0)
        with pytest.raises(ConflictError, match="is taken"):
            sources.claim(session, "gone", sources.WHOLE, "ws_2")
        sources.claim(session, "gone", sources.WHOLE, HOME)


def test_events_of_a_recording_are_stored_batch_by_batch_within_a_scope(home: Home) -> None:
    def part(seq: int) -> EventBatch:
        one = item(seq, seq)
        event = one.event.model_copy(update={"device": SCAN_DEVICE, "camera": "rec"})
        sent = one.model_copy(update={"event": event})
        return EventBatch(device=SCAN_DEVICE, epoch="scan_1", items=(sent,), oldest_seq=1)

    with within("ws_2"), home.database.write() as session:
        sources.claim(session, SCAN_DEVICE, "rec", "ws_2")
    for seq in (1, 2, 2):
        with within("ws_2"), home.database.write() as session:
            assert store_batch(session, part(seq), now_s=1.0).ack.seq == seq
    for workspace_id, count in (("ws_2", 2), (HOME, 0)):
        with within(workspace_id), home.database.read() as session:
            of_recordings = select(EventState.event_id).where(EventState.device == SCAN_DEVICE)
            assert len(session.scalars(of_recordings).all()) == count
            documents = select(StoredEvent.event_id).where(StoredEvent.device == SCAN_DEVICE)
            assert len(session.scalars(documents).all()) == count
