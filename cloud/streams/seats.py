"""Seats of workers that watch: by them a server finds workers that outlived the one that started them.

A seat is a few files in the home folder. `SLOT.lock` is locked by who sits there until its process ends,
however it ends, for it is the kernel that keeps the lock; in it stands which process that is. By `SLOT.news`,
a named pipe, who sits there tells its server what was stored, whichever server that is by now, and sees
whether there is one. `SLOT.terms` says on which terms it was started. All seats of a pool lie in one folder,
its row, which the pool locks in the same way: two pools on one home have two rows.
"""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from edge_agent.clock import Clock

_MOST_ROWS = 64
_WRITE_MS = 200
"""So long who sits there waits for a server that is slow to read."""

_TRIES = 20
_TRY_S = 0.1
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class TakenError(Exception):
    """Somebody sits there."""


class Found:
    """A process that somebody else started, as `Supervisor` wants one; how it ended, nobody learns."""

    stdin = None

    def __init__(self, process: psutil.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Return its process id."""
        return int(self._process.pid)

    def poll(self) -> int | None:
        """Return none while it runs."""
        try:
            runs = self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return 0
        return None if runs else 0

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ended.

        Raises:
            subprocess.TimeoutExpired: It still runs after `timeout` seconds.
        """
        try:
            self._process.wait(timeout)
        except psutil.TimeoutExpired as error:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0) from error
        return 0

    def terminate(self) -> None:
        """Ask it to end."""
        with suppress(psutil.NoSuchProcess):
            self._process.terminate()


class Seat:
    """One seat, as the pool sees it; `path` is that of its files, but for their endings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def slot(self) -> str:
        """Return its name, which no other seat has, on any machine."""
        return self.path.name

    def found(self) -> Found | None:
        """Return who sits there, if anybody does and it is known who."""
        lock = self.path.with_suffix(".lock")
        try:
            process = psutil.Process(int(lock.read_text()))
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        # The lock is looked at last: who still has it now had it when its process was looked up.
        return Found(process) if _is_locked(lock) else None

    @property
    def terms(self) -> str:
        """Return on which terms who sits there was started."""
        try:
            return self.path.with_suffix(".terms").read_text()
        except OSError:
            return ""

    def prepare(self, terms: str) -> None:
        """Make it ready for somebody who is about to be started; who finds it unready cannot stay."""
        with suppress(OSError):
            self._pipe()
            self.path.with_suffix(".terms").write_text(terms)

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen to who sits there; gives what to read from, which never ends by itself."""
        # For both, so that it does not end with each of the writers.
        descriptor = os.open(self._pipe(), os.O_RDWR | os.O_NONBLOCK)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _pipe(self) -> Path:
        pipe = self.path.with_suffix(".news")
        pipe.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.mkfifo(pipe, 0o600)
        return pipe


class SeatRow:
    """The seats of one pool, which has them until it ends."""

    def __init__(self, folder: Path, lock: int) -> None:
        """Have a row whose lock is held; `claim` gets one."""
        self._folder, self._lock = folder, lock
        self._name = _name_of(folder)

    @classmethod
    def claim(cls, top: Path) -> SeatRow:
        """Take the first row of a folder that no living pool has.

        Raises:
            OSError: There can be none in that folder.
        """
        for number in range(_MOST_ROWS):
            folder = top / str(number)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                lock = _lock(folder / "pool.lock")
            except TakenError:
                continue
            try:
                (folder / "pool.pipe").unlink(missing_ok=True)
                os.mkfifo(folder / "pool.pipe")  # seats need them, and not all file systems have them
                return cls(folder, lock)
            except OSError:
                os.close(lock)
                raise
        message = f"{top}: {_MOST_ROWS} pools of workers use this home"
        raise OSError(message)

    def seats(self, count: int) -> list[Seat]:
        """Return so many seats, the same ones each time."""
        return [self._seat(number) for number in range(count)]

    def beyond(self, count: int) -> list[Found]:
        """Return who sits on other seats than these."""
        kept = {seat.slot for seat in self.seats(count)}
        others = [path.stem for path in self._folder.glob(f"{self._name}-*.lock") if path.stem not in kept]
        found = (Seat(self._folder / slot).found() for slot in others)
        return [one for one in found if one is not None]

    def release(self) -> None:
        """Leave the row to others."""
        os.close(self._lock)

    def _seat(self, number: int) -> Seat:
        return Seat(self._folder / f"{self._name}-{number}")


