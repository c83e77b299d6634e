"""`elfowl-cloud keys`: the keys that sign bundles; on the home folder only."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cloud.actions.bundles import open_repository
from cloud.commands.options import AsJson, Home, read_settings
from cloud.commands.terminal import answer
from cloud.fleet.ceremony import Ceremony
from edge_agent.clock import SystemClock

app = typer.Typer(no_args_is_help=True, help="Keys that sign bundles for cameras.")

RootKey = Annotated[
    list[Path] | None,
    typer.Option("--root-key", metavar="FILE", help="A root key that is kept elsewhere; may be repeated."),
]


@app.command()
def init(
    root_keys: Annotated[
        int | None, typer.Option(help="So many root keys, in files to be carried away.")
    ] = None,
    threshold: Annotated[int | None, typer.Option(help="So many of them have to sign; most of them.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the root keys.")] = Path("root-keys"),
    root_key: RootKey = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make keys, unless there are some; with --root-keys let several people guard the root."""
    ceremony = _ceremony(home)
    made: list[Path] = []
    if root_keys is not None:
        needed = root_keys // 2 + 1 if threshold is None else threshold
        made = ceremony.share_root(out, root_keys, needed, root_key or ())
    lines = [f"wrote {path}: carry it away; it is needed only to change keys" for path in made]
    _tell_status(home, lines, as_json=as_json)


@app.command()
def rotate(
    role: Annotated[str, typer.Argument(help="root, targets, snapshot, timestamp or bins.")],
    root_key: RootKey = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key that may be known to others; cameras follow at their next update."""
    _ceremony(home).rotate(role, root_key or ())
    _tell_status(home, [f"the {role} key is new; the old one is believed no more"], as_json=as_json)


@app.command()
def status(*, home: Home = None, as_json: AsJson = False) -> None:
    """Show which keys sign what, where they are, and until when their signatures hold."""
    _tell_status(home, [], as_json=as_json)


def _tell_status(home: Path | None, lines: list[str], *, as_json: bool) -> None:
    rows = _ceremony(home).status()
    shown = [
        f"{one.role:10} {one.threshold} of {len(one.keyids)} keys, "
        f"{'here' if one.is_here else 'elsewhere':9} "
        + (f"version {one.version}, until {_day(one.expires_s)}" if one.expires_s is not None else "")
        for one in rows
    ]
    answer([vars(one) for one in rows], [*lines, *(line.rstrip() for line in shown)], as_json=as_json)


def _day(at_s: float) -> str:
    return dt.datetime.fromtimestamp(at_s, tz=dt.UTC).strftime("%Y-%m-%d")


def _ceremony(home: Path | None) -> Ceremony:
    settings = read_settings(home)
    return Ceremony(open_repository(settings, SystemClock()), settings.keys_path)
