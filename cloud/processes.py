"""Child processes that never outlive their parent, and are started again when they die.

A child of ours watches a pipe and ends when it closes (`exit_with_parent`), but for those that watch streams,
which are found again (`cloud.streams.seats`); a foreign program is started
through `python -m cloud.processes PROGRAM …`, which asks the kernel to end it with its parent (Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import IO, Protocol

from edge_agent.clock import Clock

_LOG = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
_GRACE_S = 5.0
_BACK_OFF_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_S = 60.0

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MKL_NUM_THREADS": "1"}
"""Environment of processes that run networks: more threads collapse on shared cores."""


START_S = 5.0
"""So long a process that was started is waited for, until the next one is."""


def starts_at_once() -> int:
    """Return how many of several processes to start at once, each of which loads libraries for seconds.

    As many as half the cores: who shares one is ready twice as late, and one of them does for all at first.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 2)


class Process(Protocol):
    """What is needed of `subprocess.Popen`: others may stand for processes that are not our children."""

    @property
    def pid(self) -> int:
        """Return its process id."""
        ...

    @property
    def stdin(self) -> IO[str] | None:
        """Return what leads to its standard input, if that is ours."""
        ...

    def poll(self) -> int | None:
        """Return how it ended; none while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended; raises `subprocess.TimeoutExpired` if it still runs by then."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...


def run_loop(main: Coroutine[object, object, None]) -> None:
    """Run to its end what serves a socket: in uvloop where it is installed, as the web server does."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)


def start_child(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, stdout: int | None = None
) -> subprocess.Popen[str]:
    """Start a program whose standard input is a pipe that closes when this process ends.

    It gets a process group of its own: Ctrl-C reaches this process only, which then ends the child in order.
    """
    return subprocess.Popen(  # noqa: S603 - the command is ours
        list(command),
        stdin=subprocess.PIPE,
        stdout=stdout,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )


def stop_child(process: Process, grace_s: float = _GRACE_S) -> None:
    """End a child: politely, then by force; all its own children go with it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


def exit_with_parent() -> None:
    """End this process as soon as its standard input closes; called first by children of ours."""

    def watch() -> None:
        # Not sys.stdin: its lock, held by this thread at the interpreter's own end, would be a fatal error.
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def foreign(program: str, *arguments: str) -> list[str]:
    """Return the command that starts a program that is not ours, so that it ends with this process."""
    return [sys.executable, "-m", "cloud.processes", shutil.which(program) or program, *arguments]


class Supervisor:
    """Keeps one child process running: when it dies it is started again, later each time."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Process],
        clock: Clock,
        *,
        grace_s: float = _GRACE_S,
    ) -> None:
        """Prepare; `grace_s` is how long the child may take to end politely."""
        self._name = name
        self._clock = clock
        self._start = start
        self._grace_s = grace_s
        self._process: Process | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name=f"supervise-{name}", daemon=True)
        self._first_start = threading.Event()
        self.restarts = 0

    def start(self) -> None:
        """Start the child and watch over it."""
        self._thread.start()
        self._first_start.wait()

    def stop(self) -> None:
        """End the child for good."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            stop_child(process, self._grace_s)
        if self._thread.is_alive():
            self._thread.join(_GRACE_S)

    @property
    def process_id(self) -> int | None:
        """Return the child's process id while it runs."""
        with self._lock:
            process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def _watch(self) -> None:
        # The thread that starts a child must live as long as the child: the kernel counts it as the parent.
        failures = 0
        while not self._stopping.is_set():
            process = self._start_once()
            self._first_start.set()
            if process is None:
                return
            started_s = self._clock.monotonic_s()
            code = process.wait()
            failures = 0 if self._clock.monotonic_s() - started_s > _STEADY_S else failures + 1
            if self._stopping.is_set():
                return
            self.restarts += 1
            wait_s = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
            _LOG.warning("%s ended with code %d; starting it again in %.1f s", self._name, code, wait_s)
            self._stopping.wait(wait_s)

    def _start_once(self) -> Process | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                self._process = self._start()
            except OSError:
                _LOG.exception("%s cannot be started", self._name)
                return None
            return self._process


def _run_foreign(command: Sequence[str]) -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(command[0], list(command))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _run_foreign(sys.argv[1:])
