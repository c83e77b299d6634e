"""Tells whose something is that comes by itself: news, corrections of cameras, pictures to be looked at."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME, within
from cloud.errors import NotFoundError
from cloud.store import scope, sources
from cloud.store.database import Database
from cloud.store.tables import Detector, Job, StoredCorrection
from edge_agent.errors import StorageError

_LOG = logging.getLogger(__name__)


def owner_of_news(database: Database, news: dict[str, Any]) -> str | None:
    """Return of which workspace news of `cloud.ingest.live` are; none: nobody can tell."""
    try:
        with within(None), database.read() as session:
            return _owner_of(session, news) if scope.is_shared(session) else HOME
    except StorageError as error:
        # What is told was stored before; nobody waits for these words but open pages.
        _LOG.warning("news that nobody hears, for the database cannot be read: %s", error)
        return None


def owner_of_device(database: Database, name: str) -> str:
    """Return whose a device is."""
    with within(None), database.read() as session:
        return sources.owner_of_device(session, name)


def refuse_foreign_detector(database: Database, device: str, detector_id: str) -> None:
    """Refuse that a device asks a detector of another workspace.

    Raises:
        NotFoundError: It is another's; said as if there was none.
    """
    with within(None), database.read() as session:
        if not scope.is_shared(session):
            return
        owner = sources.owner_of_row(session, Detector, detector_id)
        if owner is None or owner == sources.owner_of_device(session, device):
            return
    message = f"this cloud has no trained detector in {detector_id}"
    raise NotFoundError(message)


def _owner_of(session: Session, news: dict[str, Any]) -> str | None:
    kind = news.get("type")
    if kind == "event":
        return sources.owner_of(session, str(news["event"]["device"]), str(news["event"]["camera"]))
    if kind in {"device", "stats", "key_frame"}:
        return sources.owner_of_device(session, str(news["device"]))
    if kind == "correction":
        return sources.owner_of_row(session, StoredCorrection, str(news["correction"]["id"]))
    if kind == "job":
        return sources.owner_of_row(session, Job, str(news["job"]["id"]))
    if kind == "teaching":
        return sources.owner_of_row(session, Detector, str(news["teaching"]["detector_id"]))
    return str(news["workspace"]) if "workspace" in news else None
