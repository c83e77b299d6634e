"""Runs the server until it is told to stop."""

from __future__ import annotations

import logging
import socket
from typing import cast

import typer
import uvicorn
from fastapi import FastAPI

from cloud.actions.accounts import AccountDesk
from cloud.api.bounded_http import BoundedHttp
from cloud.api.guard import is_loopback
from cloud.api.services import Services
from cloud.app import create_app
from cloud.settings import Settings
from cloud.streams.pool import StreamPool
from edge_agent.errors import ElfowlError

_SHUTDOWN_S = 5


class _OneClearLine(logging.Filter):
    """Keeps the server from printing the trace of an error that is told in one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to print a record."""
        text = record.getMessage()
        return "Traceback (most recent call last)" not in text and "startup failed" not in text


class _Server(uvicorn.Server):
    """Says where it is, once it is there."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self.started:
            where = f"http://{self._settings.host}:{self._settings.port}/"
            typer.echo(f"elfowl is at {where}  (data in {self._settings.home})", err=True)
            app = cast("FastAPI", self.config.app)
            services: Services = app.state.services
            for line in first_start_lines(self._settings, services.people):
                typer.echo(line, err=True)


def first_start_lines(settings: Settings, people: AccountDesk) -> list[str]:
    """Return what to do as long as nobody has an account; nothing once somebody has one."""
    if settings.accounts == "off" or people.is_set_up():
        return []
    if is_loopback(settings.host):
        return ["first start: open it in a browser and choose a password (--accounts off: none is needed)"]
    return [f"first start: open it in a browser and make the owner's account; setup code {people.setup_code}"]


def prepare_routes(app: FastAPI) -> None:
    """Build the routes now: the framework does it once a request comes by, and that one would wait."""
    nowhere = {"type": "http", "method": "GET", "path": "/-", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(nowhere)


def serve(settings: Settings, watching: StreamPool) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: Where things are, and on which ports.
        watching: What watches streams.

    Raises:
        ConfigError: A port is taken, or a setting is wrong.
        StorageError: The home folder cannot be used.
    """
    app = create_app(settings, watching=watching)
    prepare_routes(app)
    logging.getLogger("uvicorn.error").addFilter(_OneClearLine())
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=BoundedHttp,
        log_level="warning",
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    server = _Server(config, settings)
    try:
        server.run()
    except SystemExit:
        # Not started: why is told below, in one line.
        if getattr(app.state, "failure", None) is None:
            raise
    failure: ElfowlError | None = getattr(app.state, "failure", None)
    if failure is not None:
        raise failure
