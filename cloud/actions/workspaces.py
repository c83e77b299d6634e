"""What people do with workspaces: list theirs, change into another, make and rename them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy import update

from cloud.accounts.caller import Caller
from cloud.accounts.roles import Role
from cloud.accounts.workspaces import HOME, workspace_name
from cloud.actions.accounts import account_of
from cloud.errors import DeniedError, InputError, NotFoundError
from cloud.store import accounts, audit, scope, workspaces
from cloud.store.account_tables import SessionRow
from cloud.store.database import Database
from cloud.store.workspace_tables import WorkspaceRow
from edge_agent.clock import Clock


@dataclass(frozen=True)
class Listed:
    """A workspace as one of its people sees it; `current`: what they see now is of it."""

    id: str
    name: str
    role: Role
    created: float
    current: bool


class WorkspaceDesk:
    """All that people can do with workspaces, on one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, caller: Caller) -> list[Listed]:
        """Return the workspaces that whoever asks is in, by name."""
        with self._database.read() as session:
            if caller.account_id is None:
                # By the server's token, or without accounts: an owner at home.
                found = [(workspaces.find(session, caller.workspace), caller.role)]
            else:
                rows = workspaces.of_account(session, caller.account_id)
                found = [(row, cast("Role", role)) for row, role in rows]
        return [_listed(row, role, caller) for row, role in found]

    def add(self, caller: Caller, name: str) -> Listed:
        """Make a workspace, and let whoever asks be its owner.

        Raises:
            DeniedError: They do not own the first workspace: a server is not filled by its guests.
            InputError: They have no account, or the name is none.
            ConflictError: Another one has its name.
        """
        if caller.workspace != HOME or caller.role != "owner":
            message = "new workspaces are made by the owners of the first one; ask one of them"
            raise DeniedError(message)
        account_id = account_of(caller)
        with self._database.write(durable=True) as session, scope.seeing(session, None):
            row = workspaces.add(session, name=workspace_name(name), now_s=self._now_s())
            accounts.join(session, accounts.find(session, account_id), row.id, "owner", now_s=self._now_s())
            audit.note(session, "workspace made", now_s=self._now_s(), who=caller.name, detail=row.name)
        return _listed(row, "owner", caller)

    def rename(self, caller: Caller, workspace_id: str, name: str) -> Listed:
        """Give the workspace another name that whoever asks is in now.

        Raises:
            NotFoundError: It is another one.
            InputError: The name is none.
            ConflictError: Another one has its name.
        """
        if workspace_id != caller.workspace:
            message = f"there is no workspace {workspace_id!r} that you are in now"
            raise NotFoundError(message)
        with self._database.write(durable=True) as session:
            row = workspaces.find(session, workspace_id)
            workspaces.rename(session, row, workspace_name(name))
            audit.note(session, "workspace renamed", now_s=self._now_s(), who=caller.name, detail=row.name)
        return _listed(row, caller.role, caller)

    def change_into(self, caller: Caller, workspace_id: str) -> Caller:
        """Let the session of whoever asks be in another workspace; return who they are there.

        Raises:
            NotFoundError: They are in no such workspace.
            InputError: They did not log in: an API token is of one workspace for good.
        """
        if caller.session is None:
            message = "only who logged in can change the workspace; an API token is of the one it was made in"
            raise InputError(message)
        with self._database.write(durable=True) as session, scope.seeing(session, None):
            role = accounts.role_in(session, account_of(caller), workspace_id)
            if role is None:
                message = f"there is no workspace {workspace_id!r} that you are in"
                raise NotFoundError(message)
            own = SessionRow.digest == caller.session
            session.execute(update(SessionRow).where(own).values(workspace_id=workspace_id))
        return Caller(role, caller.how, caller.name, caller.account_id, caller.session, workspace_id)

    def every(self) -> list[WorkspaceRow]:
        """Return all workspaces of the server, the oldest first: for whoever runs it."""
        with self._database.read() as session:
            return workspaces.every(session)

    def find(self, reference: str) -> WorkspaceRow:
        """Return any workspace of the server by id or name: for whoever runs it.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as session:
            return workspaces.find(session, reference)

    def make_for(self, owner: str, name: str) -> WorkspaceRow:
        """Make a workspace for somebody who has an account: for whoever runs the server.

        Raises:
            NotFoundError: Nobody has this name.
            InputError: The name is none.
            ConflictError: Another workspace has its name.
        """
        with self._database.write(durable=True) as session, scope.seeing(session, None):
            account = accounts.find(session, owner)
            row = workspaces.add(session, name=workspace_name(name), now_s=self._now_s())
            accounts.join(session, account, row.id, "owner", now_s=self._now_s())
            audit.note(
                session, "workspace made", now_s=self._now_s(), detail=f"{row.name} for {account.name}"
            )
            return row

    def call(self, reference: str, name: str) -> WorkspaceRow:
        """Give any workspace another name: for whoever runs the server.

        Raises:
            NotFoundError: There is none.
            InputError: The name is none.
            ConflictError: Another one has it.
        """
        with self._database.write(durable=True) as session, scope.seeing(session, None):
            row = workspaces.find(session, reference)
            workspaces.rename(session, row, workspace_name(name))
            return row

    def _now_s(self) -> float:
        return self._clock.now_s()


def _listed(row: WorkspaceRow, role: Role, caller: Caller) -> Listed:
    return Listed(row.id, row.name, role, row.created, row.id == caller.workspace)
