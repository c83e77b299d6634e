"""Routes: the first start, logging in and out, one's own sessions and API tokens, accounts."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.accounts.caller import Caller, How
from cloud.accounts.credentials import csrf_of, digest_of
from cloud.accounts.roles import Role
from cloud.actions.accounts import SESSION_S, Browser, LoggedIn
from cloud.api.door import caller_of, cookie_of, is_forwarded, session_cookie
from cloud.api.guard import is_loopback
from cloud.api.paging import Paged
from cloud.api.services import Services, Used
from cloud.errors import ConflictError
from cloud.store.account_tables import ApiTokenRow
from cloud.store.accounts import Member

router = APIRouter(tags=["accounts"])

Name = Annotated[str, Field(min_length=1, max_length=100)]
Password = Annotated[str, Field(min_length=1, max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoginBody(_Body):
    """Who logs in."""

    name: Name
    password: Password


class SetupBody(LoginBody):
    """The first account; `code` is what `elfowl-cloud serve` printed, needed from other machines."""

    code: str | None = Field(None, max_length=100)


class PasswordBody(_Body):
    """One's own password, and the next one."""

    old: Password
    new: Password


class NewAccount(_Body):
    """An account to be added; its password is told to its person, who changes it."""

    name: Name
    password: Password
    role: Role = "viewer"


class Invitation(_Body):
    """Somebody who has an account, to be let into this workspace too."""

    name: Name
    role: Role = "viewer"


class WorkspaceChoice(_Body):
    """The id of the workspace to change into."""

    workspace: str = Field(min_length=1, max_length=100)


class AccountChange(_Body):
    """Another role, or another password for somebody who forgot it."""

    role: Role | None = None
    password: Password | None = None


class NewToken(_Body):
    """An API token to be made; without `days` it is believed until it is revoked."""

    name: str = Field(min_length=1, max_length=80)
    role: Role = "viewer"
    days: float | None = Field(None, gt=0, le=3660)


class DoorView(BaseModel):
    """How one comes in; `needs_code`: the first account can be made only with the setup code."""

    accounts: Literal["on", "off"]
    set_up: bool
    needs_code: bool
    access_token: bool


class WorkspaceName(BaseModel):
    """A workspace, as far as the switch between them has to know it."""

    id: str
    name: str


class MeView(BaseModel):
    """Who asks, in which workspace, and in which they could be; the role is that which they have there.

    `csrf` is what a page sends in `X-Elfowl-Csrf`, null where that is not needed.
    """

    name: str | None
    role: Role
    how: How
    accounts: Literal["on", "off"]
    set_up: bool
    csrf: str | None
    workspace: str
    workspaces: list[WorkspaceName]


class AccountView(BaseModel):
    """A person's account."""

    id: str
    name: str
    role: Role
    created: float
    last_login: float | None


class SessionView(BaseModel):
    """A browser that is logged in; `current` is the one that asks."""

    id: str
    created: float
    seen: float
    expires: float
    address: str
    browser: str
    current: bool


class TokenListed(BaseModel):
    """An API token, without its text."""

    id: str
    name: str
    role: Role
    created: float
    expires: float | None
    seen: float | None


class TokenMade(TokenListed):
    """A fresh API token; `token` is shown once."""

    token: str


@router.get("/door")
def door(request: Request, services: Used) -> DoorView:
    """Tell how one comes in here."""
    settings = services.settings
    return DoorView(
        accounts=settings.accounts,
        set_up=services.people.is_set_up(),
        needs_code=_needs_code(request, services),
        access_token=settings.access_token is not None,
    )


@router.post("/setup", status_code=201)
def set_up(request: Request, response: Response, services: Used, body: SetupBody) -> MeView:
    """Make the first account, an owner, and log it in; works once."""
    if services.settings.accounts == "off":
        message = "accounts are switched off; start the server with ELFOWL_ACCOUNTS=on"
        raise ConflictError(message)
    browser = browser_of(request)
    if _needs_code(request, services):
        services.people.refuse_wrong_code(body.code, browser.address)
    return _welcome(request, response, services, services.people.set_up(body.name, body.password, browser))


@router.post("/login")
def log_in(request: Request, response: Response, services: Used, body: LoginBody) -> MeView:
    """Log in with name and password; the answer sets the session's cookie."""
    done = services.people.log_in(body.name, body.password, browser_of(request))
    return _welcome(request, response, services, done)


@router.post("/logout", status_code=204)
def log_out(request: Request, response: Response, services: Used) -> None:
    """Log out: the session ends, here and on the server."""
    services.people.log_out(caller_of(request))
    response.delete_cookie(session_cookie(services.settings))


@router.get("/me")
def me(request: Request, services: Used) -> MeView:
    """Tell who asks, and what a page has to send with each change."""
    caller = caller_of(request)
    session_id = cookie_of(request.headers, session_cookie(services.settings))
    is_session = caller.how == "session" and session_id is not None
    return _me(services, caller, csrf_of(cast("str", session_id)) if is_session else None)


@router.put("/me/password", status_code=204)
def change_password(request: Request, services: Used, body: PasswordBody) -> None:
    """Change one's own password; all other sessions end."""
    services.people.change_password(caller_of(request), body.old, body.new, browser_of(request))


