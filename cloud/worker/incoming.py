"""Makes files ready that came in over the web: playback copies, whole imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloud.actions.imports import ImportOrder, ImportStoppedError, import_files
from cloud.actions.media import make_ready, set_facts
from cloud.actions.open_home import Home
from cloud.errors import InputError
from cloud.store import media
from cloud.store.files import remove_tree
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody


def prepare(
    home: Home, media_id: str, *, progress: Listener = to_nobody, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Make the playback copy of an uploaded video, and let it count as ready.

    Raises:
        NotFoundError: It was removed meanwhile.
        InputError: It is damaged; the medium says so from now on.
        ImportStoppedError: `cancelled` said so.
    """

    def share(done: float) -> None:
        if cancelled():
            message = "preparing the video was cancelled; upload it again to use it"
            raise ImportStoppedError(message)
        progress(Progress("preparing", done, "Preparing the video"))

    with home.database.read() as session:
        row = media.find(session, media_id)
    if row.state == "ready":
        return {"media": media_id, "frames": row.frame_count}
    try:
        facts = make_ready(home.settings.home / row.path, share)
    except (InputError, ImportStoppedError) as error:
        with home.database.write(durable=True) as session:
            broken = media.find(session, media_id)
            broken.state, broken.reason = "broken", str(error)
        raise
    with home.database.write(durable=True) as session:
        set_facts(home.settings, media.find(session, media_id), facts)
    return {"media": media_id, "frames": facts.frame_count}


def take_in(
    home: Home, job: dict[str, Any], *, progress: Listener = to_nobody, cancelled: Cancelled = never
) -> dict[str, Any]:
    """Take in uploaded files; what was uploaded goes, also when that fails.

    Raises:
        InputError: Nothing of it is any good.
        StorageError: The disk is full.
        ImportStoppedError: `cancelled` said so.
    """
    folder = home.settings.home / job["folder"]
    order = ImportOrder(
        job["detector_id"],
        tuple(Path(path) for path in sorted(folder.glob("*/*"))),
        job["role"],
        folders_are_classes=job["folders_are_classes"],
    )
    try:
        report = import_files(
            home,
            order,
            lambda share, name: progress(Progress("importing", share, f"Reading {name}")),
            cancelled,
        )
    finally:
        remove_tree(folder)
    return report.to_json()
