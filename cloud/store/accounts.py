"""Accounts, their sessions and API tokens in the database."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cloud.accounts.names import account_key
from cloud.accounts.roles import Role
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.store.account_tables import AccountRow, ApiTokenRow, SessionRow
from cloud.store.ids import new_id


def any_account(session: Session) -> bool:
    """Return whether there is an account."""
    return session.scalar(select(AccountRow.id).limit(1)) is not None


def every(session: Session) -> list[AccountRow]:
    """Return all accounts by name."""
    return list(session.scalars(select(AccountRow).order_by(AccountRow.key)))


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


def add(session: Session, *, name: str, role: Role, password_hash: str, now_s: float) -> AccountRow:
    """Add an account.

    Raises:
        ConflictError: Somebody has this name.
    """
    if find_by_name(session, name) is not None:
        message = f"there is an account {name!r} already; take another name"
        raise ConflictError(message)
    row = AccountRow(
        id=new_id("acc"),
        name=name,
        key=account_key(name),
        role=role,
        password_hash=password_hash,
        created=now_s,
        last_login=None,
    )
    session.add(row)
    session.flush()
    return row


def change_role(session: Session, row: AccountRow, role: Role) -> None:
    """Give an account another role.

    Raises:
        InputError: It is the last owner.
    """
    if role != "owner":
        _refuse_last_owner(session, row)
    row.role = role


def remove(session: Session, row: AccountRow) -> None:
    """Remove an account with its sessions and tokens.

    Raises:
        InputError: It is the last owner.
    """
    _refuse_last_owner(session, row)
    session.delete(row)


def _refuse_last_owner(session: Session, row: AccountRow) -> None:
    owners = session.scalar(select(func.count()).where(AccountRow.role == "owner"))
    if row.role == "owner" and owners == 1:
        message = f"{row.name!r} is the only owner; make somebody else an owner first"
        raise InputError(message)


def find_session(session: Session, digest: str) -> tuple[SessionRow, AccountRow] | None:
    """Return a session and whose it is, by the digest of its id."""
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
