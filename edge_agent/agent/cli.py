"""The options of `elfowl-agent clips`; light, because every command reads it."""

from __future__ import annotations

import argparse
from pathlib import Path


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
