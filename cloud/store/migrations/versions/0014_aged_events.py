"""Files of old events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "aged_files",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("first_start", "last_start", "created")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aged_files")),
    )


def downgrade() -> None:
    """Take this step back."""
    op.drop_table("aged_files")
