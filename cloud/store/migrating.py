"""Brings the tables of an older elfowl up to date, or makes them; loaded only where that is to be done."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Executable, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

_LOG = logging.getLogger(__name__)
_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str, turn: Executable) -> None:
    """Take all steps that a database has not yet taken; in PostgreSQL `turn` waits until nobody else does."""
    with ExitStack() as stack:
        if make_url(url).get_backend_name() == "postgresql":
            # Several machines may start at once: one makes the tables, the others find them made.
            engine = create_engine(url)
            stack.callback(engine.dispose)
            stack.enter_context(engine.begin()).execute(turn)
        _upgrade(url)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(url: str) -> None:
    config = _config()
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except OperationalError as error:
        # Another process may have been faster with the very same step.
        if "already exists" not in str(error.orig):
            raise
        _LOG.info("tables were made by another process meanwhile")
        command.upgrade(config, "head")
