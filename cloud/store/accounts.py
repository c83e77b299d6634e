"""Accounts, their sessions and API tokens in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from cloud.accounts.names import account_key
from cloud.accounts.roles import Role
from cloud.accounts.workspaces import HOME
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.store import scope
from cloud.store.account_tables import AccountRow, ApiTokenRow, SessionRow
from cloud.store.ids import new_id
from cloud.store.workspace_tables import MembershipRow


@dataclass(frozen=True)
class Member:
    """An account as one workspace knows it."""

    account: AccountRow
    membership: MembershipRow

    @property
    def id(self) -> str:
        """Return the id of the account."""
        return self.account.id

    @property
    def name(self) -> str:
        """Return the name of the person."""
        return self.account.name

    @property
    def role(self) -> Role:
        """Return what it may do here."""
        return cast("Role", self.membership.role)

    @property
    def created(self) -> float:
        """Return when the account was made."""
        return self.account.created

    @property
    def last_login(self) -> float | None:
        """Return when the person logged in last."""
        return self.account.last_login


def any_account(session: Session) -> bool:
    """Return whether there is an account, in whichever workspace."""
    with scope.seeing(session, None):
        return session.scalar(select(AccountRow.id).limit(1)) is not None


def members(session: Session, workspace_id: str) -> list[Member]:
    """Return the accounts of a workspace by name."""
    rows = session.execute(_members(workspace_id).order_by(AccountRow.key))
    return [Member(account, membership) for account, membership in rows]


def find_member(session: Session, reference: str, workspace_id: str) -> Member:
    """Return an account of a workspace by its id or name.

    Raises:
        NotFoundError: There is none in it.
    """
    wanted = or_(AccountRow.id == reference, AccountRow.key == account_key(reference))
    row = session.execute(_members(workspace_id).where(wanted)).first()
    if row is None:
        message = f"there is no account {reference!r}"
        raise NotFoundError(message)
    return Member(row[0], row[1])


def memberships_of(session: Session, account_id: str) -> list[MembershipRow]:
    """Return the workspaces that an account is in, home first, then by when it came."""
    query = select(MembershipRow).where(MembershipRow.account_id == account_id)
    rows = session.scalars(query.order_by(MembershipRow.created, MembershipRow.workspace_id)).all()
    return sorted(rows, key=lambda row: row.workspace_id != HOME)


def role_in(session: Session, account_id: str, workspace_id: str) -> Role | None:
    """Return what an account may do in a workspace; none when it is not in it."""
    row = session.get(MembershipRow, (account_id, workspace_id))
    return None if row is None else cast("Role", row.role)


def find(session: Session, reference: str) -> AccountRow:
    """Return an account by its id or name.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(AccountRow, reference) or find_by_name(session, reference)
    if row is None:
        message = f"there is no account {reference!r}"
        raise NotFoundError(message)
    return row


def find_by_name(session: Session, name: str) -> AccountRow | None:
    """Return the account of a name, whatever its case."""
    return session.scalar(select(AccountRow).where(AccountRow.key == account_key(name)))


def add(
    session: Session, *, name: str, role: Role, password_hash: str, now_s: float, workspace_id: str = HOME
) -> Member:
    """Add an account to a workspace.

    Raises:
        ConflictError: Somebody has this name.
    """
    with scope.seeing(session, None):
        if find_by_name(session, name) is not None:
            message = f"there is an account {name!r} already; take another name"
            raise ConflictError(message)
        row = AccountRow(
            id=new_id("acc"),
            name=name,
            key=account_key(name),
            password_hash=password_hash,
            created=now_s,
            last_login=None,
        )
        session.add(row)
        session.flush()
        return join(session, row, workspace_id, role, now_s=now_s)


def join(session: Session, row: AccountRow, workspace_id: str, role: Role, *, now_s: float) -> Member:
    """Let an account into a workspace.

    Raises:
        ConflictError: It is in it already.
    """
    if role_in(session, row.id, workspace_id) is not None:
        message = f"{row.name!r} is in this workspace already"
        raise ConflictError(message)
    membership = MembershipRow(account_id=row.id, workspace_id=workspace_id, role=role, created=now_s)
    session.add(membership)
    session.flush()
    return Member(row, membership)


def change_role(session: Session, member: Member, role: Role) -> None:
    """Give an account another role in a workspace.

    Raises:
        InputError: It is the last owner.
    """
    if role != "owner":
        _refuse_last_owner(session, member)
    member.membership.role = role


