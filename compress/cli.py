"""`elfowl-compress`: a full detector into bundles for a device."""

from __future__ import annotations

import enum
import json
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress import profile_commands
from compress.asked import ALL, Asked
from compress.forms import FILE_FORMS, parse_forms
from edge_agent.errors import ConfigError, ElfowlError

if TYPE_CHECKING:
    from compress.ordered import DoneForEach, DoneForOne

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(profile_commands.app, name="profile")

_CANCELLED = 130


class EffortChoice(enum.StrEnum):
    """How long to look for a smaller network."""

    quick = "quick"
    normal = "normal"
    best = "best"


@app.callback()
def _root(
    *, verbose: Annotated[bool, typer.Option("--verbose", help="Log what happens inside.")] = False
) -> None:
    """Turn a full detector into a small one for a named camera, and say what that cost."""
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING)


@app.command()
def run(  # noqa: PLR0913, PLR0917 - each option of the command is a parameter
    detectors: Annotated[
        list[str],
        typer.Argument(
            metavar="DETECTOR...",
            help="Name or id of a trained detector; NAME@2 is its version 2. Several share one trunk.",
        ),
    ],
    profile: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="The device, for example pi-4, or a .yaml file; see `elfowl-compress profile list`. "
            f"Several times: one teaching, a bundle for each; {ALL}: all known ones.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder for the bundles and the receipt; of several devices one in it for each.",
        ),
    ],
    max_ram: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Most memory of the camera's process, such as 64MB.")
    ] = None,
    max_ms: Annotated[
        str | None, typer.Option(metavar="MS", help="Most time of the network a picture, measured here.")
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Largest bundle, such as 2MB.")
    ] = None,
    min_ap: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Least AP50 on the test frames, such as 0.85.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B", help="The only classes that stay; all by default.")
    ] = None,
    effort: Annotated[
        EffortChoice,
        typer.Option(
            help="quick: the network as it is; normal: 10 minutes for a smaller one; best: an hour."
        ),
    ] = EffortChoice.quick,
    forms: Annotated[
        str | None,
        typer.Option(metavar="A,B", help=f"Also write these files: {', '.join(sorted(FILE_FORMS))}."),
    ] = None,
    release: Annotated[
        int | None, typer.Option(min=1, help="Release number; the detector's version by default.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Compress DETECTOR, or several as one bundle, for a device or several into OUT."""
    with _stopped_by_signals() as stop:
        try:
            asked = Asked(max_ram, max_ms, max_bytes, min_ap, classes, effort.value, forms)
            done = _done(detectors, profile, out, release, asked, stop)
        except ElfowlError as error:
            typer.echo(f"elfowl-compress: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(_CANCELLED if stop.is_set() else 1) from error
    typer.echo(json.dumps(done.to_json_dict()) if as_json else done.summary())
    if not done.complete:
        raise typer.Exit(1)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, so that everything can be cleaned up first."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _done(
    detectors: list[str],
    profiles: list[str],
    out: Path,
    release: int | None,
    asked: Asked,
    stop: threading.Event,
) -> DoneForOne | DoneForEach:
    # Checked before torch is imported, so that a mistake is told at once.
    targets, files = asked.targets(profiles, out), parse_forms(asked.forms)
    if len(detectors) > 1 and len(targets) > 1:
        message = "several detectors are compressed for one device at a time: name one --profile"
        raise ConfigError(message)
    from compress.ordered import Ordered, carry_out

    return carry_out(Ordered(detectors, targets, out, asked.effort, files, release, stop.is_set))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
