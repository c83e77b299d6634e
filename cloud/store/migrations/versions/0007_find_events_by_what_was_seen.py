"""Indices for searches over events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LONG = sa.text("frame_time - start_time > 120")


def upgrade() -> None:
    """Apply this step."""
    covering = ["label", "start_time", "camera", "device", "event_id", "frame_time"]
    op.create_index("ix_event_states_label", "event_states", covering)
    covering = ["device", "camera", "label", "start_time", "frame_time", "event_id"]
    op.create_index("ix_event_states_camera", "event_states", covering)
    covering = ["label", "frame_time", "start_time", "camera", "device", "event_id"]
    _create_long("ix_event_states_long", covering)
    covering = ["device", "camera", "label", "frame_time", "start_time", "event_id"]
    _create_long("ix_event_states_camera_long", covering)


def downgrade() -> None:
    """Take this step back."""
    for name in ("camera_long", "long", "camera", "label"):
        op.drop_index(f"ix_event_states_{name}", "event_states")


def _create_long(name: str, columns: list[str]) -> None:
    op.create_index(name, "event_states", columns, sqlite_where=_LONG, postgresql_where=_LONG)
