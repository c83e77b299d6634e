"""The options of `elfowl-agent discover`; light, because every command reads it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edge_agent.errors import ConfigError


def add_discover(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--user", metavar="NAME", help="who we are to the cameras; the password is asked for")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="a text file with the password")
    parser.add_argument("--host", metavar="HOST[:PORT]", help="only this camera, without a search")
    parser.add_argument("--probe", metavar="HOST[:PORT]", help="search there, where multicast does not reach")
    parser.add_argument("--seconds", type=float, metavar="N", default=3.0, help="how long to search")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    adding = parser.add_argument_group("adding to a config file")
    adding.add_argument("--add", metavar="NAME", help="add the camera under this name, if its stream opens")
    adding.add_argument("--config", type=Path, metavar="FILE", help="the YAML file")
    adding.add_argument("--channel", type=int, metavar="N", help="which one, if the device has several")
    adding.add_argument("--stream", choices=["detect", "main"], default="detect", help="which one to look at")
    adding.add_argument("--clips", action="store_true", help="keep clips of events from its main stream, too")
    parser.set_defaults(command=_discover)


def _discover(options: argparse.Namespace) -> int:
    from getpass import getpass
    from importlib.util import find_spec

    if find_spec("onveef") is None:
        message = "discover needs one more part; install it: pip install 'elfowl[onvif]'"
        raise ConfigError(message)
    from edge_agent.discover.command import Wishes, run_discover
    from edge_agent.discover.login import find_login
    from edge_agent.main import configure_logging

    configure_logging(quiet=True)
    ask = getpass if sys.stdin.isatty() else None
    wishes = Wishes(
        host=options.host,
        probe=options.probe,
        seconds=options.seconds,
        json=options.json,
        add=options.add,
        config=options.config,
        channel=options.channel,
        stream=options.stream,
        clips=options.clips,
    )
    return run_discover(wishes, find_login(options.user, options.password_file, os.environ, ask))
