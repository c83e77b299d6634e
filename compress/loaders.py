"""Detectors by reference: whoever has some registers a loader as an entry point; nobody is imported here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from compress.errors import UnknownDetectorError
from compress.protocol import Compressible, DetectorLoader, NotHere

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
    looked: list[NotHere] = []
    broken: list[str] = []
    for point in points:
        try:
            loader: DetectorLoader = point.load()
        except ImportError as error:
            _logger.debug("loader %s cannot be imported", point.name, exc_info=True)
            broken.append(f"{point.name} ({error})")
            continue
        found = loader(reference)
        if not isinstance(found, NotHere):
            return found
        looked.append(found)
    raise UnknownDetectorError(_explain(reference, looked, broken))


def _explain(reference: str, looked: list[NotHere], broken: list[str]) -> str:
    if not looked and not broken:
        return f"no detector {reference!r}: nothing installed here has any; run pip install 'elfowl[cloud]'"
    parts = []
    if looked:
        where = " or ".join(one.where for one in looked)
        parts += [f"no trained detector {reference!r} in {where}", *(one.to_do for one in looked)]
    else:
        parts += [f"no detector {reference!r} could be looked for"]
    if broken:
        parts.append(f"could not be asked: {', '.join(broken)}; pip install 'elfowl[cloud]' mends that")
    return "; ".join(parts)
