"""Reads numpy's files, one thread at a time.

numpy parses their headers by `ast.literal_eval`, which Python before 3.11.9 and 3.12.3 cannot do in two
threads at once: now and then one of them gets a SystemError (python/cpython#106905).
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

_PARSING: Final = threading.Lock()


def read_array(file: Path | BinaryIO) -> NDArray[Any]:
    """Return the array of an `.npy` file, which may hold no Python objects.

    Raises:
        OSError, EOFError, ValueError: It cannot be read, is cut off, or is no such file.
    """
    with _PARSING:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        array.close()
        message = "several arrays (.npz) where one (.npy) belongs"
        raise ValueError(message)  # noqa: TRY004 - what the file holds, not what the caller gave
    return array


def read_arrays(file: Path | BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` file by name; they may hold no Python objects.

    Raises:
        OSError, EOFError, ValueError, zipfile.BadZipFile: It cannot be read, is cut off, or is no such file.
    """
    with _PARSING:
        found = np.load(file, allow_pickle=False)
        if isinstance(found, np.ndarray):
            message = "one array (.npy) where several (.npz) belong"
            raise ValueError(message)  # noqa: TRY004 - what the file holds, not what the caller gave
        with found as arrays:
            return dict(arrays)
