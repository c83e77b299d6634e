"""A cloud that two workspaces share: one has something of everything, the other has nothing."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.accounts.roles import Role
from cloud.accounts.workspaces import HOME, within
from cloud.actions.belonging import owner_of_news
from cloud.actions.workspaces import WorkspaceDesk
from cloud.ingest.batches import store_batch
from cloud.ingest.live import LiveFeed
from cloud.store import alerts, bundles, detectors, scans
from cloud.store.alert_tables import AlertMessageRow
from cloud.store.scan_tables import RecordingRow
from cloud.store.tables import BundleRow, Proposal
from edge_agent.wire.sync import BatchItem, BundleTarget, EventBatch
from tests.cloud.api.conftest import Camera, Cloud, make_cloud
from tests.cloud.api.people import PASSWORD, Person, cheapen
from tests.cloud.homes import jpeg
from tests.fakes.events import make_event

API = "/api/v1"
SECRETS = ("quokka", "narwhal", "okapi", "pangolin", "axolotl", "ibex", "gecko")
"""Names of what one workspace has; the other one must never read any of them."""

EVENT_ID = "1800000001.000-front-1"
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass
class World:
    """Who has all (`insider`), who must see nothing of it (`outsider`), and the ids of what there is."""

    cloud: Cloud
    insider: Person
    outsider: Person
    inside: str
    outside: str
    ids: dict[str, str]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of the database but of sessions, which are written when they are seen."""
        with closing(sqlite3.connect(self.cloud.home.settings.database_path)) as connection:
            names = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            return {
                name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
                for name in names
                if name != "sessions"
            }

    def files(self) -> dict[str, int]:
        """Return all files of the home folder with their sizes, but the database and what is only cached."""
        home = self.cloud.home.settings.home
        found = [one for one in home.rglob("*") if one.is_file() and "sqlite" not in one.name]
        return {
            str(one.relative_to(home)): one.stat().st_size
            for one in found
            if not one.is_relative_to(self.cloud.home.settings.cache_path)
        }


def make_world(folder: Path, *, inside_home: bool, role: Role = "owner") -> World:
    """Return a cloud of two workspaces; `role` is what both people may do in theirs."""
    cloud = make_cloud(folder)
    desk = cheapen(cloud)
    database = cloud.home.database
    cloud.app.state.services.live = LiveFeed(lambda news: owner_of_news(database, news))
    desk.add("operator", "owner", PASSWORD, None)
    workshop = WorkspaceDesk(cloud.home.database, cloud.clock).make_for("operator", "workshop").id
    inside, outside = (HOME, workshop) if inside_home else (workshop, HOME)
    people = []
    for name, workspace in (("anna", inside), ("bert", outside)):
        with within(workspace):
            desk.add(name, role, PASSWORD, None)
        person = Person(cloud, name)
        assert person.log_in() == 200
        people.append(person)
    world = World(cloud, people[0], people[1], inside, outside, {})
    _fill(world)
    return world


def camera_of(world: World, person: Person, name: str) -> Camera:
    """Return a camera that has a token of somebody's workspace, and has joined by it."""
    camera = Camera(world.cloud, name)
    token = person.client.post(f"{API}/enrolment-tokens").json()["token"]
    assert camera.enrol(token) == 200
    return camera


