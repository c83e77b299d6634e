"""A process that lets a job run in a cluster of Ray: `python -m cloud.engine.ray_job KIND --job JSON`.

To whoever started it, it is the job: it says what the job says, ends as the job ends, and takes it along when
it is told to end. The machines of the cluster have the cloud's home folder under its own path.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cloud.engine.cluster import join
from cloud.jobs.progress import AWAY_CODE
from cloud.processes import ONE_THREAD, exit_with_parent, start_child
from cloud.settings import settings_from
from edge_agent.clock import SystemClock

_LOG = logging.getLogger(__name__)


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[str | int]:
    """Run a job here: yield what it says, a line each, and at last how it ended."""
    command = [sys.executable, "-m", "cloud.worker", *arguments]
    child = start_child(command, environment={**environment, **ONE_THREAD}, stdout=subprocess.PIPE)
    # Not `yield from`: Ray sends into what it iterates, and a file takes nothing.
    for line in child.stdout or ():  # noqa: UP028
        yield line
    yield child.wait()


def follow(said: Iterator[Any]) -> int:
    """Say what a job elsewhere says; return how it ended, or that its machine was lost: it begins again."""
    try:
        for reference in said:
            one = ray.get(reference)
            if isinstance(one, int):
                return one
            sys.stdout.write(one)
            sys.stdout.flush()
    except RayTaskError:
        _LOG.exception("the job could not be run on its machine")
        return 1
    except RayError as error:
        _LOG.error("the job's machine was lost: %s", str(error).partition("\n")[0])
    return AWAY_CODE


def main(arguments: Sequence[str]) -> int:
    """Let a job run somewhere; return how it ended."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    join(settings_from().ray_address, SystemClock())
    # What is ours; how to reach other services each machine knows by itself.
    ours = {name: value for name, value in os.environ.items() if name.startswith("ELFOWL_")}
    options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0, "num_returns": "streaming"}
    code = follow(ray.remote(run).options(**options).remote(list(arguments), ours))
    if code < 0:
        # It was killed, and so is who stands for it.
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    # Ray takes seconds to say goodbye.
    sys.stdout.flush()
    os._exit(main(sys.argv[1:]))
