"""One picture of a camera, and what gives such pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Brightness(NamedTuple):
    """How bright a picture is, place by place: all that it takes to see movement.

    Attributes:
        levels: `(h, w) uint8`. Shared, never written to.
        black: The level of black.
        step: How many grey levels of 255 one of `levels` is worth.
    """

    levels: NDArray[np.uint8]
    black: int = 0
    step: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture with the moment of its capture.

    Attributes:
        rgb: (h, w, 3) uint8, RGB. Shared, never written to.
        index: Number of the picture in its source, from 0; grows, with gaps where pictures were skipped.
        time_s: UTC seconds since 1970 of the capture.
        monotonic_s: The same moment in seconds that never go back within one boot.
    """

    rgb: NDArray[np.uint8]
    index: int
    time_s: float
    monotonic_s: float

    @property
    def brightness(self) -> Brightness:
        """Return how bright it is: of each source's pictures told in one and the same way."""
        return Brightness(self.rgb[:, :, 1])

    @property
    def width_px(self) -> int:
        """Return the width."""
        return int(self.rgb.shape[1])

    @property
    def height_px(self) -> int:
        """Return the height."""
        return int(self.rgb.shape[0])


class FrameSource(Protocol):
    """An opened source: iterate over it once, then close it."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield pictures as they come; ends only where a recording ends.

        Raises:
            CameraError: The source stopped giving pictures.
        """
        ...

    def close(self) -> None:
        """Let go of the device, file or connection; may be called twice."""
        ...
