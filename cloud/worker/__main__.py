"""The child process of a job: `python -m cloud.worker KIND --job JSON`; tells progress as lines of JSON."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from cloud.accounts.workspaces import WORKSPACE_VARIABLE, settle
from cloud.actions.open_home import Home, open_home
from cloud.errors import AwayError
from cloud.jobs.command import MEDIA_KINDS
from cloud.jobs.progress import AWAY_CODE, ProgressLine
from cloud.processes import exit_with_parent
from cloud.settings import settings_from
from cloud.worker.progress import Cancelled, Progress
from edge_agent.errors import ElfowlError

Job = dict[str, Any]
_NICE = 5


def main(arguments: list[str]) -> int:
    """Do the job and return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    exit_with_parent()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    kind, _, text = arguments
    if kind not in MEDIA_KINDS:
        # Whoever watches streams or answers cameras on this machine goes first.
        os.nice(_NICE)
    settle(os.environ.get(WORKSPACE_VARIABLE))
    try:
        home = open_home(settings_from())
        result = _KINDS[kind](home, json.loads(text), stop.is_set)
    except AwayError as error:
        logging.getLogger(__name__).error("the job begins again once it can: %s", error)  # noqa: TRY400
        return AWAY_CODE
    except ElfowlError as error:
        _say(ProgressLine(error=" ".join(str(error).split())))
        return 1
    except OSError as error:
        logging.getLogger(__name__).exception("the job failed")
        _say(ProgressLine(error=f"{error.filename or 'disk'}: {error.strerror or error}"))
        return 1
    _say(ProgressLine(progress=1.0, stage="done", result=result))
    return 0


# Each job loads only its own libraries: hence the imports within.


def _train(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.train import train  # noqa: PLC0415

    wishes = {name: job[name] for name in ("budget_s", "seed", "keep_trunk") if name in job}
    return train(home, job["detector_id"], **wishes, progress=_tell, cancelled=cancelled)


def _prepare(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.incoming import prepare  # noqa: PLC0415

    return prepare(home, job["media_id"], progress=_tell, cancelled=cancelled)


def _import(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.incoming import take_in  # noqa: PLC0415

    return take_in(home, job, progress=_tell, cancelled=cancelled)


def _prelabel(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.prelabel import prelabel  # noqa: PLC0415

    return prelabel(home, job, progress=_tell, cancelled=cancelled)


def _suggest(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.suggest import suggest  # noqa: PLC0415

    return suggest(
        home,
        job["detector_id"],
        media_id=job.get("media_id"),
        count=job["count"],
        progress=_tell,
        cancelled=cancelled,
    )


def _evaluate(home: Home, job: Job, _cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.evaluate import evaluate_job  # noqa: PLC0415

    return evaluate_job(home, job, _tell)


def _compare(home: Home, job: Job, _cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.compare import compare_job  # noqa: PLC0415

    return compare_job(home, job, _tell)


def _compress(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.shrink import shrink  # noqa: PLC0415

    reference = f"{job['detector_id']}@{job['version']}"
    # Jobs of older versions say nothing of the effort.
    effort = job.get("effort", "quick")
    return shrink(home, reference, job["profile"], effort=effort, progress=_tell, cancelled=cancelled)


def _attribute(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.attributes import attribute_job  # noqa: PLC0415

    return attribute_job(home, job, _tell, cancelled)


def _watch(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.watch import watch  # noqa: PLC0415

    return watch(home, job, progress=_tell, cancelled=cancelled)


def _scan(home: Home, job: Job, cancelled: Cancelled) -> dict[str, Any]:
    from cloud.worker.scan import scan  # noqa: PLC0415

    return scan(home, job, progress=_tell, cancelled=cancelled)


_KINDS: dict[str, Callable[[Home, Job, Cancelled], dict[str, Any]]] = {
    "train": _train,
    "prepare": _prepare,
    "import": _import,
    "prelabel": _prelabel,
    "suggest": _suggest,
    "evaluate": _evaluate,
    "compare": _compare,
    "compress": _compress,
    "attribute": _attribute,
    "scan": _scan,
    "watch": _watch,
}


def _tell(progress: Progress) -> None:
    _say(
        ProgressLine(
            progress=min(1.0, max(0.0, progress.fraction)),
            stage=progress.stage,
            message=progress.message,
            seconds_left=progress.seconds_left,
            figures=dict(progress.figures),
        )
    )


def _say(line: ProgressLine) -> None:
    sys.stdout.write(line.model_dump_json() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
