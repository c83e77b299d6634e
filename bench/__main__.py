"""`python -m bench NAME [--json] [--quick] [--size N]`: run one benchmark, or `all`.

Its table is printed, its JSON kept.

With `--quick`, benchmarks that can take a short look do so, and nothing is kept.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
from pathlib import Path

from bench.result import Result
from edge_agent.clock import SystemClock

_NOT_BENCHES = {"__main__", "result"}


def names() -> list[str]:
    """Return the benchmarks: every module here that has `run() -> Result`; packages hold their parts."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return [module.name for module in modules if not module.ispkg and module.name not in _NOT_BENCHES]


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*names(), "all"])
    parser.add_argument("--json", action="store_true", help="print the JSON document instead of the table")
    parser.add_argument(
        "--quick", action="store_true", help="take a short look where there is one; keep nothing"
    )
    parser.add_argument("--size", type=int, help="how much to measure on, where a benchmark can be asked")
    arguments = parser.parse_args()
    clock = SystemClock()
    for name in names() if arguments.name == "all" else [arguments.name]:
        run = importlib.import_module(f"bench.{name}").run
        known = inspect.signature(run).parameters
        wanted = {"quick": arguments.quick or None, "size": arguments.size}
        given = {name: value for name, value in wanted.items() if value is not None and name in known}
        result: Result = run(**given)
        if not arguments.quick:
            result.write(clock)
        print(json.dumps(result.document(clock), indent=2) if arguments.json else result.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