def _fill(world: World) -> None:
    ids, client = world.ids, world.insider.client
    ids["detector_id"] = _made(client.post(f"{API}/detectors", json={"name": "quokka", "labels": ["ibex"]}))
    detector = f"{API}/detectors/{ids['detector_id']}"
    ids["media_id"] = _made(client.post(f"{detector}/media", files={"file": ("axolotl.jpg", jpeg())}))
    labels = {"revision": 0, "boxes": [{"label": "ibex", "box": [0.1, 0.2, 0.5, 0.6]}]}
    client.put(f"{API}/media/{ids['media_id']}/frames/0/labels", json=labels).raise_for_status()
    kind = {"name": "Gecko", "labels": ["ibex"], "values": ["brown", "white"]}
    client.post(f"{detector}/attributes", json=kind).raise_for_status()
    example = {"media_id": ids["media_id"], "box": [0.1, 0.2, 0.5, 0.6], "value": "brown"}
    ids["example_id"] = _made(client.post(f"{detector}/attributes/gecko/examples", json=example))
    ids["job_id"] = _made(client.post(f"{detector}/train"))
    ids["upload"] = _made(client.post(f"{detector}/uploads", headers=_TUS | _announced()))
    ids["device"] = camera_of(world, world.insider, "narwhal").name
    _fill_tables(world)
    said = {"verdict": "wrong", "event_id": EVENT_ID, "device": "narwhal"}
    sent = client.post(f"{API}/corrections", json=said)
    ids["correction_id"] = str(sent.json()["correction"]["id"])
    ids["search"] = _made(client.post(f"{API}/searches", json={"name": "pangolin", "query": "ibex"}))
    rule = {"name": "pangolin", "labels": ["ibex"], "channels": ["ntfys://ntfy.example.org/pangolin"]}
    ids["alert"] = _made(client.post(f"{API}/alerts", json=rule))
    _add_message(world)
    stream = {"name": "okapi", "address": "rtsp://10.0.0.9/okapi", "detectors": ["quokka"]}
    ids["stream"] = _made(client.post(f"{API}/streams", json=stream))
    plan = {"name": "pangolin", "bundle_ids": [ids["bundle_id"]]}
    ids["number"] = str(client.post(f"{API}/rollouts", json=plan).json()["number"])
    ids["token"] = _made(client.post(f"{API}/me/tokens", json={"name": "gecko", "role": "viewer"}))
    ids["session"] = client.get(f"{API}/me/sessions").json()[0]["id"]
    with within(world.inside):
        ids["account"] = world.cloud.app.state.services.people.find("anna").id
    ids["workspace"] = world.inside


def _fill_tables(world: World) -> None:
    """Add what comes from trainings and cameras."""
    ids, home = world.ids, world.cloud.home
    detector_id = ids["detector_id"]
    target = BundleTarget(
        path="bundles/b.zip", sha256="0" * 64, length_bytes=10, release=1,
        detector_id=detector_id, detector_name="quokka", detector_version=1,
    )  # fmt: skip
    row = BundleRow(
        id="bun_1", detector_id=detector_id, detector_version=1, profile="pi-4", runtime="litert",
        path="b.zip", sha256="0" * 64, length_bytes=10, receipt_path="r.json", created=1.0,
    )  # fmt: skip
    event = make_event(1, label="ibex").model_copy(update={"id": EVENT_ID, "device": "narwhal"})
    item = BatchItem(seq=1, event=event, thumbnail_jpeg_base64=base64.b64encode(jpeg()).decode())
    recording = RecordingRow(
        id="rec_1", camera="okapi-123456", name="okapi.mp4", path="okapi.mp4", sha256="1" * 64,
        media_id=None, began=1.0, fps=10.0, duration=2.0, width_px=64, height_px=48, created=1.0,
    )  # fmt: skip
    with within(world.inside), home.database.write() as session:
        detectors.add_version(session, detector_id=detector_id, version=1, metrics={}, now_s=1.0)
        ids["bundle_id"] = bundles.add(session, row).id
        bundles.note_published(session, row.id, target)
        noted = scans.note(session, recording)
        scans.scan_of(session, noted.id, (detector_id, 1, "quokka"), now_s=1.0)
        offered = {"label": "ibex", "score": 0.9, "x1": 0.1, "y1": 0.1, "x2": 0.2, "y2": 0.2}
        proposal = Proposal(
            media_id=ids["media_id"], frame_index=0, proposed_by="quokka@1", created=1.0, **offered
        )
        session.add(proposal)
    with home.database.write() as session:
        store_batch(session, EventBatch(device="narwhal", epoch="epoch-1", items=(item,)), now_s=1.0)
    ids["event_id"] = EVENT_ID


def _add_message(world: World) -> None:
    message = AlertMessageRow(
        id="msg_1", rule_id=world.ids["alert"], rule_name="pangolin", address="json://pangolin",
        picture="none",
        events=[["narwhal", EVENT_ID]], collects=False, state="sent", created=1.0, due=1.0, attempts=1,
    )  # fmt: skip
    with world.cloud.home.database.write() as session:
        alerts.put_message(session, message)


def _announced() -> dict[str, str]:
    name = base64.b64encode(b"axolotl.jpg").decode()
    return {"Upload-Length": "1000", "Upload-Metadata": f"filename {name}"}


def _made(answer: Any) -> str:  # noqa: ANN401 - of the test client
    assert answer.status_code in {200, 201, 202}, answer.text
    return str(answer.json()["id"])
