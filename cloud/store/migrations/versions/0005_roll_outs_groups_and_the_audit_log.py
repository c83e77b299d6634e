"""Roll-outs, groups and labels of devices, devices that wait to be accepted, and what was done to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this step."""
    op.add_column("devices", sa.Column("group", sa.String(), nullable=True))
    op.add_column("devices", sa.Column("labels", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("enrolment_tokens", sa.Column("accepts", sa.Boolean(), nullable=False, server_default="1"))
    op.add_column("enrolment_tokens", sa.Column("group", sa.String(), nullable=True))
    op.create_table(
        "rollouts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rollouts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rollout_members",
        sa.Column("rollout", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout"],
            ["rollouts.number"],
            name=op.f("fk_rollout_members_rollout_rollouts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rollout", "place", name=op.f("pk_rollout_members")),
        sa.UniqueConstraint("rollout", "device", name=op.f("uq_rollout_members_rollout")),
    )
    op.create_index(op.f("ix_rollout_members_device"), "rollout_members", ["device"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("who", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)


def downgrade() -> None:
    """Take this step back."""
    op.drop_table("audit")
    op.drop_table("rollout_members")
    op.drop_table("rollouts")
    with op.batch_alter_table("enrolment_tokens", schema=None) as batch_op:
        batch_op.drop_column("group")
        batch_op.drop_column("accepts")
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.drop_column("labels")
        batch_op.drop_column("group")
