"""Queries about workspaces themselves; they ask past every scope, and say of whom."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, NotFoundError
from cloud.store import scope
from cloud.store.ids import new_id
from cloud.store.workspace_tables import MembershipRow, WorkspaceRow


def every(session: Session) -> list[WorkspaceRow]:
    """Return all workspaces of the server, the oldest first: for whoever runs it."""
    with scope.seeing(session, None):
        return list(session.scalars(select(WorkspaceRow).order_by(WorkspaceRow.created, WorkspaceRow.id)))


def of_account(session: Session, account_id: str) -> list[tuple[WorkspaceRow, str]]:
    """Return the workspaces that an account is in with its role there, by name."""
    joined = select(WorkspaceRow, MembershipRow.role).join(
        MembershipRow, MembershipRow.workspace_id == WorkspaceRow.id
    )
    own = joined.where(MembershipRow.account_id == account_id)
    with scope.seeing(session, None):
        return [
            (row, role) for row, role in session.execute(own.order_by(WorkspaceRow.name, WorkspaceRow.id))
        ]


def find(session: Session, reference: str) -> WorkspaceRow:
    """Return a workspace by its id or name.

    Raises:
        NotFoundError: There is none.
    """
    wanted = (WorkspaceRow.id == reference) | (WorkspaceRow.name == reference)
    with scope.seeing(session, None):
        row = session.scalar(select(WorkspaceRow).where(wanted).order_by(WorkspaceRow.id != reference))
    if row is None:
        message = f"there is no workspace {reference!r}; `elfowl-cloud workspace list` shows all"
        raise NotFoundError(message)
    return row


def add(session: Session, *, name: str, now_s: float) -> WorkspaceRow:
    """Make a workspace in which nobody is yet.

    Raises:
        ConflictError: Another one has its name.
    """
    _refuse_taken(session, name)
    row = WorkspaceRow(id=new_id("ws"), name=name, created=now_s)
    session.add(row)
    session.flush()
    return row


def rename(session: Session, row: WorkspaceRow, name: str) -> None:
    """Give a workspace another name.

    Raises:
        ConflictError: Another one has it.
    """
    if row.name != name:
        _refuse_taken(session, name)
        row.name = name


def _refuse_taken(session: Session, name: str) -> None:
    with scope.seeing(session, None):
        known = session.scalar(select(WorkspaceRow.id).where(WorkspaceRow.name == name))
    if known is not None:
        message = f"there is a workspace {name!r} already; take another name"
        raise ConflictError(message)
