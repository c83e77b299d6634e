"""`path` of a video is its playback copy from now on; what was uploaded lies at `original_path`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    # Renamed in place: a table made anew would take along what refers to it.
    op.execute("ALTER TABLE media RENAME COLUMN playback_path TO original_path")
    op.add_column("media", sa.Column("shown", sa.JSON(), nullable=True))
