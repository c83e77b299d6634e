"""`elfowl-cloud device`: list, token, assign."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cloud.commands.connect import connect
from cloud.commands.options import AsJson, Home, Token, Url
from cloud.commands.terminal import answer
from cloud.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Cameras: let them join, give them detectors.")


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all cameras."""
    found = connect(home, url, token).devices()
    answer(found, [_line(one) for one in found] or ["no cameras yet; see `device token`"], as_json=as_json)


@app.command("token")
def make_token(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Make a one-time token with which a camera can join within an hour."""
    made = connect(home, url, token).token()
    answer(made, ["on the camera:", f"  {made['command']}"], as_json=as_json)


@app.command()
def assign(
    device: Annotated[str, typer.Argument(metavar="CAMERA", help="Name of the camera; see `device list`.")],
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
    return (
        f"{one['name']:20} {'online' if one['online'] else 'offline':8} {one['profile']:14} "
        f"runs {_bundle(runs)}, wanted {_bundle(wanted)}"
    )


def _bundle(target: dict[str, Any] | None) -> str:
    return "nothing" if target is None else f"{target['detector_name']} v{target['detector_version']}"
