"""Whether a new detector is far too slow for this device's cameras; a good one on a busy device never is.

Only what is slower than both counts: several times the time between two pictures of a camera, and several
times what runs now takes, measured in the same way and at the same time. Processor time is measured, which
other work hardly disturbs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from edge_agent.clock import Clock
from edge_agent.errors import ArtifactError, ElfowlError
from edge_agent.vision.arrays import Rgb

_LOGGER = logging.getLogger(__name__)
_RUNS: Final = 3
_ROUNDS: Final = 2
_LONGEST_S: Final = 10.0


@dataclass(frozen=True)
class Pace:
    """What a detector has to keep up with.

    Attributes:
        camera_ms: Between two pictures of the fastest camera.
        factor: How many times slower is far too slow.
    """

    camera_ms: float
    factor: float

    def problem(self, new_ms: float, running_ms: float) -> str | None:
        """Return why a detector is far too slow beside the one that runs; none when it is not."""
        if new_ms <= self.factor * max(self.camera_ms, running_ms):
            return None
        return (
            f"takes {new_ms:.0f} ms for a picture; what it is to replace takes {running_ms:.0f} ms, and "
            f"a camera here gives one every {self.camera_ms:.0f} ms: "
            f"over {self.factor:g} times both is far too slow"
        )


class Stopwatch(Protocol):
    """Measures a bundle in a process of its own: `edge_agent.update.smoke.time_bundle`."""

    def __call__(self, bundle_path: Path, pictures_of: Path) -> float:
        """Return milliseconds for one of the golden pictures of another bundle."""
        ...


class PacedSmokeTest:
    """Tries a bundle, and refuses one that is far too slow; an updater's `SmokeTest`.

    Args:
        pace: What it has to keep up with.
        running: Returns what runs now; none: nothing, and then something slow is better.
        smoke_test: Tries a bundle, and returns its milliseconds for a golden picture.
        stopwatch: Measures bundles.
    """

    def __init__(
        self,
        pace: Pace,
        running: Callable[[], Path | None],
        *,
        smoke_test: Callable[[Path], float],
        stopwatch: Stopwatch,
    ) -> None:
        self._pace = pace
        self._running = running
        self._smoke_test = smoke_test
        self._stopwatch = stopwatch

    def __call__(self, bundle_path: Path) -> None:
        """Try a bundle.

        Raises:
            ArtifactError: It is unfit, or far too slow.
            BackendError: This machine lacks the runtime for it.
        """
        new_ms = self._smoke_test(bundle_path)
        running = self._running()
        if running is None or self._pace.problem(new_ms, 0.0) is None:
            return
        problem = self._compare(new_ms, bundle_path, running)
        if problem is not None:
            message = f"{bundle_path.name}: {problem}"
            raise ArtifactError(message)

    def _compare(self, new_ms: float, bundle_path: Path, running: Path) -> str | None:
        """Measure both in turn; what is best for the new one counts."""
        running_ms = 0.0
        for _ in range(_ROUNDS):
            try:
                running_ms = max(running_ms, self._stopwatch(running, bundle_path))
                new_ms = min(new_ms, self._stopwatch(bundle_path, bundle_path))
            except ElfowlError as error:
                _LOGGER.warning(
                    "%s is slow, but there is nothing to compare with: %s", bundle_path.name, error
                )
                return None
            problem = self._pace.problem(new_ms, running_ms)
            if problem is None:
                return None
        return problem


def ms_per_picture(
    look: Callable[[Rgb], object],
    pictures: Sequence[Rgb],
    clock: Clock,
    processor_s: Callable[[], float] = time.process_time,
) -> float:
    """Return how long a look takes in milliseconds: the best of some for each picture, the median of those.

    Args:
        look: Looks at a picture `(h, w, 3) uint8`; it did so before, for the first look takes longer.
        pictures: At least one; slow detectors do not get to all.
        clock: Where the time comes from.
        processor_s: Returns the processor time of this process in seconds.
    """
    best_s: list[float] = []
    begun_s = clock.monotonic_s()
    for rgb in pictures:
        best_s.append(float("inf"))
        for _ in range(_RUNS):
            before_s = processor_s(), clock.monotonic_s()
            look(rgb)
            # Threads of a runtime add up to more processor time than went by.
            took_s = min(processor_s() - before_s[0], clock.monotonic_s() - before_s[1])
            best_s[-1] = min(best_s[-1], took_s)
            if clock.monotonic_s() - begun_s > _LONGEST_S:
                return 1_000.0 * float(np.median(best_s))
    return 1_000.0 * float(np.median(best_s))
