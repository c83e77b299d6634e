"""Detectors by reference: whoever has some registers a loader as an entry point; nobody is imported here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from compress.errors import UnknownDetectorError
from compress.protocol import Compressible

ENTRY_POINT_GROUP = "elfowl.detector_loaders"

_logger = logging.getLogger(__name__)


def load_detector(reference: str, registered: Iterable[EntryPoint] | None = None) -> Compressible:
    """Find the loader that knows a detector, and load it.

    Args:
        reference: What the person typed: a name or id that one of the loaders understands.
        registered: Entry points to ask, in order; all installed ones by default.

    Raises:
        UnknownDetectorError: No loader knows it; the text says what to do.
    """
    points = tuple(entry_points(group=ENTRY_POINT_GROUP) if registered is None else registered)
    broken: list[str] = []
    for point in points:
        try:
            loader = point.load()
        except ImportError as error:
            _logger.debug("loader %s cannot be imported", point.name, exc_info=True)
            broken.append(f"{point.name} ({error})")
            continue
        detector: Compressible | None = loader(reference)
        if detector is not None:
            return detector
    raise UnknownDetectorError(_explain(reference, [point.name for point in points], broken))


def _explain(reference: str, names: list[str], broken: list[str]) -> str:
    if not names:
        return f"no detector {reference!r}: no loader is installed; run pip install 'elfowl[cloud]'"
    text = f"no trained detector {reference!r} (asked: {', '.join(names)}); see `elfowl-cloud detector list`"
    if broken:
        text += f"; could not be asked: {', '.join(broken)}"
    return text
