"""Durable jobs: each is a DBOS workflow whose one step runs `python -m cloud.worker` as a child process.

Invariants:
- A job that was accepted ends as done, failed or cancelled; when the server is killed, the next one runs it,
  and when its process is killed, another one does, once. One whose database went away begins again.
- One job runs at a time: training uses all cores. Files that come in do not wait for it; one at a time too.
- A child never outlives the server, and a cancelled one is ended at once.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from cloud.accounts.workspaces import WORKSPACE_VARIABLE
from cloud.errors import ConflictError
from cloud.jobs.command import MEDIA_KINDS, Command, worker_command
from cloud.jobs.progress import AWAY_CODE, ProgressLine, parse_line
from cloud.processes import ONE_THREAD, start_child, stop_child
from cloud.settings import Settings
from cloud.store import jobs
from cloud.store.database import Database
from cloud.store.tables import Job
from edge_agent.clock import Clock
from edge_agent.errors import StorageError

_LOG = logging.getLogger(__name__)
_QUEUE = "jobs"
_MEDIA_QUEUE = "media"
_LOOKED_INTO_EVERY_S = {_QUEUE: 0.2, _MEDIA_QUEUE: 1.0}
"""A look takes 2.5 ms, whether anybody asked or not. Who teaches waits for it; files take longer anyway."""

_EXECUTOR = "elfowl"
_UPDATE_S = 0.2
_AGAIN_S = 1.0
_MOST_KILLS = 2
"""A process that is killed each time is killed for what it does: mostly for the memory that it takes."""

_MOST_AWAYS = 10


class JobRunner:
    """Accepts jobs, runs them one after the other, tells how far they are."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        *,
        on_change: Callable[[Job], None] = lambda _job: None,
        command: Command = worker_command,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._on_change = on_change
        self._command = command
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[str]] = {}
        self._figures: dict[str, dict[str, float]] = {}
        self._stopping = False
        self._workflow: Callable[[str], None] | None = None

    def start(self) -> None:
        """Go on with what a former server left, and take new jobs."""
        config = DBOSConfig(
            name="elfowl",
            system_database_url=_jobs_url(self._settings),
            executor_id=_EXECUTOR,
            application_version="1",
            log_level="WARNING",
            enable_otlp=False,
        )
        DBOS(config=config)

        @DBOS.step(name="run_child")
        def run_child(job_id: str) -> None:
            self._run_child(job_id)

        @DBOS.workflow(name="run_job")
        def run_job(job_id: str) -> None:
            run_child(job_id)

        self._workflow = run_job
        DBOS.launch()
        for queue, every_s in _LOOKED_INTO_EVERY_S.items():
            DBOS.register_queue(queue, worker_concurrency=1, polling_interval_sec=every_s)
        self._adopt()

    def stop(self) -> None:
        """End the running child; its job goes on at the next start."""
        self._stopping = True
        with self._lock:
            children = list(self._children.values())
        for child in children:
            stop_child(child)
        DBOS.destroy(destroy_registry=True)

    def submit(self, kind: str, detector_id: str, params: dict[str, Any]) -> Job:
        """Accept a job.

        Raises:
            ConflictError: The same job is under way already.
        """
        with self._database.write(durable=True) as session:
            job = jobs.add(
                session, kind=kind, detector_id=detector_id, params=params, now_s=self._clock.now_s()
            )
        self._enqueue(job)
        self._on_change(job)
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job; what it made so far is thrown away.

        Raises:
            NotFoundError: There is no such job.
            ConflictError: It has ended already.
        """
        with self._database.read() as session:
            if (ended := jobs.find(session, job_id)).state in jobs.ENDED:
                message = f"job {job_id} is {ended.state} already"
                raise ConflictError(message)
        job = self._change(job_id, state="cancelled", message="cancelled", seconds_left=None)
        with self._lock:
            child = self._children.get(job_id)
        if child is not None:
            stop_child(child)
        return job

    def figures(self, job_id: str) -> dict[str, float]:
        """Return what a running job measures on its way, as loss and ap50; empty when it tells nothing."""
        return self._figures.get(job_id, {})

    def _enqueue(self, job: Job) -> None:
        if self._workflow is None:
            message = "the job runner is not started"
            raise RuntimeError(message)
        queue = _MEDIA_QUEUE if job.kind in MEDIA_KINDS else _QUEUE
        with SetWorkflowID(job.id):
            DBOS.enqueue_workflow(queue, self._workflow, job.id)

    def _adopt(self) -> None:
        """Enqueue jobs that were accepted, but not handed over before the server was killed."""
        with self._database.read() as session:
            waiting = jobs.unfinished(session)
        for job in waiting:
            if DBOS.get_workflow_status(job.id) is None:
                self._enqueue(job)

    def _run_child(self, job_id: str) -> None:
        kills = aways = 0
        while True:
            job = self._patiently(lambda: self._find(job_id))
            if job.state in jobs.ENDED or self._stopping:
                return
            code, last = self._run_once(job)
            kills, aways = kills + (code < 0), aways + (code == AWAY_CODE)
            is_broken_off = code < 0 or code == AWAY_CODE
            if not is_broken_off or last.error is not None or kills == _MOST_KILLS or aways == _MOST_AWAYS:
                self._finish(job_id, code, last)
                return
            _LOG.error("job %s: its process was broken off (status %d); it is run again", job_id, code)
            self._clock.sleep(_AGAIN_S)

    def _run_once(self, job: Job) -> tuple[int, ProgressLine]:
        """Run a job's process; return its exit status, negative for a signal, and its last words."""
        job_id = job.id
        begins = {"state": "running", "progress": 0.0, "stage": "starting", "message": "", "error": None}
        self._patiently(lambda: self._change(job_id, **begins))
        environment = {
            **ONE_THREAD,
            **self._settings.for_children,
            WORKSPACE_VARIABLE: job.workspace_id,
        }
        child = start_child(self._command(job), environment=environment, stdout=subprocess.PIPE)
        with self._lock:
            self._children[job_id] = child
        try:
            last = self._follow(job_id, child)
        finally:
            with self._lock:
                del self._children[job_id]
            self._figures.pop(job_id, None)
        if self._stopping:
            # Not ended: an error here leaves the step to the next start.
            message = f"job {job_id} goes on at the next start"
            raise SystemExit(message)
        return child.wait(), last

    def _follow(self, job_id: str, child: subprocess.Popen[str]) -> ProgressLine:
        last = ProgressLine()
        told_s = 0.0
        for line in child.stdout or ():
            said = parse_line(line)
            if said is None:
                _LOG.info("job %s: %s", job_id, line.rstrip())
                continue
            last = said
            if self._clock.monotonic_s() - told_s >= _UPDATE_S and said.result is None and said.error is None:
                told_s = self._clock.monotonic_s()
                self._figures[job_id] = {**self.figures(job_id), **said.figures}
                # A database that is away for a while costs some news of a job, never the job.
                with contextlib.suppress(StorageError):
                    self._change(
                        job_id,
                        progress=said.progress,
                        stage=said.stage,
                        message=said.message,
                        seconds_left=said.seconds_left,
                    )
        return last

    def _finish(self, job_id: str, code: int, last: ProgressLine) -> None:
        if code == 0 and last.result is not None:
            done = {"state": "done", "progress": 1.0, "stage": "done", "message": "", "seconds_left": 0.0}
            self._patiently(lambda: self._change(job_id, **done, result=last.result))
            return
        how = f"was killed {_MOST_KILLS} times (signal {-code})" if code < 0 else f"ended with code {code}"
        reason = last.error or f"the worker process {how}; the server's log says more"
        self._patiently(lambda: self._change(job_id, state="failed", seconds_left=None, error=reason))

    def _patiently(self, work: Callable[[], Job]) -> Job:
        """Do it; a database that is away is waited for: a job that ended is never told as lost."""
        while True:
            try:
                return work()
            except StorageError as error:
                if self._stopping:
                    # Not ended: an error here leaves the step to the next start.
                    message = "the database is away; the job goes on at the next start"
                    raise SystemExit(message) from error
                _LOG.error("a job waits for the database: %s", error)
                self._clock.sleep(_AGAIN_S)

    def _find(self, job_id: str) -> Job:
        with self._database.read() as session:
            return jobs.find(session, job_id)

    def _change(self, job_id: str, **fields: Any) -> Job:  # noqa: ANN401 - columns of a job
        with self._database.write() as session:
            job = jobs.change(session, job_id, now_s=self._clock.now_s(), **fields)
        self._on_change(job)
        return job


def _jobs_url(settings: Settings) -> str:
    """Return where it is kept which jobs are under way: beside the tables, in a schema of its own."""
    return (
        f"sqlite:///{settings.home / 'jobs.sqlite'}" if settings.database is None else settings.database_url
    )
