"""What starts a job's process; without what keeps jobs, which takes long to load."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from cloud.store.tables import Job

MEDIA_KINDS = frozenset({"prepare", "import"})
"""Jobs of files that come in, most of them short."""

Command = Callable[[Job], Sequence[str]]


def worker_command(job: Job) -> list[str]:
    """Return the command of a job's child process."""
    arguments = {"detector_id": job.detector_id, **job.params}
    return [sys.executable, "-m", "cloud.worker", job.kind, "--job", json.dumps(arguments)]
