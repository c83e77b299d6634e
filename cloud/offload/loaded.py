"""The detectors that a worker holds: the last few that were asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cloud.errors import NotFoundError
from edge_agent.wire.detection import DetectorRef

_KEPT = 128


class Loaded(Protocol):
    """A detector in memory."""

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is."""
        ...


D = TypeVar("D", bound=Loaded)


class LoadedDetectors(Generic[D]):
    """The last few detectors that were asked; the one unused for longest goes first."""

    def __init__(self, load: Callable[[Path], D], kept: int = _KEPT) -> None:
        self._load = load
        self._kept = kept
        self._detectors: OrderedDict[Path, D] = OrderedDict()

    def get(self, folder: Path) -> D:
        """Return the detector of a folder, loading it when needed.

        Raises:
            ElfowlError: It cannot be loaded.
        """
        if folder not in self._detectors:
            if not folder.is_dir():
                message = f"this cloud has no trained detector in {folder.parent.name}/{folder.name}"
                raise NotFoundError(message)
            self._detectors[folder] = self._load(folder)
            while len(self._detectors) > self._kept:
                self._detectors.popitem(last=False)
        self._detectors.move_to_end(folder)
        return self._detectors[folder]
