"""`elfowl-compress profile`: the known device profiles, and new ones of machines at hand."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from compress.profile_new import measured_profile, name_of, profile_yaml
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ConfigError, ElfowlError
from edge_agent.runtime.profiles import find_profile, load_profile, profile_names
from edge_agent.wire.profile import DeviceProfile

app = typer.Typer(no_args_is_help=True, help="Device profiles: what a camera can do.")

_COLUMNS = ("name", "arch", "memory", "runtimes", "fps", "install", "device")
_MIB = 1 << 20


@app.command("list")
def list_profiles(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the known devices in a table."""
    profiles = [load_profile(name) for name in profile_names()]
    if as_json:
        typer.echo(json.dumps([profile.model_dump(mode="json") for profile in profiles]))
    else:
        typer.echo(table([_COLUMNS, *(_row(profile) for profile in profiles)]))


@app.command("show")
def show_profile(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A known profile, or a .yaml file.")],
) -> None:
    """Print a profile as YAML."""
    try:
        typer.echo(profile_yaml(find_profile(name)), nl=False)
    except ElfowlError as error:
        raise _failed(error) from error


@app.command("new")
def new_profile(
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Default: the host's name.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: NAME.yaml.")] = None,
) -> None:
    """Measure this machine (about half a minute) and write its profile."""
    chosen = name or name_of(platform.node())
    try:
        path = write_new_profile(chosen, out or Path(f"{chosen}.yaml"), SystemClock())
    except ElfowlError as error:
        raise _failed(error) from error
    typer.echo(
        f"wrote {path}; use it with --profile {path}, and `profile: {path.name}` in the agent's config"
    )


def write_new_profile(name: str, path: Path, clock: Clock) -> Path:
    """Measure this machine and write its profile.

    Raises:
        ConfigError: Name or file cannot be used, or no runtime is installed.
        ExportError: An installed runtime cannot run the starter network.
    """
    if name != name_of(name):
        message = f"--name {name!r}: use small letters, digits and '-', for example {name_of(name)!r}"
        raise ConfigError(message)
    if path.suffix != ".yaml" or path.exists():
        message = f"--out {path}: give the name of a new .yaml file"
        raise ConfigError(message)
    from compress.profile_measure import measure_machine  # noqa: PLC0415 - the tables start quickly

    day = datetime.fromtimestamp(clock.now_s(), UTC).date().isoformat()
    text = profile_yaml(measured_profile(measure_machine(Path.cwd()), name, day))
    try:
        path.write_text(f"# Measured by `elfowl-compress profile new`; see sources.\n{text}", "utf-8")
    except OSError as error:
        message = f"--out {path}: {error.strerror or error}; give a file in a folder that can be written"
        raise ConfigError(message) from error
    return path


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows of text, aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)


def _row(profile: DeviceProfile) -> tuple[str, ...]:
    return (
        profile.name,
        profile.arch,
        f"{profile.ram_for_us_bytes // _MIB} MiB",
        ",".join(profile.runtimes),
        f"{profile.target_fps:g}",
        profile.install.kind,
        profile.title,
    )


def _failed(error: ElfowlError) -> typer.Exit:
    typer.echo(f"elfowl-compress: {' '.join(str(error).split())}", err=True)
    return typer.Exit(1)
