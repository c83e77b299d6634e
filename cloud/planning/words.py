"""A plan as people read it."""

from __future__ import annotations

from cloud.planning.figures import Figure
from cloud.planning.needs import Need
from cloud.planning.plan import Plan

PARTS = {
    "bring": "read, decode, gate",
    "look": "look at pictures",
    "heads": "further detectors",
    "leases": "leases and beats",
    "answer": "cameras that ask",
    "touch": "cameras' state",
    "events": "events",
    "teach": "training",
    "models": "detectors, stored",
}
_DRIVERS = 3
_COLUMNS = ("part", "cores", "GPUs", "memory", "database", "objects", "network in")
_KINDS = {
    "measured": "measured by us",
    "published": "published by others",
    "assumed": "assumed",
    "code": "as the code is",
}


def lines_of(plan: Plan) -> list[str]:
    """Return a plan as lines."""
    return [*_asked(plan), "", *_table(plan), "", *_machines(plan), *_walls(plan), "", *_trust(plan)]


def _asked(plan: Plan) -> list[str]:
    ask = plan.ask
    looks = f"{ask.fps:g} pictures a second, of which {ask.looked_share:.0%} are looked at"
    streams = f"{_count(ask.streams, 'stream')} of {ask.picture}, {looks}" if ask.streams else "no streams"
    parts = [streams, _count(ask.detectors, "detector")]
    if ask.cameras:
        parts.append(f"{_count(ask.cameras, 'camera')} that run elfowl themselves")
    return ["; ".join(parts)]


def _table(plan: Plan) -> list[str]:
    rows = [_COLUMNS, *(_row(PARTS[need.part], need) for need in plan.needs), _row("all", plan.total)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(name: str, need: Need) -> tuple[str, ...]:
    return (
        name,
        _number(need.cores),
        _number(need.gpus),
        size(need.ram_bytes),
        size(need.database_bytes),
        size(need.object_bytes),
        "-" if not need.in_bits_per_s else f"{size(need.in_bits_per_s).removesuffix('B')}bit/s",
    )


def _machines(plan: Plan) -> list[str]:
    if not plan.machines:
        return ["machines: none"]
    lines = [f"machines: {sum(one.count for one in plan.machines):,}, in {_count(plan.clouds, 'cloud')}"]
    lines += [f"  {one.count:>7,}  {one.role}: {one.why}" for one in plan.machines]
    drivers = ", ".join(f"{PARTS[part]} {share:.0%}" for part, share in plan.drivers[:_DRIVERS])
    return [*lines, f"what costs most: {drivers}"]


def _walls(plan: Plan) -> list[str]:
    if not plan.ask.watched and not plan.ask.cameras:
        return []
    first = f"full first on a machine: {plan.first_wall}, at {_count(plan.streams_a_machine, 'stream')}"
    once = ["what more machines do not help, all streams in one cloud:"]
    for wall in plan.walls:
        advice = f": {wall.helps}" if wall.share > 1.0 else ""
        once.append(f"  {wall.share:>7.1%}  {wall.name}{advice}")
    return [first, *once]


def _trust(plan: Plan) -> list[str]:
    lines = ["reckoned from"]
    for kind, words in _KINDS.items():
        found = [figure for figure in plan.figures if figure.kind == kind]
        lines += [f"  {words}: {_figure(figure)}" for figure in found]
    return lines if len(lines) > 1 else []


def _figure(figure: Figure) -> str:
    note = f"; {figure.note}" if figure.note else ""
    return f"{figure.name} = {figure.value:.4g} {figure.unit} ({figure.source}{note})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _number(value: float) -> str:
    if value == 0.0:
        return "-"
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.3g}"


def size(count: float) -> str:
    """Return bytes as people read them."""
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return "-" if count == 0.0 else f"{count:.0f} B"
