"""What people do with their own account: the first start, logging in and out, passwords, API tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy.orm import Session

from cloud.accounts.caller import Caller
from cloud.accounts.credentials import (
    digest_of,
    is_api_token,
    is_setup_code,
    new_api_token,
    new_session_id,
    new_setup_code,
)
from cloud.accounts.limits import LoginLimit
from cloud.accounts.names import account_key, account_name
from cloud.accounts.passwords import USUAL, Cost, hash_of_nobody, hash_password, is_password, refuse_weak
from cloud.accounts.roles import Role, is_at_least, lower_of
from cloud.actions.people import PeopleDesk
from cloud.errors import ConflictError, DeniedError, InputError
from cloud.store import accounts
from cloud.store.account_tables import AccountRow, ApiTokenRow, SessionRow
from cloud.store.database import Database
from cloud.store.ids import new_id
from edge_agent.clock import Clock

SESSION_S: Final = 30 * 86_400.0
IDLE_S: Final = 7 * 86_400.0
# A session is noted as seen at most so often: not every look at a page shall write.
SEEN_S: Final = 300.0
_MOST_TOKENS: Final = 100
_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Browser:
    """Where somebody logs in from."""

    address: str
    name: str


@dataclass(frozen=True)
class LoggedIn:
    """A fresh session; `session_id` is for the browser's cookie only."""

    account: AccountRow
    session_id: str
    role: Role
    workspace: str

    def __repr__(self) -> str:
        return f"LoggedIn({self.account.name!r})"


