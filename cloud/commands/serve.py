"""Runs the server until it is told to stop."""

from __future__ import annotations

import logging

import uvicorn

from cloud.app import create_app
from cloud.ingest.broker import refuse_taken
from cloud.settings import Settings
from edge_agent.errors import ElfowlError

_SHUTDOWN_S = 5


class _OneClearLine(logging.Filter):
    """Keeps the server from printing the trace of an error that is told in one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to print a record."""
        return "Traceback (most recent call last)" not in record.getMessage()


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError: A port is taken, or a setting is wrong.
        StorageError: The home folder cannot be used.
    """
    app = create_app(settings)
    refuse_taken(settings.host, settings.port, "choose another with --port, or stop what listens there")
    logging.getLogger("uvicorn.error").addFilter(_OneClearLine())
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    server = uvicorn.Server(config)
    try:
        server.run()
    except SystemExit:
        # Not started: why is told below, in one line.
        if getattr(app.state, "failure", None) is None:
            raise
    failure: ElfowlError | None = getattr(app.state, "failure", None)
    if failure is not None:
        raise failure
