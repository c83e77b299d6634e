"""Brings detectors up in threads of their own, so that no picture waits for another's detector."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from edge_agent.errors import BackendError, ElfowlError

_LOG = logging.getLogger(__name__)
_AT_ONCE = 8

Then = Callable[[ElfowlError | None], None]
"""Told that a detector is up, or why it is not."""


class Shelf(Protocol):
    """Where detectors are; see `cloud.offload.cached.CachedDetectors`."""

    def is_ready(self, folder: Path) -> bool:
        """Tell whether a detector would be given at once."""
        ...

    def bring(self, folder: Path) -> None:
        """Bring a detector up."""
        ...


class Bringer:
    """Tells whoever waits for a detector when it is up; many wait for one, one thread brings it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._waiting: dict[Path, list[Then]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bring")

    def when_up(self, folder: Path, then: Then) -> None:
        """Call `then` once a detector is up: at once, or later in another thread."""
        if self._shelf.is_ready(folder):
            then(None)
            return
        with self._lock:
            waiting = self._waiting.get(folder)
            if waiting is not None:
                waiting.append(then)
                return
            self._waiting[folder] = [then]
        self._threads.submit(self._bring, folder)

    def close(self) -> None:
        """Bring nothing more; what is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _bring(self, folder: Path) -> None:
        error = self._tried(folder)
        with self._lock:
            waiting = self._waiting.pop(folder)
        for then in waiting:
            then(error)

    def _tried(self, folder: Path) -> ElfowlError | None:
        try:
            self._shelf.bring(folder)
        except ElfowlError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a library raises, those that wait must hear of it
            _LOG.exception("%s cannot be brought up", folder)
            return BackendError(f"the detector cannot be loaded: {type(error).__name__}: {error}")
        return None
