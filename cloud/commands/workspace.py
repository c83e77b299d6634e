"""`elfowl-cloud workspace`: several that share a server, and see nothing of each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud.commands.options import AsJson, Home, read_settings
from cloud.commands.terminal import answer

if TYPE_CHECKING:
    from cloud.actions.workspaces import WorkspaceDesk

app = typer.Typer(no_args_is_help=True, help="Workspaces: what one has, no other sees.")

Reference = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Its id or name; see `workspace list`.")]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]
Owner = Annotated[str, typer.Option("--owner", help="Who owns it: the name of an account that there is.")]


@app.command("list")
def list_all(*, home: Home = None, as_json: AsJson = False) -> None:
    """List all workspaces of the server."""
    rows = _desk(home).every()
    found = [{"id": row.id, "name": row.name, "created": row.created} for row in rows]
    answer(found, [f"{row.id:20} {row.name}" for row in rows], as_json=as_json)


@app.command("new")
def new(name: NewName, *, owner: Owner, home: Home = None, as_json: AsJson = False) -> None:
    """Make a workspace; its owner changes into it in the menu of the account, and lets others in."""
    row = _desk(home).make_for(owner, name)
    answer({"id": row.id, "name": row.name}, [f"{row.name} is made: {row.id}"], as_json=as_json)


@app.command("rename")
def rename(workspace: Reference, name: NewName, *, home: Home = None) -> None:
    """Give a workspace another name."""
    row = _desk(home).call(workspace, name)
    typer.echo(f"{row.id} is called {row.name} now")


def _desk(home: Path | None) -> WorkspaceDesk:
    from cloud.actions.open_home import open_home
    from cloud.actions.workspaces import WorkspaceDesk
    from edge_agent.clock import SystemClock

    clock = SystemClock()
    return WorkspaceDesk(open_home(read_settings(home), clock).database, clock)
