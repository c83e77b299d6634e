"""Starts our workers at once: a process that has loaded their libraries already is forked for each of them.

Loading torch and the rest takes each worker seconds of a core, and after a restart of the server all of them
want it at the same time. `python -m cloud.nursery MODULE…` loads it once, and forks whenever it is asked to.

Invariants:
- The nursery has one thread and never runs a network: a fork would take over no other thread.
- Whoever is forked is as if it had been started by itself: streams, environment, session and arguments are
  its own, and it lives on when the nursery dies.
- The nursery ends with whoever started it. Where it cannot help, the caller starts a process as usual.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import logging
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_LOG = logging.getLogger(__name__)
_LENGTH_BYTES = 8
_MOST_FDS = 3
_KILLED = -signal.SIGKILL
_CANNOT = 1
"""How it ends when it will not do better the next time."""

# What is forked writes its own name over the nursery's command line, which must be long enough.
_ROOM_FOR_NAMES = "-" * 1500


class Nursling:
    """A process that the nursery forked; what is used of `subprocess.Popen` is the same here.

    Attributes:
        pid: 0 until it runs: the nursery may still be loading.
        returncode: None while it runs; negative for a signal.
    """

    def __init__(self, stdin: IO[str], stdout: IO[str] | None, status: IO[str]) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self.stdin, self.stdout = stdin, stdout
        self._ended = threading.Event()
        threading.Thread(target=self._follow, args=(status,), name="nursling", daemon=True).start()

    def poll(self) -> int | None:
        """Return how it ended; None while it runs, or is about to."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, once it did.

        Raises:
            subprocess.TimeoutExpired: It did not in so many seconds.
        """
        if not self._ended.wait(timeout):
            name = f"process {self.pid}"
            raise subprocess.TimeoutExpired(name, timeout or 0.0)
        return _KILLED if self.returncode is None else self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.pid == 0:
            # It ends as soon as it begins.
            self.stdin.close()
        elif self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _follow(self, status: IO[str]) -> None:
        code = _KILLED
        with status:
            for line in status:
                word, _, number = line.partition(" ")
                if word == "born":
                    self.pid = int(number)
                else:
                    code = int(number)
                    break
            else:
                # The nursery died: it only cannot tell any more how this one ends.
                _wait_until_gone(self.pid)
        self.returncode = code
        self._ended.set()


class Nursery:
    """A process that has loaded some modules; started with the first `open`, and again when it died."""

    def __init__(
        self, bears: frozenset[str], loads: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Prepare.

        Args:
            bears: Modules that are started by it, as `python -m MODULE`.
            loads: What it loads beforehand; none of `bears`.
            environment: Beside its own, for libraries that look at it when they are loaded.
        """
        self._bears, self._loads, self._environment = bears, tuple(loads), dict(environment or {})
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def process_id(self) -> int | None:
        """Return its process id, once it was opened."""
        return None if self._process is None else self._process.pid

    def open(self) -> None:
        """Begin to load; returns at once."""
        with self._lock:
            self._open()

    def close(self) -> None:
        """End it; what it forked goes on."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                self._process.wait()
            self._process = self._control = None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], *, with_stdout: bool
    ) -> Nursling | None:
        """Start a process whose standard input is a pipe; None where this must be done as usual.

        Args:
            command: As for `subprocess`.
            environment: All of its variables.
            with_stdout: Its standard output is a pipe, too.
        """
        if len(command) < 3 or command[:2] != [sys.executable, "-m"] or command[2] not in self._bears:
            return None
        order = {"command": list(command), "environment": dict(environment)}
        with self._lock:
            if self._control is None or self._process is None:
                return None
            try:
                return _asked(self._control, order, with_stdout=with_stdout)
            except OSError as error:
                _LOG.warning("the nursery is gone: %s", error)
                if self._process.wait() != _CANNOT:
                    self._open()
                return None

    def _open(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._control, theirs = socket.socketpair()
        command = [sys.executable, "-m", "cloud.nursery", *self._loads, _ROOM_FOR_NAMES]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                stdin=theirs.fileno(),
                env={**os.environ, **self._environment},
                start_new_session=True,
            )


def _asked(control: socket.socket, order: Mapping[str, Any], *, with_stdout: bool) -> Nursling:
    """Ask for a process.

    Raises:
        OSError: The nursery is gone.
    """
    theirs_in, ours_in = os.pipe()
    ours_status, theirs_status = os.pipe()
    theirs, ours = [theirs_in, theirs_status], [ours_in, ours_status]
    if with_stdout:
        ours_out, theirs_out = os.pipe()
        theirs, ours = [*theirs, theirs_out], [*ours, ours_out]
    files = [os.fdopen(one, mode, encoding="utf-8") for one, mode in zip(ours, "wrr", strict=False)]
    data = json.dumps(order).encode()
    try:
        socket.send_fds(control, [len(data).to_bytes(_LENGTH_BYTES)], theirs)
        control.sendall(data)
    except OSError:
        for file in files:
            file.close()
        raise
    finally:
        for one in theirs:
            os.close(one)
    return Nursling(files[0], files[2] if with_stdout else None, files[1])


def _wait_until_gone(process_id: int) -> None:
    """Return when a process that is not ours has ended."""
    if process_id == 0:
        return
    try:
        watched = os.pidfd_open(process_id)
    except OSError:
        return
    select.select([watched], [], [])
    os.close(watched)


@dataclass(frozen=True)
class _Order:
    """What to become, and the file descriptors for it: standard input, status, and maybe standard output."""

    command: list[str]
    environment: dict[str, str]
    fds: list[int]


class _Ward:
    """The nursery's own side: forks, and tells how what it forked ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._statuses: dict[int, int] = {}
        self._woken, self._wakes = socket.socketpair()
        for one in (self._woken, self._wakes):
            one.setblocking(False)

    def wait_for_birth(self) -> _Order | None:
        """Return, in a fork, what it is to become; None, in the nursery, when nobody is left to ask."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._control, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(4096)
                self._bury()
            if self._control in ready:
                order = _receive(self._control)
                if order is None:
                    return None
                if self._fork(order):
                    return order

    def _fork(self, order: _Order) -> bool:
        """Return whether this is the fork."""
        process_id = os.fork()
        if process_id == 0:
            self._forget_all()
            return True
        status = order.fds[1]
        for one in order.fds:
            if one != status:
                os.close(one)
        self._statuses[process_id] = status
        _tell(status, f"born {process_id}\n")
        return False

    def _bury(self) -> None:
        while self._statuses:
            process_id, how = os.waitpid(-1, os.WNOHANG)
            if process_id == 0:
                return
            status = self._statuses.pop(process_id)
            _tell(status, f"ended {os.waitstatus_to_exitcode(how)}\n")
            os.close(status)

    def _forget_all(self) -> None:
        """Drop, in a fork, what is the nursery's: its socket is replaced by the fork's own standard input."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.detach()
        for status in self._statuses.values():
            os.close(status)
        for one in (self._woken, self._wakes):
            one.close()