@router.put("/me/workspace")
def change_workspace(request: Request, services: Used, body: WorkspaceChoice) -> MeView:
    """Change into another workspace: from now on this browser sees that one, with the role it has there."""
    caller = services.workspaces.change_into(caller_of(request), body.workspace)
    session_id = cookie_of(request.headers, session_cookie(services.settings))
    return _me(services, caller, csrf_of(cast("str", session_id)))


@router.get("/me/sessions")
def list_sessions(request: Request, services: Used, page: Paged) -> list[SessionView]:
    """List the browsers in which one is logged in."""
    caller = caller_of(request)
    return [
        SessionView.model_validate({**_fields(row, SessionView), "current": row.digest == caller.session})
        for row in page.of(services.people.sessions(caller))
    ]


@router.delete("/me/sessions", status_code=204)
def sign_out_everywhere(request: Request, response: Response, services: Used) -> None:
    """Log out in all browsers, this one too."""
    services.people.sign_out_everywhere(caller_of(request))
    response.delete_cookie(session_cookie(services.settings))


@router.delete("/me/sessions/{session}", status_code=204)
def end_session(request: Request, services: Used, session: str) -> None:
    """Log out in one other browser."""
    services.people.end_session(caller_of(request), session)


@router.get("/me/tokens")
def list_tokens(request: Request, services: Used, page: Paged) -> list[TokenListed]:
    """List one's own API tokens, newest first, without their texts."""
    return [_token_view(row) for row in page.of(services.people.tokens(caller_of(request)))]


@router.post("/me/tokens", status_code=201)
def make_token(request: Request, services: Used, body: NewToken) -> TokenMade:
    """Make an API token for a program; its text is shown once."""
    row, text = services.people.make_token(caller_of(request), body.name, body.role, body.days)
    return TokenMade(**_token_view(row).model_dump(), token=text)


@router.delete("/me/tokens/{token}", status_code=204)
def revoke_token(request: Request, services: Used, token: str) -> None:
    """Believe one of one's own API tokens no more."""
    services.people.revoke_token(caller_of(request), token)


@router.get("/accounts")
def list_accounts(services: Used, page: Paged) -> list[AccountView]:
    """List all accounts of this workspace by name."""
    return [_account_view(row) for row in page.of(services.people.every())]


@router.post("/accounts", status_code=201)
def add_account(request: Request, services: Used, body: NewAccount) -> AccountView:
    """Add an account for a person, in this workspace."""
    who = caller_of(request).name
    return _account_view(services.people.add(body.name, body.role, body.password, who))


@router.post("/accounts/invited", status_code=201)
def invite(request: Request, services: Used, body: Invitation) -> AccountView:
    """Let somebody who has an account on this server into this workspace too."""
    return _account_view(services.people.invite(body.name, body.role, caller_of(request).name))


@router.patch("/accounts/{account}")
def change_account(request: Request, services: Used, account: str, body: AccountChange) -> AccountView:
    """Give an account another role or password; a new password ends all its sessions."""
    who, people = caller_of(request).name, services.people
    row = people.find(account)
    if body.role is not None:
        row = people.change_role(row.id, body.role, who)
    if body.password is not None:
        row = people.reset_password(row.id, body.password, who)
    return _account_view(row)


@router.delete("/accounts/{account}", status_code=204)
def remove_account(request: Request, services: Used, account: str) -> None:
    """Take an account out of this workspace; who is in no other is gone. The last owner stays."""
    services.people.remove(account, caller_of(request).name)


def browser_of(request: Request) -> Browser:
    """Return from where somebody logs in."""
    address = request.client.host if request.client else "unknown"
    return Browser(address, request.headers.get("user-agent", ""))


def _needs_code(request: Request, services: Services) -> bool:
    """Return whether somebody else than the person at this machine may be asking."""
    return not is_loopback(services.settings.host) or is_forwarded(request.headers)


def _welcome(request: Request, response: Response, services: Services, done: LoggedIn) -> MeView:
    """Give a browser its new session, and end the one that it had."""
    name = session_cookie(services.settings)
    before = cookie_of(request.headers, name)
    if before is not None:
        services.people.end_session_by_id(before)
    response.set_cookie(
        name,
        done.session_id,
        max_age=round(SESSION_S),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    caller = Caller(
        done.role, "session", done.account.name, done.account.id, digest_of(done.session_id), done.workspace
    )
    return _me(services, caller, csrf_of(done.session_id))


def _me(services: Services, caller: Caller, csrf: str | None) -> MeView:
    return MeView(
        name=caller.name,
        role=caller.role,
        how=caller.how,
        accounts=services.settings.accounts,
        set_up=services.people.is_set_up(),
        csrf=csrf,
        workspace=caller.workspace,
        workspaces=[WorkspaceName(id=one.id, name=one.name) for one in services.workspaces.of(caller)],
    )


def _account_view(row: Member) -> AccountView:
    return AccountView.model_validate(row, from_attributes=True)


def _token_view(row: ApiTokenRow) -> TokenListed:
    return TokenListed.model_validate(row, from_attributes=True)


def _fields(row: object, view: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in view.model_fields if hasattr(row, name)}
