"""Workspaces: all that there is becomes the one called home, and everybody keeps their role in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_OWNED = (
    "alert_messages", "api_tokens", "audit", "corrections", "devices", "enrolment_tokens", "jobs", "rollouts",
    "sessions", "streams",
)  # fmt: skip
_NAMED_WITHIN = (
    ("alert_rules", "name"),
    ("detectors", "name"),
    ("recordings", "sha256"),
    ("saved_searches", "name"),
)


def upgrade() -> None:
    """Apply this step."""
    if op.get_bind().dialect.name == "sqlite":
        # All or nothing: tables are copied, and whoever is killed meanwhile begins again.
        op.execute("BEGIN IMMEDIATE")
    op.create_table(
        "workspaces",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
    )
    op.execute("INSERT INTO workspaces (id, name, created) VALUES ('home', 'home', 0)")
    _make_memberships()
    _make_sources()
    for table in _OWNED:
        op.add_column(table, _workspace_id())
    for table, column in _NAMED_WITHIN:
        with op.batch_alter_table(table) as batch:
            batch.add_column(_workspace_id())
            batch.drop_constraint(op.f(f"uq_{table}_{column}"), type_="unique")
            batch.create_unique_constraint(op.f(f"uq_{table}_workspace_id"), ["workspace_id", column])


def _workspace_id() -> sa.Column[str]:
    return sa.Column("workspace_id", sa.String(), nullable=False, server_default="home")


def _make_memberships() -> None:
    op.create_table(
        "memberships",
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_memberships_{column}_{table}"), ondelete="CASCADE"
            )
            for column, table in (("account_id", "accounts"), ("workspace_id", "workspaces"))
        ),
        sa.PrimaryKeyConstraint("account_id", "workspace_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_workspace_id"), "memberships", ["workspace_id"])
    op.execute(
        "INSERT INTO memberships (account_id, workspace_id, role, created)"
        " SELECT id, 'home', role, created FROM accounts"
    )
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("role")


def _make_sources() -> None:
    op.create_table(
        "event_sources",
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("camera", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_event_sources_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("device", "camera", name=op.f("pk_event_sources")),
    )
    op.create_index(op.f("ix_event_sources_workspace_id"), "event_sources", ["workspace_id"])
    for chosen in (
        "SELECT name, '', 'home' FROM devices",
        "SELECT 'cloud-stream', name, 'home' FROM streams",
        "SELECT 'scan', camera, 'home' FROM recordings",
    ):
        op.execute(f"INSERT INTO event_sources (device, camera, workspace_id) {chosen}")


def downgrade() -> None:
    """Take this step back; only what is home's may be there, for names would meet."""
    for table, column in _NAMED_WITHIN:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"uq_{table}_workspace_id"), type_="unique")
            batch.create_unique_constraint(op.f(f"uq_{table}_{column}"), [column])
            batch.drop_column("workspace_id")
    for table in _OWNED:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("workspace_id")
    op.drop_table("event_sources")
    op.add_column("accounts", sa.Column("role", sa.String(), nullable=False, server_default="viewer"))
    op.execute(
        "UPDATE accounts SET role = coalesce((SELECT role FROM memberships"
        " WHERE account_id = accounts.id AND workspace_id = 'home'), 'viewer')"
    )
    op.drop_table("memberships")
    op.drop_table("workspaces")
