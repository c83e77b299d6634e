"""The home folder, opened: what every command and process begins with."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.settings import Settings
from cloud.store.database import Database, make_folder, open_database, open_database_url
from cloud.subnets.registry import look_in
from edge_agent.clock import Clock, SystemClock


@dataclass(frozen=True)
class Home:
    """Settings, database and clock of one home folder."""

    settings: Settings
    database: Database
    clock: Clock


def open_home(settings: Settings, clock: Clock | None = None) -> Home:
    """Open a home folder; it is made when it is not there.

    Raises:
        StorageError: The folder cannot be written, or the database is damaged or cannot be reached.
    """
    look_in(settings.home)
    return Home(settings, _open_database(settings), clock or SystemClock())


def _open_database(settings: Settings) -> Database:
    if settings.database is None:
        return open_database(settings.database_path)
    make_folder(settings.home)
    return open_database_url(settings.database_url)
