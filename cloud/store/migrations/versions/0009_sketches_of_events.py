"""Indices for searches hold about where an event was and how long it lasted: few documents are read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LONG = sa.text("lasts > 0")
_WAS_LONG = sa.text("frame_time - start_time > 120")
_CLASSES = (
    "UPDATE event_states SET lasts = CASE WHEN frame_time - start_time > 86400 THEN 3"
    " WHEN frame_time - start_time > 3600 THEN 2 ELSE 1 END"
    " WHERE frame_time - start_time > 120"
)
_NAMES = ("camera_long", "long", "camera", "label")


def upgrade() -> None:
    """Apply this step; events from before it have no sketch: searches read their documents."""
    op.add_column(
        "event_states", sa.Column("lasts", sa.SmallInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("event_states", sa.Column("sketch", sa.BigInteger(), nullable=True))
    op.execute(_CLASSES)
    _drop()
    _create("label", ["label", "start_time", "camera", "device", "event_id", "frame_time", "sketch"])
    _create("camera", ["device", "camera", "label", "start_time", "frame_time", "event_id", "sketch"])
    long = ["lasts", "start_time", "frame_time"]
    _create("long", ["label", *long, "camera", "device", "event_id", "sketch"], _LONG)
    _create("camera_long", ["device", "camera", "label", *long, "event_id", "sketch"], _LONG)


def downgrade() -> None:
    """Take this step back."""
    _drop()
    for name in ("sketch", "lasts"):
        op.drop_column("event_states", name)
    _create("label", ["label", "start_time", "camera", "device", "event_id", "frame_time"])
    _create("camera", ["device", "camera", "label", "start_time", "frame_time", "event_id"])
    _create("long", ["label", "frame_time", "start_time", "camera", "device", "event_id"], _WAS_LONG)
    was = ["device", "camera", "label", "frame_time", "start_time", "event_id"]
    _create("camera_long", was, _WAS_LONG)


def _drop() -> None:
    for name in _NAMES:
        op.drop_index(f"ix_event_states_{name}", "event_states")


def _create(name: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(
        f"ix_event_states_{name}", "event_states", columns, sqlite_where=where, postgresql_where=where
    )
