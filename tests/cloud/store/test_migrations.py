"""A database of an older elfowl goes on: its tables grow, what lies in them stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config

from cloud.store import labels, media, migrations
from cloud.store.database import open_database
from cloud.store.labels import FrameLabels


def database_of_0001(path: Path) -> Path:
    """Make a database as the first version left it, with one labelled frame of a video."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = f"sqlite:///{path}"
    command.upgrade(config, "0001")
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
