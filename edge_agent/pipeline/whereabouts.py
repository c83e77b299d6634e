"""Where one followed thing is and was: zones, how long it stays in them, lines that it crossed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.pipeline.zones import Line, Zone, crossing_side, distance_right_of, foot_of, zones_of
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.rules import Point, Side

# Boxes tremble: a moment outside of a zone is no leaving.
_GRACE_S = 2.0
# Who stands on a line crosses it only when this share of its own height away from it.
_CLEAR_SHARE = 0.1
_CROSSINGS_KEPT = 16


@dataclass(frozen=True)
class LineCrossed:
    """A crossing: which line, on which side it ended, when (monotonic seconds)."""

    line: str
    towards: Side
    at_s: float


@dataclass(frozen=True)
class Stay:
    """A thing is in a zone since a moment, monotonic seconds."""

    zone: str
    since_s: float


@dataclass
class Whereabouts:
    """What is known of one thing's places.

    Attributes:
        zones: Zones that it is in now.
        entered: All that it was in, in this order.
        crossings: The last lines that it went over.
        crossed: How many it went over.
        last_s: Moment of the last sight, monotonic seconds.
    """

    zones: tuple[str, ...] = ()
    entered: list[str] = field(default_factory=list)
    crossings: deque[LineCrossed] = field(default_factory=lambda: deque(maxlen=_CROSSINGS_KEPT))
    crossed: int = 0
    last_s: float = float("-inf")
    _since_s: dict[str, float] = field(default_factory=dict)
    _inside_s: dict[str, float] = field(default_factory=dict)
    _clear: dict[str, Point] = field(default_factory=dict)

    def see(
        self, box: XyxyNorm, label: str, at_s: float, zones: Sequence[Zone], lines: Sequence[Line]
    ) -> None:
        """Take a sight of the thing; one that is not newer than the last changes nothing."""
        if at_s <= self.last_s:
            return
        self.last_s = at_s
        self.zones = zones_of(box, label, zones)
        self.entered += [name for name in self.zones if name not in self.entered]
        self._count_stays(at_s)
        for line in lines:
            if not line.labels or label in line.labels:
                self._look_at(line, box, at_s)

    def loitering(self, zones: Sequence[Zone]) -> tuple[Stay, ...]:
        """Return the zones in which it stayed too long, as far as sights tell."""
        return tuple(
            Stay(zone.name, self._since_s[zone.name])
            for zone in zones
            if zone.loiter_s is not None
            and zone.name in self._since_s
            and self._inside_s[zone.name] - self._since_s[zone.name] >= zone.loiter_s
        )

    def loiter_due(self, zones: Sequence[Zone], at_s: float) -> bool:
        """Return whether it loiters if it still is where it was last seen; worth a look."""
        return any(
            zone.loiter_s is not None
            and zone.name in self.zones
            and self.last_s < self._since_s[zone.name] + zone.loiter_s <= at_s
            for zone in zones
        )

    def _count_stays(self, at_s: float) -> None:
        for name in self.zones:
            self._since_s.setdefault(name, at_s)
            self._inside_s[name] = at_s
        for name, inside_s in list(self._inside_s.items()):
            if at_s - inside_s > _GRACE_S:
                del self._inside_s[name], self._since_s[name]

    def _look_at(self, line: Line, box: XyxyNorm, at_s: float) -> None:
        foot = foot_of(box)
        distance = abs(distance_right_of(line.start, line.end, foot))
        if distance <= _CLEAR_SHARE * (box[3] - box[1]):
            return
        before = self._clear.get(line.name)
        self._clear[line.name] = foot
        side = crossing_side(line.start, line.end, before, foot) if before is not None else None
        if side is not None and line.towards in {"both", side}:
            self.crossings.append(LineCrossed(line.name, side, at_s))
            self.crossed += 1