def _tell(status: int, line: str) -> None:
    # Whoever asked may be gone.
    with contextlib.suppress(OSError):
        os.write(status, line.encode())


def _receive(control: socket.socket) -> _Order | None:
    head, fds, _, _ = socket.recv_fds(control, _LENGTH_BYTES, _MOST_FDS)
    if len(head) < _LENGTH_BYTES:
        return None
    data = b""
    while len(data) < int.from_bytes(head):
        part = control.recv(int.from_bytes(head) - len(data))
        if not part:
            return None
        data += part
    return _Order(**json.loads(data), fds=list(fds))


def _become(order: _Order) -> None:
    """Be the process that was asked for, from here to its end."""
    os.setsid()
    for one, fd in zip(order.fds, (0, None, 1), strict=False):
        if fd is not None:
            os.dup2(one, fd)
        os.close(one)
    os.environ.clear()
    os.environ.update(order.environment)
    if numpy := sys.modules.get("numpy"):
        # Who is forked must not draw the same numbers as the others; Python's own are drawn anew by itself.
        numpy.random.seed()
    _rename(order.command)
    _, _, module, *arguments = order.command
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _rename(command: Sequence[str]) -> None:
    """Let `ps` show what this process is now: written over the command line that it has from the nursery."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begin, end = int(fields[45]), int(fields[46])
        words = "\0".join(command).encode()[: end - begin - 1]
        ctypes.memmove(begin, words.ljust(end - begin, b"\0"), end - begin)


def main(*modules: str) -> None:
    """Load modules, then fork whenever asked to."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            # Who needs it says so, and better.
            _LOG.warning("%s: %s", module, error)
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:
        # A fork has only the one that forks: what the others hold stays held for ever.
        _LOG.error("the nursery has %d threads and forks nobody; workers are started one by one", threads)
        sys.exit(_CANNOT)
    gc.collect()
    # What is there now stays: then forks share the memory.
    gc.freeze()
    order = _Ward(socket.socket(fileno=0)).wait_for_birth()
    if order is not None:
        _become(order)


if __name__ == "__main__":
    main(*sys.argv[1:-1])
