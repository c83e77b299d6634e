"""Work in processes of its own: lanes run side by side, noise stays out of sight, cancelling is sure.

A child is started early: it imports what it needs while others still work, then waits for jobs, each one line
of JSON on stdin. It answers with lines of JSON: `{"step": name}` as it goes, at last `{"result": …}` or
`{"error": {"kind", "text"}}`. Whatever libraries print goes to a log file, whose last line explains a death.
When its stdin closes, because its work is done or the parent is gone, a child ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from compress.errors import CancelledError, ExportError
from edge_agent.errors import (
    ArtifactError,
    BackendError,
    CameraError,
    ConfigError,
    ElfowlError,
    StorageError,
)

Job = dict[str, Any]
StepListener = Callable[[str], None]
Handler = Callable[[Job, StepListener], Job]

_ERRORS: dict[str, type[ElfowlError]] = {
    kind.__name__: kind
    for kind in (ArtifactError, BackendError, CameraError, ConfigError, ExportError, StorageError)
}
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TQDM_DISABLE": "1",
    "PYTHONIOENCODING": "utf-8",
}


class Child:
    """One child process; one job at a time."""

    def __init__(self, module: str, log: Path) -> None:
        """Start `python -m module`; what its libraries print goes to `log`."""
        self._module = module
        self._log = log
        self._killed = threading.Event()
        with log.open("wb") as log_file:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                env=os.environ | _QUIET,
                encoding="utf-8",
            )

    @property
    def pid(self) -> int:
        """Return the process's number."""
        return self._process.pid

    def ask(self, job: Job, on_step: StepListener | None = None) -> Job:
        """Hand over a job and wait for the result.

        Args:
            job: Anything that JSON can say.
            on_step: Told of each step that the child begins.

        Raises:
            CancelledError: `kill` was called.
            ElfowlError: What the child raised.
            ExportError: The child died.
        """
        self._send(job)
        answer = self._answer(on_step)
        if answer is None:
            self.close()
        if self._killed.is_set():
            message = "the compression was cancelled"
            raise CancelledError(message)
        if answer is None:
            raise ExportError(self._obituary())
        if error := answer.get("error"):
            raise _ERRORS.get(error["kind"], ExportError)(error["text"])
        result: Job = answer["result"]
        return result

    def close(self) -> None:
        """Let the child go, and wait until it is gone; what was said stays."""
        for pipe in self._pipes():
            try:
                pipe.close()
            except OSError:
                continue  # the other end is gone, which is what we want
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the child now; safe from any thread, and when it is over already."""
        self._killed.set()
        self._process.kill()

    def _send(self, job: Job) -> None:
        stdin, _ = self._pipes()
        try:
            stdin.write(json.dumps(job) + "\n")
            stdin.flush()
        except OSError:
            return  # it died before it read its job; its last words are still to be read

    def _answer(self, on_step: StepListener | None) -> Job | None:
        _, stdout = self._pipes()
        for line in stdout:
            said: Job = json.loads(line)
            if "step" not in said:
                return said
            if on_step is not None:
                on_step(said["step"])
        return None

    def _pipes(self) -> tuple[TextIO, TextIO]:
        if self._process.stdin is None or self._process.stdout is None:
            message = f"{self._module} was started without pipes"
            raise ExportError(message)
        return self._process.stdin, self._process.stdout  # type: ignore[return-value]

    def _obituary(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{self._module} ended with code {self._process.returncode}: {last[:300]}"


def serve(prepare: Callable[[], object], handle: Handler) -> None:
    """Be the child: import (`prepare`), then do job after job until stdin closes.

    What `prepare` or `handle` raise beyond `ElfowlError` and `OSError` is a bug: the log has it, and the
    process ends.
    """
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)  # what libraries print must not mix with the answers
        threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
        try:
            prepare()
            while True:
                _say(answers, _outcome(handle, jobs.get(), lambda step: _say(answers, {"step": step})))
        except Exception:  # noqa: BLE001 - told in full, and the end of this process
            # Once the answers close the parent lets go, and `_listen` ends this process wherever it is. So
            # the last words come first, and the answers close with the process.
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)


def _outcome(handle: Handler, job: Job, on_step: StepListener) -> Job:
    try:
        return {"result": handle(job, on_step)}
    except ElfowlError as error:
        return {"error": {"kind": type(error).__name__, "text": str(error)}}
    except OSError as error:
        where = error.filename or "a temporary file"
        text = f"{where} cannot be written or read: {error.strerror or error}"
        return {"error": {"kind": "StorageError", "text": text}}


def _say(answers: TextIO, what: Job) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _listen(jobs: queue.SimpleQueue[Job]) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)
