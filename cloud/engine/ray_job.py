"""A process that lets a job run in a cluster of Ray: `python -m cloud.engine.ray_job KIND --job JSON`.

To whoever started it, it is the job: it says what the job says, ends as the job ends, and takes it along when
it is told to end. The machines of the cluster have the cloud's home folder under its own path; where one
that the job comes to has it not, the job is run here.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from cloud.engine.cluster import join
from cloud.jobs.progress import AWAY_CODE
from cloud.processes import ONE_THREAD, exit_with_parent, start_child
from cloud.settings import Settings, settings_from
from edge_agent.clock import SystemClock

_LOG = logging.getLogger(__name__)
_MARK = "home-"


def run(arguments: Sequence[str], environment: Mapping[str, str], mark: Path) -> Iterator[str | int]:
    """Run a job on this machine: yield what it says, a line each, and at last how it ended.

    Args:
        arguments: Of the job's process.
        environment: Its variables, beside those of this machine.
        mark: A file in the home folder of whoever asks; where it is not, nothing is run, nor said.
    """
    if not mark.exists():
        return
    command = [sys.executable, "-m", "cloud.worker", *arguments]
    child = start_child(command, environment={**environment, **ONE_THREAD}, stdout=subprocess.PIPE)
    # Not `yield from`: Ray sends into what it iterates, and a file takes nothing.
    for line in child.stdout or ():  # noqa: UP028
        yield line
    yield child.wait()


def follow(said: Iterator[str | int]) -> int | None:
    """Say what a job says; return how it ended, or that its machine was lost: it begins again.

    None: the machine that it came to does not see the home folder.
    """
    try:
        for one in said:
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
    return None


@contextmanager
def marked(home: Path) -> Iterator[Path]:
    """Give a file in a home folder, by which others see whether theirs is the same one."""
    folder = home / "cache"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_MARK}*"):
        # By a job that was broken off; there is but one at a time.
        left.unlink(missing_ok=True)
    with NamedTemporaryFile(dir=folder, prefix=_MARK) as mark:
        yield Path(mark.name)


def _run_somewhere(arguments: Sequence[str], settings: Settings) -> int:
    # What is ours; how to reach other services each machine knows by itself.
    ours = {name: value for name, value in os.environ.items() if name.startswith("ELFOWL_")}
    options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0, "num_returns": "streaming"}
    with marked(settings.home) as mark:
        said = ray.remote(run).options(**options).remote(list(arguments), ours, mark)
        code = follow(ray.get(one) for one in said)
        if code is None:
            _LOG.warning(
                "a machine of the cluster does not see the home folder %s: the job is run here; let all "
                "machines see it under this path, or set ELFOWL_JOBS_ENGINE=local",
                settings.home,
            )
            code = follow(run(arguments, ours, mark))
    return AWAY_CODE if code is None else code


def main(arguments: Sequence[str]) -> int:
    """Let a job run somewhere; return how it ended."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = settings_from()
    join(settings.ray_address, SystemClock())
    code = _run_somewhere(arguments, settings)
    if code < 0:
        # It was killed, and so is who stands for it.
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    # Ray takes seconds to say goodbye.
    sys.stdout.flush()
    os._exit(main(sys.argv[1:]))
