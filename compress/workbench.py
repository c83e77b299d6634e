"""The folder, the children and the lanes of one compression; all are gone when it ends, however it ends."""

from __future__ import annotations

import concurrent.futures
import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from compress.errors import CancelledError
from compress.processes import Child
from compress.progress import MeterPart, ProgressMeter
from edge_agent.errors import StorageError

Cancelled = Callable[[], bool]

_Result = TypeVar("_Result")
_TICK_S = 0.2
WORKING_FOLDER = ".working"


class _Children:
    """All processes of a compression; once closed, none is started any more."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child | _Children] = []
        self._lock = threading.Lock()
        self._closed = False

    def part(self, logs: Path) -> _Children:
        """Return some that can fail alone; they end with all others."""
        with self._lock:
            if self._closed:
                raise _cancelled_error()
            self._children.append(part := _Children(logs))
            return part

    def start(self, module: str) -> Child:
        with self._lock:
            if self._closed:
                raise _cancelled_error()
            self._children.append(child := Child(module, self._logs / f"{len(self._children)}.log"))
            return child

    def kill(self) -> None:
        with self._lock:
            self._closed = True
            for child in self._children:
                child.kill()

    def close(self) -> None:
        self.kill()
        for child in self._children:
            child.close()


class Workbench:
    """Where one compression works."""

    def __init__(
        self, folder: Path, meter: ProgressMeter | MeterPart, cancelled: Cancelled, children: _Children
    ) -> None:
        """Use `open_workbench`, which also cleans up."""
        self.folder = folder
        self.meter = meter
        self.kept = False
        self._cancelled = cancelled
        self._children = children

    def keep(self) -> None:
        """Leave the folder where it is, for another try."""
        self.kept = True

    def at(self, folder: Path, meter: MeterPart) -> Workbench:
        """Return a part of the workbench with a folder, steps and children of its own.

        When its lanes fail, only its own children end.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return Workbench(folder, meter, self._cancelled, self._children.part(folder))

    def start(self, module: str) -> Child:
        """Start a child process.

        Raises:
            CancelledError: The compression was called off meanwhile.
        """
        return self._children.start(module)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count a step of the plan while the block runs.

        Raises:
            CancelledError: The compression was called off.
        """
        self.check()
        self.meter.begin(name)
        self.meter.tick()
        yield
        self.meter.end(name)

    def check(self) -> None:
        """Stop here if the compression was called off.

        Raises:
            CancelledError: It was.
        """
        if self._cancelled():
            raise _cancelled_error()

    def in_lanes(self, lanes: Sequence[Callable[[], _Result]]) -> list[_Result]:
        """Run lanes side by side; the first that fails stops the others.

        Raises:
            CancelledError: The compression was called off.
            ElfowlError: What a lane raised first.
        """
        with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
            futures = [pool.submit(lane) for lane in lanes]
            try:
                self._wait(futures)
            except BaseException:
                self._children.kill()  # lanes wait for their children; without them they end
                raise
            return [future.result() for future in futures]

    def _wait(self, futures: Sequence[concurrent.futures.Future[_Result]]) -> None:
        running = set(futures)
        while running:
            done, running = concurrent.futures.wait(running, _TICK_S, concurrent.futures.FIRST_EXCEPTION)
            for future in done:
                future.result()
            self.check()
            self.meter.tick()


@contextmanager
def open_workbench(
    out: Path, meter: ProgressMeter, cancelled: Cancelled, *, keep_when_cancelled: bool = False
) -> Iterator[Workbench]:
    """Open the working folder inside `out` and clean up after.

    Inside, so that finished files can be moved in one step. What an ended run left there, killed or that
    had it kept, is still there. With `keep_when_cancelled` so does what a cancelled one made.

    Raises:
        StorageError: The folder cannot be made, another compression works in it, or the disk is full.
    """
    was_there = out.exists()
    folder = out / WORKING_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise _storage_error(out, error) from error
    with lock:
        _claim(lock, out)
        children = _Children(folder)
        bench = Workbench(folder, meter, cancelled, children)
        try:
            yield bench
        except CancelledError:
            bench.kept = keep_when_cancelled
            raise
        except OSError as error:
            raise _storage_error(out, error) from error
        finally:
            children.close()
            if not bench.kept:
                shutil.rmtree(folder, ignore_errors=True)
            if not was_there and not any(out.iterdir()):
                out.rmdir()


def _claim(lock: IO[str], out: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        message = f"another compression works in {out}: wait for it, or choose another folder"
        raise StorageError(message) from error


def _storage_error(out: Path, error: OSError) -> StorageError:
    # numpy counts what it could not write, and names no cause.
    is_short = error.errno is None and str(error).endswith("written")
    reason = "no space left on the disk" if is_short else error.strerror or str(error)
    return StorageError(f"cannot write to {out}: {reason}; free some space or choose another folder")


def _cancelled_error() -> CancelledError:
    return CancelledError("the compression was cancelled; nothing was written")