class Sitting:
    """What who sits at a seat has: its lock, and the pipe to whoever is its server now.

    One thread says something while others look whether there is a server.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Sit down.

        Raises:
            TakenError: Somebody sits there.
            OSError: There is no such seat.
        """
        self._pipe_path = path.with_suffix(".news")
        self._lock = _patient_lock(path.with_suffix(".lock"), clock)
        os.ftruncate(self._lock, 0)
        os.write(self._lock, str(os.getpid()).encode())
        self._pipe = _writing_end(self._pipe_path)
        self._is_torn = False

    @property
    def has_server(self) -> bool:
        """Return whether somebody listens."""
        return not any(flags & select.POLLERR for _, flags in self._wait(0))

    @property
    def is_there(self) -> bool:
        """Return whether the seat is where it was: else no server will ever find who sits there."""
        try:
            return os.path.samestat(self._pipe_path.stat(), os.fstat(self._pipe))
        except OSError:
            return False

    def say(self, line: str) -> None:
        """Tell the server something; what nobody listens to is not told later, either."""
        data = (b"\n" if self._is_torn else b"") + line.encode() + b"\n"
        patience_ms = 0 if self._is_torn else _WRITE_MS
        # Until all of it is written the line is torn.
        self._is_torn = True
        with suppress(BrokenPipeError, BlockingIOError):
            while data:
                if not self._wait(patience_ms):
                    return
                data = data[os.write(self._pipe, data) :]
            self._is_torn = False

    def _wait(self, patience_ms: int) -> list[tuple[int, int]]:
        """Wait until the pipe takes something, or nobody listens."""
        # Each time another one: two threads that wait with one are an error.
        poll = select.poll()
        poll.register(self._pipe, select.POLLOUT)
        return poll.poll(patience_ms)

    def leave(self) -> None:
        """Get up."""
        os.close(self._pipe)
        os.close(self._lock)


def _lock(path: Path) -> int:
    """Return a descriptor that holds the lock of a file until it is closed, or the process ends.

    Raises:
        TakenError: Another one holds it.
        OSError: The file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise TakenError(path) from error
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _patient_lock(path: Path, clock: Clock) -> int:
    # A server that looks whether somebody sits there has the lock for a moment.
    for _ in range(_TRIES):
        with suppress(TakenError):
            return _lock(path)
        clock.sleep(_TRY_S)
    return _lock(path)


def _is_locked(path: Path) -> bool:
    try:
        os.close(_lock(path))
    except TakenError:
        return True
    return False


def _writing_end(pipe: Path) -> int:
    # A pipe without a reader cannot be opened for writing: for a moment this process is its reader.
    reading = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    finally:
        os.close(reading)


def _name_of(folder: Path) -> str:
    """Return the name of a row; another one on another machine, and when this one was started anew.

    So a home that was copied to a second machine does not free what workers of the first one hold.
    """
    path = folder / "name"
    boot = _BOOT.read_text().strip() if _BOOT.exists() else ""
    machine = f"{platform.node()} {boot}"
    name, _, known = path.read_text().partition("\n") if path.exists() else ("", "", "")
    if not name or known != machine:
        for old in folder.glob("pool_*"):
            old.unlink(missing_ok=True)
        name = f"pool_{secrets.token_hex(3)}"
        path.write_text(f"{name}\n{machine}")
    return name