class AccountDesk(PeopleDesk):
    """All that people can do with accounts: what owners do, and what everybody does with their own."""

    def __init__(self, database: Database, clock: Clock, cost: Cost = USUAL) -> None:
        super().__init__(database, clock, cost)
        self._limit = LoginLimit(clock)
        self._nobody = hash_of_nobody(cost)
        self._known = False
        self.setup_code = new_setup_code()

    def is_set_up(self) -> bool:
        """Return whether there is an account; there always is one once there was."""
        if not self._known:
            with self._database.read() as session:
                self._known = accounts.any_account(session)
        return self._known

    def set_up(self, name: str, password: str, browser: Browser) -> LoggedIn:
        """Make the first account, an owner, and log it in.

        Raises:
            ConflictError: There is an account.
            InputError: The name is none, or the password weak.
        """
        name = account_name(name)
        refuse_weak(password, name)
        kept = hash_password(password, self._cost)
        with self._database.write(durable=True) as session:
            if accounts.any_account(session):
                message = "there is an account already; log in, or ask its owner for one"
                raise ConflictError(message)
            row = accounts.add(session, name=name, role="owner", password_hash=kept, now_s=self._now_s())
            self._note(session, "first account", row.name, f"owner, from {browser.address}")
            return self._begin_session(session, row.account, browser)

    def refuse_wrong_code(self, given: str | None, address: str) -> None:
        """Check the code of the first start.

        Raises:
            DeniedError: It is another one, or none.
            QuotaError: Too many were wrong.
        """
        self._limit.begin("", address)
        if given is None or not is_setup_code(given, self.setup_code):
            message = "the setup code is wrong; `elfowl-cloud serve` printed it when it started"
            raise DeniedError(message)
        self._limit.succeeded("", address)

    def log_in(self, name: str, password: str, browser: Browser) -> LoggedIn:
        """Begin a session; who gets it wrong waits longer each time, whether the account exists or not.

        Raises:
            DeniedError: Name or password are wrong.
            QuotaError: Too many were.
        """
        key = account_key(name)[:100]
        self._limit.begin(key, browser.address)
        with self._database.read() as session:
            row = accounts.find_by_name(session, name)
        kept = self._nobody if row is None else row.password_hash
        # Also for a name that nobody has: the answer and its time tell nothing.
        if not is_password(password, kept) or row is None:
            # A name that nobody has is not noted: many a time it is a password in the wrong field.
            shown = "a name that nobody has" if row is None else repr(row.name)
            with self._database.write() as session:
                where = None if row is None else _first_workspace(session, row)
                self._note(session, "login refused", None, f"as {shown} from {browser.address}", where)
            message = "name or password are wrong"
            raise DeniedError(message)
        self._limit.succeeded(key, browser.address)
        with self._database.write(durable=True) as session:
            row = accounts.find(session, row.id)
            # A session that a guessed password opens shall not outlive the change of that password.
            if row.password_hash != kept:
                message = "the password was changed meanwhile; log in again"
                raise DeniedError(message)
            where = _first_workspace(session, row)
            self._note(session, "logged in", row.name, f"from {browser.address}", where)
            return self._begin_session(session, row, browser)

    def caller_of_session(self, session_id: str) -> Caller | None:
        """Return whose session this is; none when it is over or never was."""
        digest, now_s = digest_of(session_id), self._now_s()
        with self._database.read() as session:
            found = accounts.find_session(session, digest)
            role = found and accounts.role_in(session, found[1].id, found[0].workspace_id)
        if found is None:
            return None
        row, account = found
        if role is None or now_s >= row.expires or now_s - row.seen >= IDLE_S:
            return None
        if now_s - row.seen >= SEEN_S:
            self._note_seen(digest, now_s)
        return Caller(role, "session", account.name, account.id, digest, row.workspace_id)

    def caller_of_token(self, text: str) -> Caller | None:
        """Return whose API token this is; none when it expired or never was one."""
        if not is_api_token(text):
            return None
        now_s = self._now_s()
        with self._database.read() as session:
            found = accounts.find_token(session, digest_of(text))
            may = found and accounts.role_in(session, found[1].id, found[0].workspace_id)
        if found is None or may is None:
            return None
        row, account = found
        if row.expires is not None and now_s >= row.expires:
            return None
        if row.seen is None or now_s - row.seen >= SEEN_S:
            self._note_token_seen(row.digest, now_s)
        role = lower_of(_role(row.role), may)
        return Caller(role, "api token", account.name, account.id, workspace=row.workspace_id)

    def log_out(self, caller: Caller) -> None:
        """End the session that asks."""
        if caller.session is not None:
            with self._database.write(durable=True) as session:
                accounts.end_session_of(session, caller.session)

    def end_session_by_id(self, session_id: str) -> None:
        """End the session that a browser had before it logged in again."""
        with self._database.write(durable=True) as session:
            accounts.end_session_of(session, digest_of(session_id))

    def sessions(self, caller: Caller) -> list[SessionRow]:
        """Return the sessions of whoever asks that are not over."""
        now_s = self._now_s()
        with self._database.read() as session:
            rows = accounts.sessions_of(session, account_of(caller))
        return [row for row in rows if now_s < row.expires and now_s - row.seen < IDLE_S]

    def end_session(self, caller: Caller, session_id: str) -> None:
        """End one session of whoever asks.

        Raises:
            NotFoundError: It is none of theirs.
        """
        with self._database.write(durable=True) as session:
            accounts.end_session(session, account_of(caller), session_id)

    def sign_out_everywhere(self, caller: Caller) -> None:
        """End all sessions of whoever asks, this one too."""
        with self._database.write(durable=True) as session:
            accounts.end_sessions(session, account_of(caller))
            self._note(session, "signed out everywhere", caller.name)

    def change_password(self, caller: Caller, old: str, new: str, browser: Browser) -> None:
        """Change one's own password; all other sessions end.

        Raises:
            DeniedError: The old password is wrong.
            InputError: The new one is weak.
            QuotaError: Too many were wrong.
        """
        with self._database.read() as session:
            row = accounts.find(session, account_of(caller))
        self._limit.begin(row.key, browser.address)
        if not is_password(old, row.password_hash):
            message = "the old password is wrong"
            raise DeniedError(message)
        self._limit.succeeded(row.key, browser.address)
        self._set_password(row, new, but=caller.session, who=caller.name)

    def tokens(self, caller: Caller) -> list[ApiTokenRow]:
        """Return the API tokens of whoever asks, newest first."""
        with self._database.read() as session:
            return accounts.tokens_of(session, account_of(caller))

    def make_token(
        self, caller: Caller, name: str, role: Role, days: float | None
    ) -> tuple[ApiTokenRow, str]:
        """Make an API token; its text is shown once and kept nowhere.

        Raises:
            InputError: It would be for more than whoever asks may do, or there are too many.
        """
        if not is_at_least(caller.role, role):
            message = f"a {caller.role} cannot make a token for a role of {role}"
            raise InputError(message)
        text, now_s = new_api_token(), self._now_s()
        row = ApiTokenRow(
            id=new_id("tok"),
            digest=digest_of(text),
            account_id=account_of(caller),
            name=name,
            role=role,
            created=now_s,
            expires=None if days is None else now_s + days * _DAY_S,
            seen=None,
            workspace_id=caller.workspace,
        )
        with self._database.write(durable=True) as session:
            accounts.forget_ended(session, now_s=now_s, idle_s=IDLE_S)
            if len(accounts.tokens_of(session, row.account_id)) >= _MOST_TOKENS:
                message = f"there are {_MOST_TOKENS} API tokens already; revoke some that nobody uses"
                raise InputError(message)
            accounts.add_token(session, row)
            self._note(session, "API token made", caller.name, f"{name!r} as {role}")
        return row, text

    def revoke_token(self, caller: Caller, token_id: str) -> None:
        """Believe an API token no more.

        Raises:
            NotFoundError: It is none of theirs.
        """
        with self._database.write(durable=True) as session:
            row = accounts.remove_token(session, account_of(caller), token_id)
            self._note(session, "API token revoked", caller.name, repr(row.name))

    def _begin_session(self, session: Session, row: AccountRow, browser: Browser) -> LoggedIn:
        session_id, now_s = new_session_id(), self._now_s()
        first = next(iter(accounts.memberships_of(session, row.id)), None)
        if first is None:
            message = "this account is in no workspace any more; ask an owner to invite it"
            raise DeniedError(message)
        accounts.forget_ended(session, now_s=now_s, idle_s=IDLE_S)
        accounts.add_session(
            session,
            SessionRow(
                digest=digest_of(session_id),
                id=new_id("ses"),
                account_id=row.id,
                created=now_s,
                seen=now_s,
                expires=now_s + SESSION_S,
                address=browser.address[:100],
                browser=browser.name[:200],
                workspace_id=first.workspace_id,
            ),
        )
        row.last_login = now_s
        return LoggedIn(row, session_id, _role(first.role), first.workspace_id)

    def _note_seen(self, digest: str, now_s: float) -> None:
        with self._database.write() as session:
            found = accounts.find_session(session, digest)
            if found is not None:
                found[0].seen = now_s

    def _note_token_seen(self, digest: str, now_s: float) -> None:
        with self._database.write() as session:
            found = accounts.find_token(session, digest)
            if found is not None:
                found[0].seen = now_s


def account_of(caller: Caller) -> str:
    """Return the account of whoever asks.

    Raises:
        InputError: It has none: it came with the server's access token, or nobody has accounts here.
    """
    if caller.account_id is None:
        message = "this is for people with an account: log in with name and password"
        raise InputError(message)
    return caller.account_id


def _first_workspace(session: Session, row: AccountRow) -> str | None:
    """Return in which workspace somebody begins; none: they are in none any more."""
    return next((one.workspace_id for one in accounts.memberships_of(session, row.id)), None)


def _role(text: str) -> Role:
    return cast("Role", text)
