"""The folder, the children and the lanes of one compression; all are gone when it ends, however it ends."""

from __future__ import annotations

import concurrent.futures
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from compress.errors import CancelledError
from compress.processes import Child
from compress.progress import ProgressMeter
from edge_agent.errors import StorageError

Cancelled = Callable[[], bool]

_Result = TypeVar("_Result")
_TICK_S = 0.2


class Workbench:
    """Where one compression works."""

    def __init__(self, folder: Path, meter: ProgressMeter, cancelled: Cancelled) -> None:
        """Use `open_workbench`, which also cleans up."""
        self.folder = folder
        self.meter = meter
        self._cancelled = cancelled
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._closed = False

    def start(self, module: str) -> Child:
        """Start a child process.

        Raises:
            CancelledError: The compression was called off meanwhile.
        """
        with self._lock:
            if self._closed:
                raise _cancelled_error()
            log = self.folder / f"{len(self._children)}.log"
            self._children.append(Child(module, log))
            return self._children[-1]

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
                self._kill_children()  # lanes wait for their children; without them they end
                raise
            return [future.result() for future in futures]

    def close(self) -> None:
        """End all children and wait until they are gone; no lane may run any more."""
        self._kill_children()
        for child in self._children:
            child.close()

    def _kill_children(self) -> None:
        with self._lock:
            self._closed = True
            for child in self._children:
                child.kill()

    def _wait(self, futures: Sequence[concurrent.futures.Future[_Result]]) -> None:
        running = set(futures)
        while running:
            done, running = concurrent.futures.wait(running, _TICK_S, concurrent.futures.FIRST_EXCEPTION)
            for future in done:
                future.result()
            self.check()
            self.meter.tick()


@contextmanager
def open_workbench(out: Path, meter: ProgressMeter, cancelled: Cancelled) -> Iterator[Workbench]:
    """Make a working folder inside `out` and clean up after.

    Inside, so that finished files can be moved in one step.

    Raises:
        StorageError: The folder cannot be made, or the disk is full.
    """
    was_there = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".working-", dir=out))
    except OSError as error:
        raise _storage_error(out, error) from error
    bench = Workbench(folder, meter, cancelled)
    finished = False
    try:
        yield bench
        finished = True
    except OSError as error:
        raise _storage_error(out, error) from error
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
        if not finished and not was_there and not any(out.iterdir()):
            out.rmdir()


def _storage_error(out: Path, error: OSError) -> StorageError:
    # numpy counts what it could not write, and names no cause.
    is_short = error.errno is None and str(error).endswith("written")
    reason = "no space left on the disk" if is_short else error.strerror or str(error)
    return StorageError(f"cannot write to {out}: {reason}; free some space or choose another folder")


def _cancelled_error() -> CancelledError:
    return CancelledError("the compression was cancelled; nothing was written")
