"""The agent's care for itself: memory, heat, threads that stand still, and word of that to systemd."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.agent.device import MemoryGauge, is_hot, temperature_c
from edge_agent.agent.notify import Notifier
from edge_agent.agent.progress import LATE_S, STUCK_S, Progress
from edge_agent.agent.thrift import give_back_memory
from edge_agent.agent.throttle import Pace, Throttle
from edge_agent.clock import Clock
from edge_agent.errors import BackendError
from edge_agent.runtime.profiles import is_small

_log = logging.getLogger(__name__)

_READ_S = 5.0
# So much more than after the last time that memory was handed back, and it is worth doing again.
_HEAVIER_BYTES, _SMALL_HEAVIER_BYTES = 4_000_000, 1_000_000


@dataclass(frozen=True)
class Sensors:
    """What the machine tells: the memory of our processes in bytes, and degrees Celsius; none: unknown."""

    memory_bytes: Callable[[], int] = field(default_factory=MemoryGauge)
    temperature_c: Callable[[], float | None] = temperature_c


class SelfCare:
    """Reads the sensors now and then, sets the cameras' pace, feeds the watchdog."""

    def __init__(self, sensors: Sensors, notifier: Notifier, clock: Clock, *, ram_bytes: int) -> None:
        """Begin.

        Args:
            sensors: What the machine tells.
            notifier: Speaks to systemd.
            clock: Where times come from.
            ram_bytes: What all our processes may take together; 0: nobody knows.
        """
        self._sensors = sensors
        self._notifier = notifier
        self._clock = clock
        self._ram_bytes = ram_bytes
        self._heavier_bytes = _SMALL_HEAVIER_BYTES if is_small(ram_bytes) else _HEAVIER_BYTES
        self._throttle = Throttle()
        self._read_at_s = self._alive_at_s = 0.0
        self._ready = False
        self._late: tuple[str, ...] = ()
        self._light_bytes: int | None = None
        self.progress = Progress(clock)
        self.pace = Pace()
        self.memory_bytes = 0
        self.temperature_c: float | None = None

    @property
    def hot(self) -> bool:
        """Return whether the network should rest."""
        return is_hot(self.temperature_c)

    def tick(self, status: str) -> None:
        """Look after everything; call each second or two.

        Args:
            status: One line on how the agent is.

        Raises:
            BackendError: A thread stood still for so long that only a new start helps.
        """
        now_s = self._clock.monotonic_s()
        if now_s >= self._read_at_s:
            self._read_at_s = now_s + _READ_S
            self._read()
        self._look_for_still_ones()
        self._tell(now_s, status)

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._notifier.stopping()

    def _read(self) -> None:
        self.memory_bytes = self._lightened(self._sensors.memory_bytes())
        self.temperature_c = self._sensors.temperature_c()
        share = self.memory_bytes / self._ram_bytes if self._ram_bytes else None
        before, self.pace = self.pace, self._throttle.update(share, self.temperature_c)
        if self.pace == before:
            return
        if "memory" in self.pace.why:
            give_back_memory()
        if self.pace.interval_s:
            _log.warning("cameras look once in %.1f s: %s", self.pace.interval_s, self._readings())
        else:
            _log.info("cameras look as often as they did: %s", self._readings())

    def _lightened(self, used_bytes: int) -> int:
        """Hand back what a busy moment left, if it is worth it; return what is used then."""
        if self._light_bytes is not None and used_bytes > self._light_bytes + self._heavier_bytes:
            give_back_memory()
            # What is in use comes back within seconds: growth counts from the next reading.
            self._light_bytes = None
            return self._sensors.memory_bytes()
        self._light_bytes = min(used_bytes, self._light_bytes or used_bytes)
        return used_bytes

    def _readings(self) -> str:
        used = f"{self.memory_bytes / 1e6:.0f} of {self._ram_bytes / 1e6:.0f} MB used"
        heat = f", {self.temperature_c:.0f} °C" if self.temperature_c is not None else ""
        return used + heat

    def _look_for_still_ones(self) -> None:
        late, self._late = self._late, self.progress.still(LATE_S)
        if self._late and self._late != late:
            _log.error("standing still for %.0f s: %s", LATE_S, ", ".join(self._late))
        if stuck := self.progress.still(STUCK_S):
            message = f"{', '.join(stuck)} stood still for {STUCK_S:.0f} s; the agent must be started again"
            raise BackendError(message)

    def _tell(self, now_s: float, status: str) -> None:
        if not self._ready:
            self._ready = True
            self._notifier.ready()
        every_s = self._notifier.alive_every_s
        if every_s is not None and now_s >= self._alive_at_s and not self._late:
            self._alive_at_s = now_s + every_s
            self._notifier.alive()
            self._notifier.status(status)
