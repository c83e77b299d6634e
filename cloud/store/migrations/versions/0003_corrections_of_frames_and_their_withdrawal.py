"""Corrections of frames of media, and their withdrawal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column("corrections", sa.Column("media_id", sa.String(), nullable=True))
    op.add_column("corrections", sa.Column("withdrawn", sa.Double(), nullable=True))
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_corrections_media_id"), ["media_id"], unique=False)


def downgrade() -> None:
    """Take this step back."""
    with op.batch_alter_table("corrections", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_corrections_media_id"))
        batch_op.drop_column("withdrawn")
        batch_op.drop_column("media_id")
