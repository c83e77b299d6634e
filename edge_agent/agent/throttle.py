"""How much less the cameras look while memory runs out or the device is hot: pure, a table and two steps.

It acts early and gives back late: each limit has a lower one at which it lets go, so that the pace does not
swing. What comes down is the input rate; whoever is seen is still followed, only less often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Why = Literal["memory", "temperature"]


@dataclass(frozen=True)
class Pace:
    """How often a camera may be looked at: no more often than each `interval_s`; 0: as it comes."""

    interval_s: float = 0.0
    why: tuple[Why, ...] = ()


@dataclass(frozen=True)
class _Step:
    """From `at` on the pace is `interval_s`; it stays until the reading is below `until`."""

    at: float
    until: float
    interval_s: float


# Shares of the profile's memory. The kernel begins to take pages back at 90 % (MemoryHigh in the unit).
MEMORY_STEPS = (_Step(0.85, 0.80, 0.5), _Step(0.92, 0.86, 2.0), _Step(0.97, 0.92, 5.0))
# Degrees Celsius. Processors of small boards slow down by themselves at 80 to 85.
TEMPERATURE_STEPS = (_Step(78.0, 74.0, 0.5), _Step(85.0, 80.0, 2.0), _Step(92.0, 85.0, 5.0))


class Throttle:
    """Holds the step that each reading is on."""

    def __init__(self) -> None:
        self._steps: dict[Why, int] = {"memory": 0, "temperature": 0}

    def update(self, memory_share: float | None, temperature_c: float | None) -> Pace:
        """Take new readings and return the pace.

        Args:
            memory_share: Of what the profile allows; none: unknown.
            temperature_c: Of the hottest sensor; none: unknown.
        """
        memory_s = self._interval_s("memory", MEMORY_STEPS, memory_share)
        heat_s = self._interval_s("temperature", TEMPERATURE_STEPS, temperature_c)
        reasons: tuple[tuple[Why, float], ...] = (("memory", memory_s), ("temperature", heat_s))
        return Pace(max(memory_s, heat_s), tuple(why for why, interval_s in reasons if interval_s))

    def _interval_s(self, name: Why, steps: tuple[_Step, ...], reading: float | None) -> float:
        level = self._steps[name]
        if reading is None:
            level = 0
        else:
            while level < len(steps) and reading >= steps[level].at:
                level += 1
            while level > 0 and reading < steps[level - 1].until:
                level -= 1
        self._steps[name] = level
        return steps[level - 1].interval_s if level else 0.0
