"""How the command line answers mistakes, and the options of `clips`; light, for every command reads it."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path
from typing import NoReturn

_NO_COMMAND = "required: COMMAND"


class Usage(argparse.ArgumentParser):
    """A parser that shows what there is to those who only typed its name, and guesses what was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with code 2."""
        if _NO_COMMAND in message:
            self.print_help(sys.stderr)
            self.exit(2)
        chosen, *choices = re.findall(r"'([^']*)'", message) or [""]
        if "invalid choice" in message and (close := difflib.get_close_matches(chosen, choices, 1)):
            message = f"there is no {chosen!r}; did you mean {close[0]!r}?"
        super().error(message)


def add_clips(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the YAML file")
    parser.add_argument("--event", metavar="ID", help="hand out the clip of this event (default: list all)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a new file for it, as MP4")
    parser.set_defaults(command=_clips)


def _clips(options: argparse.Namespace) -> int:
    from edge_agent.agent.clips import run_clips
    from edge_agent.config import load_config

    return run_clips(load_config(options.config), options.event, options.out)
