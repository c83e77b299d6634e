"""Brings detectors that were trained here into the object store, where workers elsewhere find them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from cloud.cache.key import HOME_SCOPE, object_path
from cloud.cache.plan import CachePlan
from cloud.offload.protocol import newest_folders
from edge_agent.errors import LinkError

_LOG = logging.getLogger(__name__)
_WARMED = 8
_KNOWN = 1 << 16


class SharedFolders:
    """Detectors of this machine that the store has, too; a shelf for `Bringer`, for many threads at once."""

    def __init__(self, plan: CachePlan) -> None:
        self._plan, self._objects = plan, plan.objects()
        self._known: set[Path] = set()

    def is_ready(self, folder: Path) -> bool:
        """Tell whether workers elsewhere find a detector, as far as is known here."""
        # Without a store of its own the home folder is what workers share.
        return self._plan.object_store is None or folder in self._known

    def bring(self, folder: Path) -> None:
        """Put a detector into the store; one that is not here must be there already."""
        files = sorted(folder.iterdir(), key=lambda file: file.suffix == ".json") if folder.is_dir() else ()
        try:
            for file in files:
                # The spec comes last: who finds it finds the rest.
                path = object_path(HOME_SCOPE, f"{folder.parent.name}/{folder.name}/{file.name}")
                self._objects.put_new(path, file.read_bytes())
        except LinkError as error:
            # A worker may have it all the same; the next question tries again.
            _LOG.warning("%s is not yet in the object store: %s", folder, error)
            return
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known.add(folder)

    def newest(self) -> Sequence[Path]:
        """Return the detectors that workers should have ready, all of them shared."""
        found = newest_folders(self._plan.detectors_path, _WARMED)
        for folder in found:
            if not self.is_ready(folder):
                self.bring(folder)
        return found