def remove(session: Session, member: Member) -> None:
    """Take an account out of a workspace; with the last one, it ends, and its sessions and tokens too.

    Raises:
        InputError: It is the last owner.
    """
    _refuse_last_owner(session, member)
    workspace_id = member.membership.workspace_id
    with scope.seeing(session, None):
        if len(memberships_of(session, member.id)) == 1:
            session.delete(member.account)
            return
        session.delete(member.membership)
        own = (SessionRow, ApiTokenRow)
        for table in own:
            here = (table.account_id == member.id, table.workspace_id == workspace_id)
            session.execute(delete(table).where(*here))


def _members(workspace_id: str) -> Select[AccountRow, MembershipRow]:
    joined = select(AccountRow, MembershipRow).join(MembershipRow, MembershipRow.account_id == AccountRow.id)
    return joined.where(MembershipRow.workspace_id == workspace_id)


def _refuse_last_owner(session: Session, member: Member) -> None:
    here = MembershipRow.workspace_id == member.membership.workspace_id
    owners = session.scalar(select(func.count()).where(here, MembershipRow.role == "owner"))
    if member.role == "owner" and owners == 1:
        message = f"{member.name!r} is the only owner; make somebody else an owner first"
        raise InputError(message)


def find_session(session: Session, digest: str) -> tuple[SessionRow, AccountRow] | None:
    """Return a session and whose it is, by the digest of its id; in which workspace is not asked."""
    query = select(SessionRow, AccountRow).join(AccountRow).where(SessionRow.digest == digest)
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def sessions_of(session: Session, account_id: str) -> list[SessionRow]:
    """Return the sessions of an account, the one seen last first."""
    query = select(SessionRow).where(SessionRow.account_id == account_id).order_by(SessionRow.seen.desc())
    return list(session.scalars(query))


def add_session(session: Session, row: SessionRow) -> None:
    """Add a session."""
    session.add(row)
    session.flush()


def end_session(session: Session, account_id: str, session_id: str) -> None:
    """End one session of an account.

    Raises:
        NotFoundError: The account has no such session.
    """
    row = session.scalar(
        select(SessionRow).where(SessionRow.account_id == account_id, SessionRow.id == session_id)
    )
    if row is None:
        message = f"there is no session {session_id!r} of yours"
        raise NotFoundError(message)
    session.delete(row)


def end_sessions(session: Session, account_id: str, *, but: str | None = None) -> None:
    """End all sessions of an account, but the one of this digest."""
    query = delete(SessionRow).where(SessionRow.account_id == account_id)
    session.execute(query if but is None else query.where(SessionRow.digest != but))


def end_session_of(session: Session, digest: str) -> None:
    """End the session of this digest; nothing happens when there is none."""
    session.execute(delete(SessionRow).where(SessionRow.digest == digest))


def forget_ended(session: Session, *, now_s: float, idle_s: float) -> None:
    """Remove sessions that are over, and tokens that expired."""
    over = (SessionRow.expires <= now_s) | (SessionRow.seen <= now_s - idle_s)
    session.execute(delete(SessionRow).where(over))
    session.execute(delete(ApiTokenRow).where(ApiTokenRow.expires <= now_s))


def find_token(session: Session, digest: str) -> tuple[ApiTokenRow, AccountRow] | None:
    """Return an API token and whose it is, by its digest."""
    query = select(ApiTokenRow, AccountRow).join(AccountRow).where(ApiTokenRow.digest == digest)
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def tokens_of(session: Session, account_id: str) -> list[ApiTokenRow]:
    """Return the API tokens of an account, newest first."""
    query = select(ApiTokenRow).where(ApiTokenRow.account_id == account_id)
    return list(session.scalars(query.order_by(ApiTokenRow.created.desc(), ApiTokenRow.id)))


def add_token(session: Session, row: ApiTokenRow) -> None:
    """Add an API token."""
    session.add(row)
    session.flush()


def remove_token(session: Session, account_id: str, token_id: str) -> ApiTokenRow:
    """Remove an API token of an account.

    Raises:
        NotFoundError: The account has no such token.
    """
    row = session.get(ApiTokenRow, token_id)
    if row is None or row.account_id != account_id:
        message = f"there is no API token {token_id!r} of yours"
        raise NotFoundError(message)
    session.delete(row)
    return row
