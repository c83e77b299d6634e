"""`elfowl-cloud device`: let cameras join, arrange them, give them bundles, let them go."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.commands.connect import connect
from cloud.commands.fleet import connect_fleet
from cloud.commands.options import AsJson, Home, Token, Url
from cloud.commands.terminal import answer
from cloud.errors import InputError
from edge_agent.wire.sync import EnrolTicket

app = typer.Typer(no_args_is_help=True, help="Cameras: let them join, give them detectors.")

Camera = Annotated[str, typer.Argument(metavar="CAMERA", help="Name of the camera; see `device list`.")]


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all cameras."""
    found = connect(home, url, token).devices()
    answer(found, [_line(one) for one in found] or ["no cameras yet; see `device token`"], as_json=as_json)


@app.command("token")
def make_token(  # noqa: PLR0913 - options of a command
    *,
    pending: Annotated[
        bool, typer.Option("--pending", help="The camera waits until somebody accepts it.")
    ] = False,
    group: Annotated[str | None, typer.Option(help="Group that the camera gets.")] = None,
    cloud: Annotated[str | None, typer.Option(help="Address under which the camera reaches us.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a ticket to be brought to the camera.")
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Show a QR code that the camera can look at.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a one-time token with which a camera can join within an hour."""
    made = connect(home, url, token).token({"accepts": not pending, "group": group})
    ticket = EnrolTicket.model_validate(made["ticket"])
    if cloud is not None:
        ticket = ticket.model_copy(update={"cloud": cloud.rstrip("/")})
    command = f"elfowl-agent enrol --cloud {ticket.cloud} --token {ticket.token}"
    lines = ["on the camera:", f"  {command}"]
    if out is not None:
        _write_ticket(out, ticket)
        lines = ["on the camera:", f"  elfowl-agent enrol --ticket {out.name}"]
    if qr:
        from cloud.fleet.ticket import qr_lines

        lines += ["or let it see this, with elfowl-agent enrol --qr SOURCE:", *qr_lines(ticket.to_json())]
    shown = {**made, "command": command, "ticket": ticket.model_dump(mode="json")}
    answer(shown, lines, as_json=as_json)


@app.command()
def accept(
    device: Camera, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Let a camera in that waits."""
    done = connect_fleet(home, url, token).accept(device)
    answer(done, [_line(done)], as_json=as_json)


@app.command()
def revoke(
    device: Camera, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Believe a camera no more; it needs a new token to come back."""
    done = connect_fleet(home, url, token).revoke(device)
    answer(done, [f"{done['name']} is revoked"], as_json=as_json)


@app.command()
def remove(
    device: Camera,
    *,
    data: Annotated[bool, typer.Option("--data", help="Delete its events and pictures too.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Remove a camera, so that another may join under its name."""
    connect_fleet(home, url, token).remove(device, data=data)
    answer({"removed": device, "data": data}, [f"{device} is removed"], as_json=as_json)


@app.command()
def label(
    device: Camera,
    labels: Annotated[list[str] | None, typer.Argument(metavar="LABEL...", help="Its labels.")] = None,
    *,
    group: Annotated[str | None, typer.Option(help="Its group; none by default.")] = None,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Put a camera into a group and give it labels; they replace those that it had."""
    done = connect_fleet(home, url, token).arrange(device, group, labels or [])
    said = ", ".join(done["labels"]) or "none"
    answer(done, [f"{device}: group {done['group'] or 'none'}, labels {said}"], as_json=as_json)


@app.command()
def log(
    device: Annotated[str | None, typer.Argument(metavar="CAMERA", help="Only of this camera.")] = None,
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what was done to cameras, newest first."""
    rows = connect_fleet(home, url, token).audit(device)
    lines = [
        f"{_when(row['at'])}  {row['what']:20} {row['device'] or '-':20} {row['who'] or 'here':15} "
        f"{row['detail']}"
        for row in rows
    ]
    answer(rows, lines or ["nothing was done yet"], as_json=as_json)


@app.command()
def assign(
    device: Camera,
    bundle: Annotated[str | None, typer.Argument(metavar="BUNDLE", help="Id of a published bundle.")] = None,
    *,
    none: Annotated[bool, typer.Option("--none", help="Want no bundle on it.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Want a published bundle on a camera."""
    if (bundle is None) != none:
        message = "give the id of a bundle, or --none"
        raise InputError(message)
    done = connect(home, url, token).assign(device, bundle)
    answer(done, [_line(done)], as_json=as_json)


def _line(one: dict[str, Any]) -> str:
    wanted = one["desired"].get("bundle")
    runs = (one["reported"] or {}).get("installed")
    here = one["state"] if one["state"] != "enrolled" else "online" if one["online"] else "offline"
    return f"{one['name']:20} {here:8} {one['profile']:14} runs {_bundle(runs)}, wanted {_bundle(wanted)}"


def _bundle(target: dict[str, Any] | None) -> str:
    return "nothing" if target is None else f"{target['detector_name']} v{target['detector_version']}"


def _when(at_s: float) -> str:
    return dt.datetime.fromtimestamp(at_s, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _write_ticket(out: Path, ticket: EnrolTicket) -> None:
    """Write a ticket for the owner's eyes only; one that lies there is never replaced.

    Raises:
        InputError: It cannot be written.
    """
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(ticket.to_json())
    except OSError as error:
        message = f"{out}: {error.strerror or error}"
        raise InputError(message) from error
