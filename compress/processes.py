"""Work in processes of its own: lanes run side by side, noise stays out of sight, cancelling is sure.

A child is started early: it imports what it needs while others still work, then waits for its job, one line
of JSON on stdin. It answers with lines of JSON: `{"step": name}` as it goes, at last `{"result": …}` or
`{"error": {"kind", "text"}}`. Whatever libraries print goes to a log file, whose last line explains a death.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
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
    """One child process that does one job."""

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

    def run(self, job: Job, on_step: StepListener | None = None) -> Job:
        """Hand over the job and wait for the result.

        Args:
            job: Anything that JSON can say.
            on_step: Told of each step that the child begins.

        Raises:
            CancelledError: `kill` was called.
            ElfowlError: What the child raised.
            ExportError: The child died.
        """
        try:
            answer = self._converse(job, on_step)
        finally:
            self._close()
        if self._killed.is_set():
            message = "the compression was cancelled"
            raise CancelledError(message)
        if answer is None:
            raise ExportError(self._obituary())
        if error := answer.get("error"):
            raise _ERRORS.get(error["kind"], ExportError)(error["text"])
        result: Job = answer["result"]
        return result

    def kill(self) -> None:
        """End the child now; safe from any thread, and when it is over already."""
        self._killed.set()
        self._process.kill()

    def _converse(self, job: Job, on_step: StepListener | None) -> Job | None:
        stdin, stdout = self._pipes()
        try:
            stdin.write(json.dumps(job) + "\n")
            stdin.flush()
        except OSError:
            return None  # it died before it read its job; the log says why
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

    def _close(self) -> None:
        stdin, stdout = self._pipes()
        for pipe in (stdin, stdout):
            try:
                pipe.close()
            except OSError:
                continue  # the other end is gone, which is what we want
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _obituary(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{self._module} ended with code {self._process.returncode}: {last[:300]}"


def serve(prepare: Callable[[], object], handle: Handler) -> None:
    """Be the child: import (`prepare`), wait for the job, do it, answer.

    When the parent is gone the child ends at once.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as answers:
        os.dup2(2, 1)  # what libraries print must not mix with the answers
        try:
            prepare()
            job: Job = json.loads(sys.stdin.readline() or "null")
            if job is None:
                return
            threading.Thread(target=_end_with_parent, daemon=True).start()
            result = handle(job, lambda step: _say(answers, {"step": step}))
        except ElfowlError as error:
            _say(answers, {"error": {"kind": type(error).__name__, "text": str(error)}})
        except OSError as error:
            text = (
                f"{error.filename or 'a temporary file'} cannot be written or read: {error.strerror or error}"
            )
            _say(answers, {"error": {"kind": "StorageError", "text": text}})
        else:
            _say(answers, {"result": result})


def _say(answers: TextIO, what: Job) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)
