"""From needs to machines: how many of each kind, what is full first, and what more machines do not help.

Pure. One cloud is one database, one broker and one web process beside any number of machines that watch and
answer. Where these three are full, another cloud takes the next streams.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from cloud.errors import InputError
from cloud.planning.ask import Ask
from cloud.planning.figures import Figure, Figures
from cloud.planning.needs import Need, every_need, look_share, total

FILLED = 0.7
"""Share of a machine that is planned to be busy: a machine may fail, and a street may be livelier."""

_ON_WATCHERS = ("bring", "look", "heads", "leases", "answer", "teach")
_LIMITS = ("database_cores", "database_most_bytes")


class Machines(BaseModel):
    """Machines of one kind.

    Attributes:
        role: What they do.
        count: How many.
        why: What decides how many there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    count: int
    why: str


class Wall(BaseModel):
    """Something that is full at some time.

    Attributes:
        name: What.
        share: How full it is, of what one cloud (or machine, as `name` says) can do; over 1: too full.
        helps: What to do then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    share: float
    helps: str


class Plan(BaseModel):
    """What was asked, and all that follows.

    Attributes:
        ask: What was asked.
        needs: Of each part.
        total: Their sum.
        clouds: How many clouds share the work.
        machines: Of each kind, of all clouds together.
        first_wall: What is full first when streams are added to one machine.
        streams_a_machine: How many streams such a machine watches.
        walls: What more machines do not help, in one cloud; the fullest first.
        drivers: Parts and their shares of all processor cores, the largest first.
        figures: Figures that were used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: Ask
    needs: tuple[Need, ...]
    total: Need
    clouds: int
    machines: tuple[Machines, ...]
    first_wall: str
    streams_a_machine: int
    walls: tuple[Wall, ...]
    drivers: tuple[tuple[str, float], ...]
    figures: tuple[Figure, ...]


def plan(ask: Ask, known: Figures) -> Plan:
    """Return what it takes.

    Raises:
        InputError: Nothing is known of the graphics processor.
    """
    if ask.gpu is not None and ask.gpu not in known.graphics_processors():
        message = f"nothing is known of a {ask.gpu!r}; there are: {', '.join(known.graphics_processors())}"
        raise InputError(message)
    needs = every_need(ask, known)
    everything = total(needs)
    walls = _walls(ask, needs, known)
    clouds = max((math.ceil(wall.share) for wall in walls), default=0)
    first, streams = first_wall(ask, known)
    return Plan(
        ask=ask,
        needs=needs,
        total=everything,
        clouds=max(clouds, 1) if _asks_anything(everything) else 0,
        machines=_machines(ask, needs, everything, max(clouds, 1)),
        first_wall=first,
        streams_a_machine=streams,
        walls=walls,
        drivers=_drivers(needs, everything),
        figures=tuple(known.figure(name) for name in (*everything.figures, *_LIMITS)),
    )


def first_wall(ask: Ask, known: Figures) -> tuple[str, int]:
    """Return what of a machine is full first when streams are added, and how many streams it then watches."""
    each = max(1.0, ask.heads_a_stream)
    many = 1_000
    one = ask.model_copy(update={"streams": many, "detectors": math.ceil(many * each), "cameras": 0})
    needs = {need.part: need for need in every_need(one, known)}
    watching = [needs[part] for part in ("bring", "look", "heads", "leases")]
    cores = sum(need.cores for need in watching) / many / (ask.machine_cores * FILLED)
    gpus = sum(need.gpus for need in watching) / many / FILLED
    if gpus > cores:
        return "looking (graphics processor)", math.floor(1.0 / gpus)
    bringing, looking = needs["bring"].cores, needs["look"].cores + needs["heads"].cores
    name = "decoding" if bringing >= looking else "looking"
    return f"{name} (processor cores)", math.floor(1.0 / cores)


def _asks_anything(everything: Need) -> bool:
    return everything.cores > 0.0 or everything.object_bytes > 0.0


def _cores(needs: Sequence[Need], parts: Sequence[str]) -> float:
    return sum(need.cores for need in needs if need.part in parts)


def _walls(ask: Ask, needs: Sequence[Need], known: Figures) -> tuple[Wall, ...]:
    """Return how full the parts of one cloud are that are there once."""
    by_part = {need.part: need for need in needs}
    web_s = by_part["touch"].cores + ask.asks_per_s * known["web_ask_ms"] / 1000.0
    from_cameras = ask.cameras / max(1, ask.cameras + ask.watched)
    web_s += by_part["events"].cores * from_cameras
    beats = ask.watched * known["beat_us"] / 1e6
    rows_s = by_part["events"].cores + beats
    found = (
        Wall(
            name="the web process (one core)",
            share=web_s / FILLED,
            helps="cameras of another cloud; fewer questions; a longer poll",
        ),
        Wall(
            name=f"the database ({known['database_cores']:g} cores of PostgreSQL)",
            share=rows_s / (known["database_cores"] * FILLED),
            helps="a larger database server, then another cloud",
        ),
        Wall(
            name="workers that read what there is to watch",
            share=look_share(ask.watched, known) / known["overview_share"],
            helps="another cloud: each reads its own streams only",
        ),
        Wall(
            name="the database's disk (10 TB)",
            share=by_part["events"].database_bytes / known["database_most_bytes"],
            helps="events are moved into files (ELFOWL_MOVE_EVENTS_DAYS), or kept for fewer days",
        ),
    )
    return tuple(sorted(found, key=lambda wall: -wall.share))


def _machines(ask: Ask, needs: Sequence[Need], everything: Need, clouds: int) -> tuple[Machines, ...]:
    if not _asks_anything(everything):
        return ()
    room = ask.machine_cores * FILLED
    if clouds == 1 and everything.cores <= room and everything.gpus <= FILLED:
        return (Machines(role="all in one", count=1, why=f"{everything.cores:.2f} of {room:.1f} cores"),)
    cores = _cores(needs, _ON_WATCHERS)
    by_cores, by_gpus = math.ceil(cores / room), math.ceil(everything.gpus / FILLED)
    why = f"{cores:.0f} cores, {room:.1f} of each machine's {ask.machine_cores}"
    if by_gpus > by_cores:
        why = f"{everything.gpus:.2f} graphics processors, one a machine, each {FILLED:.0%} busy"
    return (
        Machines(role="watch and answer", count=max(by_cores, by_gpus), why=why),
        Machines(role="web and broker", count=clouds, why="one a cloud"),
        Machines(
            role="PostgreSQL", count=clouds, why="one a cloud; a second one to fail over is not counted"
        ),
    )


def _drivers(needs: Sequence[Need], everything: Need) -> tuple[tuple[str, float], ...]:
    if everything.cores <= 0.0:
        return ()
    shares = [(need.part, need.cores / everything.cores) for need in needs if need.cores > 0.0]
    return tuple(sorted(shares, key=lambda one: -one[1]))
