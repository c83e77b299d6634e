"""Where a network's file lies while it is loaded: in memory, or on the disk where memory is scarce.

A runtime packs the weights for itself, and hardly looks at the file again. In memory that would stay whole.
What goes to the disk is the bytes that were checked, and the file has no name: nobody finds it to change it.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

_MADV_DONTNEED = 4
_OWN_FILES, _OWN_MEMORY = Path("/proc/self/fd"), Path("/proc/self/maps")


class _Choice:
    """In which folder networks lie; none: in memory."""

    folder: Path | None = None


def keep_networks_in(folder: Path | None) -> None:
    """Let networks that are loaded from now on lie on the disk of `folder`; none: in memory, as at first."""
    _Choice.folder = folder


@dataclass(frozen=True)
class NetworkFile:
    """A network on the disk; `path` leads there until it is loaded."""

    path: str
    inode: int

    def leave(self) -> None:
        """Hand back what is in memory of it; what is still needed is read again at the next touch.

        Call it while the network is open that was loaded from it: else others may be where it was.
        """
        advise = getattr(ctypes.CDLL(None), "madvise", None)
        if advise is None:
            return
        for line in _OWN_MEMORY.read_text().splitlines():
            place, rights, _, _, inode, *_ = line.split(maxsplit=5)
            if inode == str(self.inode) and "w" not in rights:
                first, end = (int(side, 16) for side in place.split("-"))
                # Where the kernel refuses, the pages stay.
                advise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), _MADV_DONTNEED)


@contextlib.contextmanager
def on_disk(model: bytes) -> Iterator[NetworkFile | None]:
    """Put a network's bytes on the disk meanwhile; none: they stay in memory, or the disk is no help."""
    with contextlib.ExitStack() as files:
        yield _written(model, _Choice.folder, files)


def _written(model: bytes, folder: Path | None, files: contextlib.ExitStack) -> NetworkFile | None:
    if folder is None or not _OWN_FILES.is_dir():
        return None
    try:
        file = files.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - the stack closes it
        file.write(model)
        file.flush()
    except OSError as error:
        _log.info("the network stays in memory: %s: %s", folder, error.strerror)
        return None
    return NetworkFile(f"{_OWN_FILES}/{file.fileno()}", os.fstat(file.fileno()).st_ino)
