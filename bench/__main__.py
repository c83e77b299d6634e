"""`python -m bench NAME [--json]`: run one benchmark, or `all`; print its table, keep its JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path

from bench.result import Result
from edge_agent.clock import SystemClock

_NOT_BENCHES = {"__main__", "result"}


def names() -> list[str]:
    """Return the benchmarks: every module here that has `run() -> Result`."""
    return [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name not in _NOT_BENCHES]


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*names(), "all"])
    parser.add_argument("--json", action="store_true", help="print the JSON document instead of the table")
    arguments = parser.parse_args()
    clock = SystemClock()
    for name in names() if arguments.name == "all" else [arguments.name]:
        result: Result = importlib.import_module(f"bench.{name}").run()
        result.write(clock)
        print(json.dumps(result.document(clock), indent=2) if arguments.json else result.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
