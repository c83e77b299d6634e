"""Events are deleted for good with all that came with them, and nothing else."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cloud.actions.forgetting import Deleted, Doomed, count_doomed, delete_events
from cloud.actions.open_home import Home
from cloud.api.forgetting import forget_old
from cloud.cli import app
from cloud.commands.events import moment_of
from cloud.errors import InputError
from cloud.ingest.batches import store_batch
from cloud.settings import Settings
from cloud.store import alerts, audit, corrections, events
from cloud.store.alert_tables import AlertMessageRow
from cloud.store.tables import EventState, StoredCorrection, StoredEvent, Thumbnail
from edge_agent.wire.correction import Correction
from edge_agent.wire.sync import BatchItem, EventBatch
from tests.cloud.api.conftest import make_cloud
from tests.cloud.homes import DEVICE, jpeg, make_home
from tests.fakes.console import Console
from tests.fakes.events import make_event

START_S = 1_800_000_000.0


def fill(home: Home) -> None:
    """Store four events, two of each camera, with pictures, a correction of each and one of a moment."""
    items = tuple(
        BatchItem(
            seq=number,
            event=make_event(number, camera="front" if number % 2 else "back"),
            thumbnail_jpeg_base64=base64.b64encode(jpeg()).decode(),
        )
        for number in range(1, 5)
    )
    with home.database.write() as session:
        store_batch(session, EventBatch(device=DEVICE, epoch="epoch-1", items=items), now_s=START_S)
    for number in range(1, 5):
        say(home, f"cor_{number}", verdict="wrong", event_id=f"event-{number:06d}", device=DEVICE)
    say(home, "cor_5", verdict="missed", camera="front", time=START_S + 1, device=DEVICE)


def say(home: Home, correction_id: str, **fields: object) -> None:
    said = Correction.model_validate({"id": correction_id, "source": "portal", "created": START_S, **fields})
    path = home.settings.media_path / f"{correction_id}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg())
    with home.database.write() as session:
        corrections.add(session, said, detector_id=None)
        corrections.note_key_frame(session, correction_id, str(path.relative_to(home.settings.home)), None)


def left(home: Home) -> tuple[list[str], int, int, list[str], list[str]]:
    """Return the events, documents, pictures, corrections and key frames that are there."""
    with home.database.read() as session:
        return (
            [row.event_id[-1:] for row in session.scalars(select(EventState).order_by(EventState.event_id))],
            events.count(session, documents=True),
            session.scalar(select(func.count()).select_from(Thumbnail)) or 0,
            [row.id[-1:] for row in session.scalars(select(StoredCorrection).order_by(StoredCorrection.id))],
            sorted(path.stem[-1:] for path in home.settings.media_path.iterdir()),
        )


@pytest.mark.parametrize(
    ("doomed", "gone", "gone_corrections"),
    [
        (Doomed(camera="front"), "13", "135"),
        (Doomed(before_s=START_S + 3), "12", "125"),
        (Doomed(before_s=START_S + 3, camera="back"), "2", "2"),
        (Doomed(device=DEVICE), "1234", "12345"),
        (Doomed(device="other"), "", ""),
    ],
)
def test_events_are_deleted_with_all_that_came_with_them(
    tmp_path: Path, doomed: Doomed, gone: str, gone_corrections: str
) -> None:
    home = make_home(tmp_path)
    fill(home)
    with home.database.read() as session:
        assert count_doomed(session, doomed) == len(gone)

    done = delete_events(home.database, home.settings, home.clock, doomed)

    kept = [one for one in "1234" if one not in gone]
    said = [one for one in "12345" if one not in gone_corrections]
    assert left(home) == (kept, len(kept), len(kept), said, said)
    assert done == Deleted(len(gone), len(gone), len(gone), len(gone_corrections))
    with home.database.read() as session:
        assert len(audit.newest(session)) == (1 if gone else 0)


def test_corrections_are_kept_on_request(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    fill(home)
    delete_events(home.database, home.settings, home.clock, Doomed(camera="front"), keep_corrections=True)
    assert left(home) == (["2", "4"], 2, 2, list("12345"), list("12345"))


def test_message_that_waits_tells_nothing_of_deleted_events(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    fill(home)
    with home.database.write() as session:
        for name, numbers in (("a", (1, 3)), ("b", (1, 2))):
            pairs = [[DEVICE, f"event-{number:06d}"] for number in numbers]
            alerts.put_message(
                session,
                AlertMessageRow(
                    id=name, rule_id="r", rule_name="r", address="json://a/", picture="none", events=pairs,
                    collects=True, state="waiting", created=0.0, due=9e9, attempts=0,
                ),
            )  # fmt: skip
    delete_events(home.database, home.settings, home.clock, Doomed(camera="front"))
    with home.database.read() as session:
        assert [(one.id, one.events) for one in alerts.newest_messages(session)] == [
            ("b", [[DEVICE, "event-000002"]])
        ]


def test_nothing_is_deleted_unless_something_is_named() -> None:
    with pytest.raises(InputError, match="say which events"):
        Doomed()


def test_events_that_are_kept_long_enough_are_deleted(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, keep_events_days=2)
    cloud = make_cloud(tmp_path, settings)
    fill(cloud.home)
    services = cloud.app.state.services
    forget_old(services)
    assert left(cloud.home)[0] == list("1234")
    cloud.clock.advance(2 * 86_400.0 + 1)
    services.settings = settings.model_copy(update={"keep_events_days": None})
    forget_old(services)
    assert left(cloud.home)[0] == list("1234")
    services.settings = settings
    forget_old(services)
    assert left(cloud.home) == ([], 0, 0, list("12345"), list("12345"))


def test_events_are_deleted_over_http(tmp_path: Path) -> None:
    cloud = make_cloud(tmp_path)
    fill(cloud.home)
    assert cloud.client.delete("/api/v1/events").status_code == 422
    path = "/api/v1/events?camera=front"
    assert cloud.client.delete(f"{path}&dry_run=true").json()["events"] == 2
    assert cloud.client.delete(path).json() == {
        "events": 2, "documents": 2, "pictures": 2, "corrections": 3,
    }  # fmt: skip
    assert cloud.client.get("/api/v1/events/event-000001/thumbnail.jpg").status_code == 404


def test_events_are_deleted_from_the_command_line_only_when_told_yes(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    fill(home)
    command = ["events", "delete", "--before", "2027-01-15T08:00:03", "--home", str(tmp_path)]
    assert "2 events would be deleted" in Console().invoke(app, command).output
    assert left(home)[0] == list("1234")
    done = Console().invoke(app, [*command, "--yes", "--json"])
    assert json.loads(done.output)["events"] == 2
    assert left(home)[0] == ["3", "4"]
    with home.database.read() as session:
        assert session.scalar(select(func.count()).select_from(StoredEvent)) == 2


@pytest.mark.parametrize(
    ("text", "at_s"), [("1970-01-02", 86_400.0), ("30d", 7_408_000.0), ("2h", 9_992_800.0)]
)
def test_time_before_which_to_delete_is_read(text: str, at_s: float) -> None:
    assert moment_of(text, 10_000_000.0) == at_s


def test_time_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(InputError, match="2026-11-01"):
        moment_of("soon", 0.0)
