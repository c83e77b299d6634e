"""Run by alembic: applies the steps to the database named by the caller."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from cloud.store import (  # noqa: F401 - their tables count too
    account_tables,
    aged_tables,
    alert_tables,
    rollout_tables,
    scan_tables,
    search_tables,
    stream_tables,
    workspace_tables,
)
from cloud.store.tables import Base


def _run() -> None:
    engine = create_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


_run()
