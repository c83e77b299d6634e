"""Streams that the cloud watches, who holds them, and when nobody did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "streams",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("detectors", sa.JSON(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint("name", name=op.f("uq_streams_name")),
    )
    op.create_table(
        "stream_leases",
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("token", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("taken", "beat", "watched")),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Double(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        _belongs_to_stream("stream_leases"),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_stream_leases")),
    )
    op.create_table(
        "stream_workers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("beat", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_workers")),
    )
    op.create_table(
        "stream_gaps",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        _belongs_to_stream("stream_gaps"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_gaps")),
    )
    op.create_index("ix_stream_gaps_stream_id", "stream_gaps", ["stream_id", "began"])


def downgrade() -> None:
    """Take this step back."""
    for table in ("stream_gaps", "stream_workers", "stream_leases", "streams"):
        op.drop_table(table)


def _belongs_to_stream(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["stream_id"], ["streams.id"], name=op.f(f"fk_{table}_stream_id_streams"), ondelete="CASCADE"
    )
