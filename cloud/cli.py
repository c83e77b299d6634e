"""`elfowl-cloud`: the server, and everything that it can do from the command line."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import typer
from typer.main import get_command

from cloud.accounts.workspaces import HOME, within
from cloud.commands.late import LateGroup
from cloud.commands.options import AsJson, Home, read_settings
from edge_agent.errors import ElfowlError

_FIRST: Final = (
    "demo", "serve", "detector", "profiles", "bundle", "device", "rollout", "stream", "scan", "search",
    "correct", "corrections", "withdraw", "alert", "events", "attribute",
)  # fmt: skip


class _Commands(LateGroup):
    """Lists the commands in the order in which somebody who begins needs them."""

    places: ClassVar = {
        "plan": "cloud.commands.plan:plan",
        "worker": "cloud.commands.worker:worker",
        "search": "cloud.commands.search:search",
        "scan": "cloud.commands.scan:scan",
        "correct": "cloud.commands.correct:correct",
        "corrections": "cloud.commands.correct:list_corrections",
        "withdraw": "cloud.commands.correct:withdraw",
        "detector": "cloud.commands.detector:app",
        "bundle": "cloud.commands.bundle:app",
        "device": "cloud.commands.device:app",
        "rollout": "cloud.commands.rollout:app",
        "keys": "cloud.commands.keys:app",
        "attribute": "cloud.commands.attribute:app",
        "alert": "cloud.commands.alert:app",
        "events": "cloud.commands.events:app",
        "account": "cloud.commands.account:app",
        "workspace": "cloud.commands.workspace:app",
        "subnet": "cloud.commands.subnet:app",
        "stream": "cloud.commands.stream:app",
    }

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer keeps that type to itself
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))


app = typer.Typer(cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
_INTERRUPTED = 130


@app.callback()
def _root(
    context: typer.Context,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what happens inside.")] = False,
) -> None:
    """Teach, train, compress and send detectors; see what cameras see."""
    # Names mean one thing only within one workspace; others are spoken to by --url and their own tokens.
    context.with_resource(within(HOME))
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    if not verbose:
        logging.getLogger("dbos").setLevel(logging.ERROR)


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; others need an access token.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the portal and API, 8420 by default.")] = None,
    broker: Annotated[
        str | None, typer.Option(help="'auto', or mqtt://HOST:PORT of an existing one.")
    ] = None,
    broker_port: Annotated[
        int | None, typer.Option(help="Port of the broker that is started, 1883 by default.")
    ] = None,
    accounts: Annotated[
        str | None, typer.Option(help="'off': no passwords; whoever reaches the server may do everything.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="'ray': offload workers run in a cluster; 'local' by default.")
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Serve portal, API and, unless told otherwise, an MQTT broker."""
    settings = read_settings(
        home, host=host, port=port, broker=broker, broker_port=broker_port, accounts=accounts, engine=engine
    )
    from cloud.commands.watching import watching

    with within(None), watching(settings) as pool:
        from cloud.commands.serve import serve as run

        run(settings, pool)


@app.command()
def demo(
    port: Annotated[int | None, typer.Option(help="Port of the portal and API, 8420 by default.")] = None,
    broker_port: Annotated[int | None, typer.Option(help="Port of the broker, 1883 by default.")] = None,
    footage: Annotated[
        Path | None, typer.Option(help="The clip, or a folder with it, if you have it.")
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="End by itself.")] = False,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what was measured.")
    ] = None,
    home: Home = None,
) -> None:
    """Show everything once, on real footage."""
    from cloud.demo.run import DemoOptions, main_demo
    from cloud.ingest.broker import with_free_broker_port

    settings = read_settings(home, port=port, broker_port=broker_port)
    if broker_port is None:
        settings = with_free_broker_port(settings)
    code = main_demo(DemoOptions(settings, once=once, json_path=as_json, footage=footage))
    raise typer.Exit(code)


@app.command()
def profiles(*, as_json: AsJson = False) -> None:
    """List the kinds of device that detectors can be compressed for."""
    from cloud.commands.terminal import answer
    from edge_agent.runtime.profiles import load_profile, profile_names

    found = [{"name": name, "title": load_profile(name).title} for name in profile_names()]
    answer(found, [f"{one['name']:16} {one['title']}" for one in found], as_json=as_json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every foreseen error is one line and exit code 1, wrong usage is 2."""
    try:
        _command()(arguments)
    except ElfowlError as error:
        _fail(str(error))
    except BrokenPipeError:
        # Whoever read the answer has enough of it; the interpreter shall not try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        logging.getLogger(__name__).info("failed", exc_info=True)
        advice = error.strerror or str(error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            advice = "no space left; free some, nothing stored before is lost"
        _fail(f"{error.filename or 'disk'}: {advice}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


@cache
def _command() -> Callable[..., object]:
    # Typer reads the signatures of all commands each time that it is called.
    return get_command(app)


def _fail(message: str) -> None:
    typer.echo(f"elfowl-cloud: {' '.join(message.split())}", err=True)
    sys.exit(1)
