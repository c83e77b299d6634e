"""A database of an older elfowl goes on: its tables grow, what lies in them stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cloud.accounts.workspaces import HOME
from cloud.store import accounts, detectors, labels, media, migrations, rollouts
from cloud.store.apart import OWNED
from cloud.store.database import newest_revision, open_database
from cloud.store.labels import FrameLabels
from cloud.store.workspace_tables import EventSourceRow


def step_to(path: Path, revision: str) -> None:
    """Make the tables of a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = f"sqlite:///{path}"
    command.upgrade(config, revision)


def database_of_0001(path: Path) -> Path:
    """Make a database as the first version left it, with one labelled frame of a video."""
    step_to(path, "0001")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO detectors VALUES ('det_1', 'persons', '[\"person\"]', 1.0)")
        connection.execute(
            "INSERT INTO media (id, detector_id, role, kind, name, path, sha256, width_px, height_px,"
            " frame_count, fps, created) VALUES ('med_1', 'det_1', 'teach', 'video', 'a.avi',"
            " 'media/det_1/med_1.avi', '0', 64, 48, 9, 10.0, 1.0)"
        )
        connection.execute(
            "INSERT INTO frames (id, media_id, frame_index, revision, nothing_here, updated)"
            " VALUES (1, 'med_1', 4, 2, 0, 1.0)"
        )
        connection.execute("INSERT INTO labels VALUES (1, 1, 'person', 0.1, 0.1, 0.5, 0.5)")
    connection.close()
    return path


def test_newest_revision_is_the_one_that_alembic_finds() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()


def test_first_database_keeps_its_media_and_labels(tmp_path: Path) -> None:
    database = open_database(database_of_0001(tmp_path / "old.sqlite"))
    with database.read() as session:
        medium = media.find(session, "med_1")
        (frame,) = labels.of_media(session, "med_1")
        assert (medium.state, medium.path, medium.original_path, medium.shown) == (
            "ready", "media/det_1/med_1.avi", None, None,
        )  # fmt: skip
        assert labels.labels_of(frame) == FrameLabels((("person", (0.1, 0.1, 0.5, 0.5)),))
    database.close()


OF_0014 = (
    "INSERT INTO detectors (id, name, labels, created) VALUES ('det_1', 'persons', '[\"person\"]', 1.0)",
    "INSERT INTO versions (detector_id, version, created, metrics) VALUES ('det_1', 1, 1.0, '{}')",
    (
        "INSERT INTO media (id, detector_id, role, kind, name, path, sha256, width_px, height_px,"
        " frame_count, created) VALUES ('med_1', 'det_1', 'teach', 'image', 'a', 'a', '0', 64, 48, 1, 1.0)"
    ),
    (
        "INSERT INTO frames (id, media_id, frame_index, revision, nothing_here, updated)"
        " VALUES (1, 'med_1', 0, 2, 0, 1.0)"
    ),
    "INSERT INTO labels VALUES (1, 1, 'person', 0.1, 0.1, 0.5, 0.5)",
    (
        "INSERT INTO jobs (id, kind, detector_id, params, state, progress, stage, message, created, updated)"
        " VALUES ('job_1', 'train', 'det_1', '{}', 'done', 1, '', '', 1.0, 1.0)"
    ),
    (
        "INSERT INTO devices (name, public_key_pem, profile, arch, agent_version, state, enrolled, online)"
        " VALUES ('porch', 'key', 'pi-4', 'aarch64', '0.1.0', 'enrolled', 1.0, 0)"
    ),
    "INSERT INTO desired VALUES ('porch', 1, '{}', 1.0)",
    "INSERT INTO accounts VALUES ('acc_1', 'Anna', 'anna', 'owner', 'scrypt$', 1.0, NULL)",
    "INSERT INTO accounts VALUES ('acc_2', 'Bert', 'bert', 'viewer', 'scrypt$', 2.0, NULL)",
    "INSERT INTO sessions VALUES ('digest', 'ses_1', 'acc_1', 1.0, 1.0, 9.0, '::1', 'x')",
    "INSERT INTO api_tokens VALUES ('tok_1', 'd', 'acc_2', 'backup', 'viewer', 1.0, NULL, NULL)",
    "INSERT INTO alert_rules VALUES ('alr_1', 'parcels', '{}', 1.0)",
    "INSERT INTO alert_judged VALUES ('alr_1', 'porch', 'e1', 'front', 'person', NULL)",
    "INSERT INTO saved_searches VALUES ('sea_1', 'all', 'person', 'UTC', 1.0)",
    "INSERT INTO recordings VALUES ('rec_1', 'gate-123456', 'gate', 'gate', '0', NULL, 1, 10, 2, 64, 48, 1)",
    "INSERT INTO scans VALUES ('scan_1', 'rec_1', 'det_1', 1, 'persons', 1, 2.0, 20, 1, 1.0, 1.0)",
    "INSERT INTO streams VALUES ('str_1', 'yard', 'rtsp://c/1', '[]', '{}', 0, 1.0)",
    "INSERT INTO stream_gaps VALUES ('gap_1', 'str_1', 1.0, 2.0, 'source', 'nothing came')",
    "INSERT INTO rollouts (number, state, body) VALUES (7, 'done', '{}')",
    "INSERT INTO rollout_members VALUES (7, 0, 'porch', 'succeeded', '{}')",
    "INSERT INTO audit (id, at, what, detail) VALUES (3, 1.0, 'enrolled', '')",
)
"""A row of all that a workspace has, and of what hangs on it."""


def counts_in(path: Path) -> dict[str, int]:
    """Return how many rows each table has."""
    connection = sqlite3.connect(path)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    connection.close()
    return counts


def test_what_was_before_workspaces_is_homes_and_everybody_keeps_their_role(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    step_to(path, "0014")
    with sqlite3.connect(path) as connection:
        for statement in OF_0014:
            connection.execute(statement)
    connection.close()
    before = counts_in(path)

    database = open_database(path)

    after = counts_in(path)
    assert {name: count for name, count in after.items() if before.get(name) != count} == {
        "workspaces": 1, "memberships": 2, "event_sources": 3,
    }  # fmt: skip
    with database.read() as session:
        assert [(one.name, one.role) for one in accounts.members(session, HOME)] == [
            ("Anna", "owner"), ("Bert", "viewer"),
        ]  # fmt: skip
        for kind in OWNED:
            assert set(session.scalars(select(kind.workspace_id))) <= {HOME}
        assert session.scalars(select(EventSourceRow.device).order_by(EventSourceRow.device)).all() == [
            "cloud-stream", "porch", "scan",
        ]  # fmt: skip
        assert detectors.find(session, "persons").versions[0].version == 1
        assert rollouts.add(session, "running").number == 8
    database.close()


def test_step_to_workspaces_that_is_killed_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    step_to(path, "0014")
    with sqlite3.connect(path) as connection:
        for statement in OF_0014:
            connection.execute(statement)
        # What this step makes last cannot be made: all that it did before is taken back.
        connection.execute("CREATE TABLE _alembic_tmp_saved_searches (x INTEGER)")
    connection.close()
    before = counts_in(path)
    with pytest.raises(OperationalError, match="already exists"):
        open_database(path)
    assert counts_in(path) == before
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE _alembic_tmp_saved_searches")
    connection.close()
    open_database(path).close()
    assert counts_in(path)["workspaces"] == 1
