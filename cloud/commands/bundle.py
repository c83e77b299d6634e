"""`elfowl-cloud bundle`: list, publish, withdraw, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.commands.connect import connect, local
from cloud.commands.fleet import connect_fleet
from cloud.commands.options import AsJson, Home, Token, Url
from cloud.commands.terminal import answer, megabytes
from cloud.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Bundles: compressed detectors, signed for cameras.")

BundleId = Annotated[str, typer.Argument(metavar="BUNDLE", help="Id of the bundle.")]


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all bundles, newest first."""
    found = connect(home, url, token).bundles()
    lines = [
        f"{one['id']}  {one['state']:10} {one['profile']:14} {one['runtime']:8} "
        f"{megabytes(one['length_bytes']):>9}  {one['detector_id']}@{one['detector_version']}"
        for one in found
    ]
    answer(found, lines or ["no bundles yet; make one with `detector compress`"], as_json=as_json)


@app.command()
def publish(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE|FILE.zip", help="Id, or a bundle file with receipt.")
    ],
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Sign a bundle and offer it to cameras."""
    if Path(bundle).suffix == ".zip":
        if url is not None:
            message = (
                f"{bundle}: with --url give the id of a bundle; files are taken in on the home folder only"
            )
            raise InputError(message)
        bundle = str(local(home).import_bundle(Path(bundle))["id"])
    done = connect(home, url, token).publish(bundle)
    line = f"published {done['id']} as release {done['release']}"
    answer(done, [line, f"next: elfowl-cloud device assign CAMERA {done['id']}"], as_json=as_json)


@app.command()
def withdraw(
    bundle: BundleId, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Take a published bundle back: no camera installs it any more."""
    done = connect_fleet(home, url, token).withdraw(bundle)
    answer(
        done, [f"withdrew {done['id']}; cameras that run it go on until they get another"], as_json=as_json
    )


@app.command()
def export(
    bundle: BundleId,
    out: Annotated[Path, typer.Option(metavar="KIT.zip", help="The kit to write.")],
    root_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The root to trust; root.json beside the kit by default."),
    ] = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a signed kit of a bundle, and the root to trust, for a camera without a cloud."""
    done = local(home).export(bundle, out, root_out)
    answer(done, _kit_lines(done), as_json=as_json)


def _kit_lines(done: dict[str, Any]) -> list[str]:
    """Return what was written, and what to put into the agent's config."""
    root = f"kept {done['root']}" if done["root_kept"] else f"wrote {done['root']}"
    return [
        f"wrote {done['kit']}, {megabytes(done['bytes'])}, signed",
        f"{root}, the root to trust",
        "next: copy both beside the camera's config file and put into it:",
        f"  profile: {done['profile']}",
        f"  bundle: {Path(done['kit']).name}",
        f"  root: {Path(done['root']).name}",
    ]
