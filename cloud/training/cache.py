"""Features of views on disk, so that a picture is looked at once however often a detector is trained.

Entries are named by a digest of everything that decides them: pixels, view, windows, subnet. A damaged entry
is a miss.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from cloud.training.views import Tile
from cloud.training.windows import Corner
from edge_agent.vision.arrays import Rgb

logger = logging.getLogger(__name__)

Half = npt.NDArray[np.float16]
"""Features; half precision halves memory and disk, and training does not notice."""

_FORMAT = "features-2"
_RESERVE_BYTES = 64_000_000
"""So much of the disk is left to what cannot be made again."""


class FeatureCache(Protocol):
    """Where features are kept."""

    def get(self, key: str, /) -> tuple[Half, ...] | None:
        """Return the levels kept under `key`, or none."""
        ...

    def put(self, key: str, levels: Sequence[Half], /) -> None:
        """Keep the levels."""
        ...


class NoCache:
    """Keeps nothing."""

    def get(self, _key: str, /) -> None:
        """Return none."""

    def put(self, _key: str, _levels: Sequence[Half], /) -> None:
        """Do nothing."""


class DiskCache:
    """One safetensors file an entry in `folder`; `trim` keeps the folder below `limit_bytes`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._is_full = False
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> tuple[Half, ...] | None:
        """Return the levels kept under `key`, or none; marks the entry as used."""
        path = self._path(key)
        try:
            tensors = load_file(path)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            logger.warning(
                "cached features %s cannot be read (%s); they are computed again", path.name, error
            )
            path.unlink(missing_ok=True)
            return None
        return tuple(tensors[name] for name in sorted(tensors))

    def put(self, key: str, levels: Sequence[Half]) -> None:
        """Keep the levels; a full disk costs only the entry, and what the detector needs is left free."""
        if self._is_full:
            return
        path = self._path(key)
        partial = path.with_suffix(f".{uuid4().hex}.part")
        try:
            self._leave_room()
            save_file({f"level{i}": np.ascontiguousarray(level) for i, level in enumerate(levels)}, partial)
            partial.replace(path)
        except (SafetensorError, OSError) as error:
            self._is_full = True
            logger.warning(
                "features are no longer cached in %s (%s); the next training takes longer",
                self._folder,
                error,
            )
            partial.unlink(missing_ok=True)

    def _leave_room(self) -> None:
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < _RESERVE_BYTES:
            message = f"only {free_bytes / 1e6:.0f} MB are free"
            raise OSError(errno.ENOSPC, message)

    def trim(self) -> None:
        """Remove the longest unused entries until the folder is below its limit."""
        entries = sorted(
            (
                (stat.st_mtime, stat.st_size, path)
                for path in self._folder.iterdir()
                for stat in [path.stat()]
            ),
            reverse=True,
        )
        kept_bytes = 0
        for _, size, path in entries:
            kept_bytes += size
            if kept_bytes > self._limit_bytes:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"


def picture_digest(rgb: Rgb) -> str:
    """Return the SHA-256 of a picture's shape and pixels."""
    digest = hashlib.sha256(str(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()


def cache_key(
    picture_sha256: str, tiles: Sequence[Tile], windows: Sequence[Corner] | None, subnet_sha256: str
) -> str:
    """Return the name of the features of these windows (none = the whole map) of one network input."""
    text = repr((_FORMAT, picture_sha256, tuple(tiles), windows and tuple(windows), subnet_sha256))
    return hashlib.sha256(text.encode()).hexdigest()
