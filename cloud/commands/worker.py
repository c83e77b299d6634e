"""`elfowl-cloud worker`: a machine that watches streams beside a cloud elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from cloud.accounts.workspaces import within
from cloud.commands.options import Home, read_settings
from cloud.commands.terminal import interruptible
from edge_agent.errors import ConfigError


def worker(
    processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that watch; ELFOWL_STREAM_WORKERS, or 2.")
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Watch streams of the cloud whose database ELFOWL_DATABASE names, until told to stop."""
    settings = read_settings(home, stream_workers=processes)
    if settings.database is None or settings.object_store is None:
        message = (
            "a worker shares the cloud's tables and detectors: "
            "set ELFOWL_DATABASE to its PostgreSQL, ELFOWL_OBJECT_STORE to its bucket"
        )
        raise ConfigError(message)
    from cloud.actions.open_home import open_home
    from cloud.streams.pool import StreamPool

    opened = open_home(settings)
    pool = StreamPool(settings, opened.database, opened.clock)
    # Streams of all workspaces are watched.
    with within(None):
        pool.start()
    with interruptible() as told_to_stop:
        typer.echo(f"watching with {settings.stream_workers} processes, once there is a stream", err=True)
        told_to_stop.wait()
    pool.stop()
    opened.database.close()
