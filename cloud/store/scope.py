"""Whose rows a session sees: decided in one place, so that no query can forget it.

The door opens a scope for each request; every session of `cloud.store.database` that begins within it sees
what that workspace has, and nothing else: `cloud.store.apart` has the condition of each table, and SQLAlchemy
puts it to each statement, whoever wrote it. What is added belongs to that workspace. Outside of every scope
(broker, roll-outs, streams: what works for the whole server) a session sees all, and what it adds inherits.

As long as there is but one workspace, no statement gets a condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, event, literal, select
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from cloud.accounts.workspaces import HOME, current
from cloud.errors import NotFoundError
from cloud.store.apart import loader_criteria
from cloud.store.owned import Owned
from cloud.store.tables import Base
from cloud.store.workspace_tables import WorkspaceRow

WITH_CONDITION: Final = {"elfowl_with_condition": True}
"""Execution options of a statement on bare tables that has the condition by itself, or asks for no rows."""

_WORKSPACE: Final = "elfowl_workspace"
_IS_SHARED: Final = "elfowl_is_shared"
_OTHERS = select(literal(1)).where(WorkspaceRow.__table__.c.id != HOME).limit(1)


class ScopedSession(Session):
    """A session that sees what the workspace of its scope has."""

    def connection(self, *args: Any, **options: Any) -> Connection:  # noqa: ANN401 - as `Session` has it
        """Return the connection, by which nothing is kept apart: only where all is seen.

        Raises:
            RuntimeError: There is something to keep apart.
        """
        if narrowed(self) is not None:
            message = "a bare connection would see all workspaces; ask by the tables' classes"
            raise RuntimeError(message)
        return super().connection(*args, **options)


def open_session(bind: Any) -> ScopedSession:  # noqa: ANN401 - an engine, or one with options
    """Return a session of the current scope."""
    return ScopedSession(bind, expire_on_commit=False, info={_WORKSPACE: current()})


def workspace_of(session: Session) -> str | None:
    """Return whose rows a session sees; none: all."""
    found: str | None = session.info.get(_WORKSPACE)
    return found


def narrowed(session: Session) -> str | None:
    """Return whose rows a session sees, none when there is nothing that it does not see."""
    workspace_id = workspace_of(session)
    if workspace_id is None:
        return None
    return workspace_id if is_shared(session) else None


def is_shared(session: Session) -> bool:
    """Return whether there is more than one workspace."""
    if _IS_SHARED not in session.info:
        # Not remembered for longer: another process may make a workspace at any time.
        found = Session.connection(session).execute(_OTHERS).first()
        session.info[_IS_SHARED] = found is not None
    return bool(session.info[_IS_SHARED])


@contextmanager
def seeing(session: Session, workspace_id: str | None) -> Iterator[None]:
    """Let a session see another workspace for a while, or all; what was added before is stored before."""
    before = workspace_of(session)
    session.flush()
    session.info[_WORKSPACE] = workspace_id
    try:
        yield
        session.flush()
    finally:
        session.info[_WORKSPACE] = before


def inherited(session: Session, kind: type[Owned], key: object) -> str:
    """Return whose a thing that is added is: the session's, else the one of what it hangs on, else home's."""
    workspace_id = workspace_of(session)
    if workspace_id is not None:
        return workspace_id
    row = None if key is None else session.get(kind, key)
    return HOME if row is None else row.workspace_id


def refuse_foreign(session: Session, kind: type[Base], key: object) -> None:
    """Refuse what belongs to another workspace; what does not exist at all is none of this function's.

    Raises:
        NotFoundError: It is another's.
    """
    if narrowed(session) is None or session.get(kind, key) is not None:
        return
    with seeing(session, None):
        is_there = session.get(kind, key)
    if is_there is not None:
        session.expunge(is_there)
        message = f"there is no {key!r}"
        raise NotFoundError(message)


@event.listens_for(ScopedSession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    workspace_id = narrowed(state.session)
    if workspace_id is None or state.is_insert or state.is_column_load:
        return
    if not state.is_orm_statement:
        if WITH_CONDITION.items() <= state.execution_options.items():
            return
        message = "a statement on bare tables would see all workspaces; see cloud.store.scope"
        raise RuntimeError(message)
    state.statement = state.statement.options(*loader_criteria(workspace_id, is_delete=state.is_delete))


@event.listens_for(ScopedSession, "before_flush")
def _stamp(session: Session, _context: UOWTransaction, _instances: object) -> None:
    workspace_id = workspace_of(session)
    if workspace_id is None:
        return
    for row in session.new:
        if isinstance(row, Owned) and row.workspace_id is None:
            row.workspace_id = workspace_id
