"""A database of its own for each home folder, in the PostgreSQL that a system test has started."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from cloud.store.database import open_database_url

SERVER = "ELFOWL_TEST_POSTGRES"
"""Names the server; without it, homes have SQLite."""

_TEMPLATE = "fresh"


def own_server() -> str | None:
    """Return the server's address, if there is one."""
    return os.environ.get(SERVER)


def own_database(folder: Path) -> str:
    """Return the address of a folder's database; it is made when there is none yet."""
    name = f"home_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    _make_template()
    _create(name, _TEMPLATE)
    return _address(name)


@cache
def _make_template() -> None:
    _create(_TEMPLATE, "template0")
    open_database_url(_address(_TEMPLATE)).close()


def _create(name: str, template: str) -> None:
    engine = create_engine(_address("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.scalar(known, {"name": name}) is None:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()


def _address(name: str) -> str:
    url = make_url(os.environ[SERVER]).set(database=name)
    return url.render_as_string(hide_password=False)
