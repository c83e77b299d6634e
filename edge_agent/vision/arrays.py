"""Names for the arrays that rooms hand to each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
"""A picture `(h, w, 3) uint8`, channels red, green, blue."""

Float32 = npt.NDArray[np.float32]
"""Any float32 array; docstrings give the shape."""

Int64 = npt.NDArray[np.int64]
"""Indices and class numbers."""

Bool = npt.NDArray[np.bool_]
"""Masks."""
