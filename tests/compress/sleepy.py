"""A child process that sleeps, speaks, fails or dies, as its job says."""

from __future__ import annotations

import errno
import os
import sys
import time

from compress.errors import ExportError
from compress.processes import Job, StepListener, serve


def handle(job: Job, on_step: StepListener) -> Job:
    """Do one of the things that children do."""
    sys.stdout.write("noise of a library\n")
    on_step("started")
    time.sleep(job.get("seconds", 0))
    if "fail" in job:
        raise ExportError(job["fail"])
    if "full" in job:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), job["full"])
    if "die" in job:
        sys.stderr.write(job["die"] + "\n")
        os._exit(9)
    if "bug" in job:
        raise RuntimeError(job["bug"])
    return {"echo": os.getpid() if job.get("say") == "pid" else job.get("say")}


if __name__ == "__main__":
    serve(lambda: None, handle)
