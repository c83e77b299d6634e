"""`elfowl-cloud account`: who may come in; also the way back for an owner who forgot the password."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud.accounts.roles import ROLES, Role
from cloud.accounts.workspaces import HOME, within
from cloud.commands.options import AsJson, Home, read_settings
from cloud.commands.terminal import answer
from cloud.errors import InputError

if TYPE_CHECKING:
    from cloud.actions.accounts import AccountDesk

app = typer.Typer(no_args_is_help=True, help="People: who may come in, and what they may do.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account; see `account list`.")]
RoleArgument = Annotated[str, typer.Argument(help="owner, manager or viewer.")]
Workspace = Annotated[str, typer.Option("--workspace", help="Id or name; see `workspace list`.")]
RoleOption = Annotated[str, typer.Option("--role", help="owner, manager or viewer.")]


@app.command("list")
def list_all(*, workspace: Workspace = HOME, home: Home = None, as_json: AsJson = False) -> None:
    """List the accounts of a workspace."""
    with _desk(home, workspace) as desk:
        rows = desk.every()
    found = [{"name": row.name, "role": row.role, "last_login": row.last_login} for row in rows]
    lines = [f"{row.name:24} {row.role:8} {_last(row.last_login)}" for row in rows]
    answer(found, lines or ["no accounts yet; the first one is made in the browser"], as_json=as_json)


@app.command("add")
def add(name: Name, *, role: RoleOption = "viewer", workspace: Workspace = HOME, home: Home = None) -> None:
    """Add an account; the password is asked for, or read from a pipe."""
    with _desk(home, workspace) as desk:
        row = desk.add(name, _role(role), _password(name), None)
    typer.echo(f"{row.name} is a {row.role}")


@app.command("invite")
def invite(
    name: Name, *, role: RoleOption = "viewer", workspace: Workspace = HOME, home: Home = None
) -> None:
    """Let an account that is in another workspace into this one too."""
    with _desk(home, workspace) as desk:
        row = desk.invite(name, _role(role), None)
    typer.echo(f"{row.name} is a {row.role}")


@app.command("role")
def change_role(name: Name, role: RoleArgument, *, workspace: Workspace = HOME, home: Home = None) -> None:
    """Give an account another role in a workspace."""
    with _desk(home, workspace) as desk:
        row = desk.change_role(name, _role(role), None)
    typer.echo(f"{row.name} is a {row.role} from the next request on")


@app.command("password")
def set_password(name: Name, *, home: Home = None) -> None:
    """Set the password of an account, asked for or read from a pipe; all its browsers are signed out."""
    with _desk(home, None) as desk:
        typer.echo(f"{desk.set_any_password(name, _password(name))} has a new password")


@app.command("remove")
def remove(name: Name, *, workspace: Workspace = HOME, home: Home = None) -> None:
    """Take an account out of a workspace; who is in no other is gone, with sessions and tokens."""
    with _desk(home, workspace) as desk:
        desk.remove(name, None)
    typer.echo(f"{name} is removed")


@contextmanager
def _desk(home: Path | None, workspace: str | None) -> Iterator[AccountDesk]:
    """Give the desk, in the scope of a workspace by id or name; none: of all."""
    from cloud.actions.accounts import AccountDesk
    from cloud.actions.open_home import open_home
    from cloud.actions.workspaces import WorkspaceDesk
    from edge_agent.clock import SystemClock

    clock = SystemClock()
    database = open_home(read_settings(home), clock).database
    found = None if workspace is None else WorkspaceDesk(database, clock).find(workspace).id
    with within(found):
        yield AccountDesk(database, clock)


def _password(name: str) -> str:
    """Return a password, so that it never stands in the shell's history."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    message = f"role {text!r}: take one of {', '.join(ROLES)}"
    raise InputError(message)


def _last(at_s: float | None) -> str:
    if at_s is None:
        return "never logged in"
    return f"last login {dt.datetime.fromtimestamp(at_s, dt.UTC):%Y-%m-%d %H:%M} UTC"
