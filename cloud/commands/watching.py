"""Begins to watch streams before the server is there: its own libraries take as long to load as theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloud.actions.open_home import open_home
from cloud.engine.engine import choose_engine
from cloud.ingest.broker import refuse_taken
from cloud.settings import Settings
from cloud.streams.pool import StreamPool


@contextmanager
def watching(settings: Settings) -> Iterator[StreamPool]:
    """Have streams watched while the block runs, once there are any.

    Raises:
        ConfigError: Another server runs with these settings.
        StorageError: The home folder cannot be used.
    """
    refuse_taken(settings.host, settings.port, "choose another with --port, or stop what listens there")
    home = open_home(settings)
    pool = choose_engine(settings).stream_pool(home.database, home.clock)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()
        home.database.close()
