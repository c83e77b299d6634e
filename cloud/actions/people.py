"""What owners do with the accounts of a workspace: add, invite, change, remove."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cloud.accounts.names import account_name
from cloud.accounts.passwords import USUAL, Cost, hash_password, refuse_weak
from cloud.accounts.roles import Role
from cloud.accounts.workspaces import HOME, current
from cloud.errors import DeniedError, InputError, NotFoundError
from cloud.store import accounts, audit, scope
from cloud.store.account_tables import AccountRow
from cloud.store.accounts import Member
from cloud.store.database import Database
from edge_agent.clock import Clock


class PeopleDesk:
    """The accounts of the workspace of the scope; outside of every scope: home's.

    Passwords are checked outside of transactions: that takes long, and nobody else shall wait for it.
    """

    def __init__(self, database: Database, clock: Clock, cost: Cost = USUAL) -> None:
        self._database = database
        self._clock = clock
        self._cost = cost

    def every(self) -> list[Member]:
        """Return all accounts of the workspace by name."""
        with self._database.read() as session:
            return accounts.members(session, _workspace())

    def find(self, reference: str) -> Member:
        """Return an account of the workspace by its id or name.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as session:
            return accounts.find_member(session, reference, _workspace())

    def add(self, name: str, role: Role, password: str, who: str | None) -> Member:
        """Add an account to the workspace.

        Raises:
            ConflictError: Somebody has this name.
            InputError: The name is none, or the password weak.
        """
        name = account_name(name)
        refuse_weak(password, name)
        kept = hash_password(password, self._cost)
        with self._database.write(durable=True) as session:
            if role != "owner" and not accounts.members(session, _workspace()):
                message = "the first account has to be an owner"
                raise InputError(message)
            row = accounts.add(
                session,
                name=name,
                role=role,
                password_hash=kept,
                now_s=self._now_s(),
                workspace_id=_workspace(),
            )
            self._note(session, "account added", who, f"{row.name} as {role}")
            return row

    def invite(self, name: str, role: Role, who: str | None) -> Member:
        """Let somebody who has an account into the workspace too.

        Raises:
            NotFoundError: Nobody has this name.
            ConflictError: They are in it already.
        """
        with self._database.write(durable=True) as session, scope.seeing(session, None):
            found = accounts.find_by_name(session, name)
            if found is None:
                message = f"there is no account {name!r}; add one"
                raise NotFoundError(message)
            row = accounts.join(session, found, _workspace(), role, now_s=self._now_s())
            self._note(session, "account invited", who, f"{row.name} as {role}", _workspace())
            return row

    def change_role(self, reference: str, role: Role, who: str | None) -> Member:
        """Give an account another role in the workspace, from its next request on.

        Raises:
            NotFoundError: There is no such account.
            InputError: It is the last owner.
        """
        with self._database.write(durable=True) as session:
            row = accounts.find_member(session, reference, _workspace())
            accounts.change_role(session, row, role)
            self._note(session, "role changed", who, f"{row.name} is {role}")
            return row

    def reset_password(self, reference: str, password: str, who: str | None) -> Member:
        """Give an account another password; all its sessions end.

        Raises:
            NotFoundError: There is no such account.
            InputError: The password is weak.
            DeniedError: It is in another workspace too: who owns one has no say in the other.
        """
        with self._database.read() as session:
            row = accounts.find_member(session, reference, _workspace())
            with scope.seeing(session, None):
                is_elsewhere = len(accounts.memberships_of(session, row.id)) > 1
        if is_elsewhere:
            message = (
                f"{row.name!r} is in other workspaces too, and changes the password alone (page Settings)"
            )
            raise DeniedError(message)
        self._set_password(row.account, password, but=None, who=who)
        return row

    def set_any_password(self, reference: str, password: str) -> str:
        """Give any account of the server another password, and return its name: for whoever runs the server.

        Raises:
            NotFoundError: There is no such account.
            InputError: The password is weak.
        """
        with self._database.read() as session, scope.seeing(session, None):
            row = accounts.find(session, reference)
        self._set_password(row, password, but=None, who=None)
        return row.name

    def remove(self, reference: str, who: str | None) -> None:
        """Take an account out of the workspace; who is in no other one is gone, with sessions and tokens.

        Raises:
            NotFoundError: There is no such account.
            InputError: It is the last owner.
        """
        with self._database.write(durable=True) as session:
            row = accounts.find_member(session, reference, _workspace())
            accounts.remove(session, row)
            self._note(session, "account removed", who, row.name)

    def _set_password(self, row: AccountRow, password: str, *, but: str | None, who: str | None) -> None:
        refuse_weak(password, row.name)
        kept = hash_password(password, self._cost)
        with self._database.write(durable=True) as session:
            accounts.find(session, row.id).password_hash = kept
            accounts.end_sessions(session, row.id, but=but)
            self._note(session, "password changed", who, f"of {row.name}")

    def _note(
        self,
        session: Session,
        what: str,
        who: str | None,
        detail: str = "",
        workspace_id: str | None = None,
    ) -> None:
        audit.note(session, what, now_s=self._now_s(), who=who, detail=detail, workspace_id=workspace_id)

    def _now_s(self) -> float:
        return self._clock.now_s()


def _workspace() -> str:
    return current() or HOME
