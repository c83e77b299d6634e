"""`elfowl-cloud subnet`: the pretrained networks that detectors build on: list, test, add, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.commands.options import AsJson, Home, read_settings
from cloud.commands.terminal import answer
from cloud.errors import InputError
from cloud.subnets.manifest import Channels, SubnetManifest
from cloud.subnets.registry import all_subnets, subnet_by_name

app = typer.Typer(no_args_is_help=True, help="Subnets: the pretrained networks that detectors build on.")

Named = Annotated[str, typer.Argument(metavar="NAME", help="Name of the subnet.")]


@app.command("list")
def list_all(*, home: Home = None, as_json: AsJson = False) -> None:
    """List all subnets."""
    found = all_subnets(read_settings(home).home)
    answer([_document(one) for one in found], [_line(one) for one in found], as_json=as_json)


@app.command()
def add(  # noqa: PLR0913 - options of a command
    file: Annotated[
        Path, typer.Argument(metavar="FILE|MANIFEST", help=".onnx, .tflite, .pt2 or .yaml file.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name by default.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence, as SPDX writes it: Apache-2.0.")] = None,
    licence_file: Annotated[Path | None, typer.Option(help="The text of its licence.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from.")] = None,
    mean: Annotated[str | None, typer.Option(help="R,G,B; its input is (byte - mean) / std.")] = None,
    std: Annotated[str | None, typer.Option(help="R,G,B in bytes; 128 by default, mean 127.")] = None,
    taps: Annotated[str | None, typer.Option(help="Names of its features at strides 8, 16, 32.")] = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add a pretrained network of your own."""
    from cloud.subnets import shelf

    settings = read_settings(home)
    if shelf.is_manifest(file):
        if any(one is not None for one in (name, licence, licence_file, source, mean, std, taps)):
            message = f"{file}: a manifest says everything itself; leave the other options out"
            raise InputError(message)
        wanted = shelf.read_wanted(file)
        file = file.parent / wanted.file
    else:
        if licence is None or licence_file is None:
            message = "say --licence (SPDX name) and --licence-file: the text travels into every bundle"
            raise InputError(message)
        if mean is None or std is None:
            typer.echo("warning: its input is taken as (byte - 127) / 128; else say --mean, --std", err=True)
        given = {
            "name": name,
            "source": source,
            "mean": _channels(mean) if mean else None,
            "std": _channels(std) if std else None,
            "levels": [{"tap": tap.strip()} for tap in taps.split(",")] if taps else None,
        }
        wanted = shelf.said(file.name, licence, licence_file.absolute(), given)
    made = shelf.add(file, wanted, settings.home)
    answer(_document(made), [_line(made), f"next: elfowl-cloud subnet test {made.name}"], as_json=as_json)


@app.command("test")
def look_at(name: Named, *, home: Home = None, as_json: AsJson = False) -> None:
    """Test whether a subnet is what its manifest says; exit code 1 if it is not."""
    from cloud.subnets.check import check_subnet
    from edge_agent.clock import SystemClock

    findings = check_subnet(subnet_by_name(name, read_settings(home).home), SystemClock())
    rows = [{"check": one.check, "ok": one.ok, "detail": one.detail} for one in findings]
    lines = [f"{'ok  ' if one.ok else 'FAIL'}  {one.check:14} {one.detail}" for one in findings]
    failed = any(not one.ok for one in findings)
    answer({"subnet": name, "ok": not failed, "checks": rows}, lines, as_json=as_json)
    if failed:
        raise typer.Exit(1)


@app.command()
def remove(name: Named, *, home: Home = None, as_json: AsJson = False) -> None:
    """Remove a subnet that was added."""
    from cloud.subnets.shelf import remove as take_away

    take_away(name, read_settings(home).home)
    answer({"removed": name}, [f"removed subnet {name}"], as_json=as_json)


def _document(subnet: SubnetManifest) -> dict[str, Any]:
    return subnet.model_dump(mode="json", exclude_none=True)


def _line(subnet: SubnetManifest) -> str:
    channels = "/".join(str(level.channels) for level in subnet.levels)
    cost = f"{subnet.parameters / 1e6:5.2f} M parameters {subnet.macs / 1e9:5.2f} GMAC"
    return f"{subnet.name:20} {channels:14} {cost}  {subnet.licence:12} {subnet.source}"


def _channels(text: str) -> Channels:
    try:
        values = tuple(float(one) for one in text.split(","))
        red, green, blue = values * 3 if len(values) == 1 else values
    except ValueError as error:
        message = f"{text!r} is not one number or three: R,G,B"
        raise InputError(message) from error
    return red, green, blue
