"""The statements by which a search looks into indices; each is made once, which takes longer than to run it.

Parameters: `label` and `camera` of the driver, the rarer thing; `other` and `other_camera` of the other one;
the slice from `begin` to `end`; drivers that began from `since` on and before `until`; `reach`, the seconds
that may lie between the two; `lasts`, a class of long events, and `length`, how long they are at most;
`workspace`, whose events are looked at, where not all are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Float,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.store.apart import place_is_own
from cloud.store.scope import WITH_CONDITION, narrowed
from cloud.store.sketch import LONG_CLASSES
from cloud.store.tables import EventState

Kind = Literal["after", "before", "there", "there_long", "later", "came", "came_long"]
"""Which pairs, seen from a driver: the other came `after` or `before` it; was `there` when it came (or there
for long); came `later`, while it was there; `came` in the slice, while the driver was there from before (or
for long)."""

Statement = Select[*tuple[Any, ...]]

Sight = Literal["all", "home", "own"]
"""Whose events are looked at: all that there are, those of `home`, or those of another workspace."""

_EVENTS: Table = EventState.__table__  # type: ignore[assignment]
_ALL = 2**31 - 1


@dataclass(frozen=True)
class Shape:
    """What is asked of cameras: whether a thing's is named, and whether both things have to share one.

    `lateral`: the database knows the word, and needs it to begin with the driver.
    """

    camera: bool = False
    other_camera: bool = False
    share: bool = True
    lateral: bool = False
    sight: Sight = "all"


def sight_of(session: Session) -> tuple[Sight, dict[str, str]]:
    """Return whose events a session sees, and the parameter that says so."""
    workspace_id = narrowed(session)
    if workspace_id is None:
        return "all", {}
    return "home" if workspace_id == HOME else "own", {"workspace": workspace_id}


@cache
def starts(sight: Sight, *, camera: bool) -> Statement:
    """Return when the event of the driver began before which `skip` others began in a slice."""
    c = _EVENTS.c
    named = _driver(sight, camera=camera)
    rows = select(c.start_time).where(*named, c.start_time < bindparam("until"))
    return _checked(rows.order_by(c.start_time.desc()).limit(1).offset(bindparam("skip")))


@cache
def number(sight: Sight, *, camera: bool, most: int) -> Statement:
    """Return how many events of the driver there are in a time, at most so many."""
    some = select(literal(1)).where(*_driver(sight, camera=camera), *_began()).limit(most)
    return _checked(select(func.count()).select_from(some.subquery()))


@cache
def classes(sight: Sight) -> Statement:
    """Return for each class of long events whether there are any of a label."""
    c = _EVENTS.c
    label = (c.label == bindparam("label"), *_seen(c, sight))
    return _checked(
        select(
            *(
                exists(select(literal(1)).where(*label, _long(c), c.lasts == number).correlate(None))
                for number in LONG_CLASSES
            )
        )
    )


@cache
def alone(sight: Sight, *, camera: bool) -> Statement:
    """Return the events of a thing that began in a time."""
    return _checked(select(*_marked(_EVENTS.c)).where(*_driver(sight, camera=camera), *_began()))


@cache
def documents(sight: Sight) -> Statement:
    """Return documents of some events of a device: `ids`."""
    c = _EVENTS.c
    ids = c.event_id.in_(bindparam("ids", expanding=True))
    return _checked(select(c.event_id, c.body).where(c.device == bindparam("device"), ids, *_seen(c, sight)))


@cache
def pairs(kind: Kind, shape: Shape) -> Statement:
    """Return the pairs of one kind: marks of the driver, then of the other."""
    drivers = _drivers(kind, shape)
    partner = _EVENTS.alias("partner")
    where = [partner.c.label == bindparam("other"), partner.c.start_time.between(*_times(kind, drivers))]
    where += _seen(partner.c, shape.sight)
    if shape.other_camera:
        where.append(partner.c.camera == bindparam("other_camera"))
    if shape.share:
        where += [partner.c.device == drivers.c.device, partner.c.camera == drivers.c.camera]
    if kind not in {"after", "before"}:
        # No index fits a sum: SQLite would take one for it that is worse.
        where.append(partner.c.frame_time + _float("reach") >= drivers.c.start_time)
    if kind == "there_long":
        where += [_long(partner.c), partner.c.lasts == bindparam("lasts")]
    if not shape.lateral:
        columns = [*_marked(drivers.c), *_marked(partner.c)]
        return _checked(select(*columns).select_from(drivers.join(partner, and_(*where))))
    # PostgreSQL takes the few long events for fewer than they are, and would go through all of them first,
    # with all drivers for each. What has a limit of its own, however high, it looks for driver by driver.
    others = select(*_marked(partner.c)).where(*where).limit(_ALL).lateral("others")
    columns = [*_marked(drivers.c), *_marked(others.c)]
    return _checked(select(*columns).select_from(drivers.join(others, true())))


def _drivers(kind: Kind, shape: Shape) -> Subquery:
    c = _EVENTS.c
    where = [*_driver(shape.sight, camera=shape.camera), *_began()]
    if kind in {"came", "came_long"}:
        where.append(c.frame_time >= _float("gone"))
    if kind == "came_long":
        where += [_long(c), c.lasts == bindparam("lasts")]
    columns = (c.device, c.event_id, c.camera, c.start_time, c.frame_time, c.sketch)
    # A limit, however high, makes SQLite begin with these rows: it knows nothing of what is rare.
    return select(*columns).where(*where).limit(_ALL).subquery("drivers")


def _times(kind: Kind, drivers: Subquery) -> tuple[ColumnElement[float], ColumnElement[float]]:
    """Return from when until when the other one of a pair begins."""
    start, gone, reach = drivers.c.start_time, drivers.c.frame_time, _float("reach")
    if kind == "after":
        return start, start + reach
    if kind == "before":
        return start - reach, start
    if kind in {"there", "there_long"}:
        return start - (reach + _float("length")), start
    if kind == "later":
        return start, gone + reach
    begin, end = _float("begin"), _float("end")
    return begin, case((gone + reach < end, gone + reach), else_=end)


def _checked(statement: Statement) -> Statement:
    """Return a statement that says of itself that it looks at no other workspace's events."""
    return statement.execution_options(**WITH_CONDITION)


def _seen(columns: Any, sight: Sight) -> list[ColumnElement[bool]]:  # noqa: ANN401 - of a table or an alias
    if sight == "all":
        return []
    whose: BindParameter[str] = bindparam("workspace")
    return [place_is_own(columns.device, columns.camera, whose, is_home=sight == "home")]


def _driver(sight: Sight, *, camera: bool) -> list[ColumnElement[bool]]:
    c = _EVENTS.c
    named = [c.label == bindparam("label"), *_seen(c, sight)]
    return [*named, c.camera == bindparam("camera")] if camera else named


def _began() -> list[ColumnElement[bool]]:
    start = _EVENTS.c.start_time
    return [start >= _float("since"), start < _float("until")]


def _marked(columns: Any) -> list[Any]:  # noqa: ANN401 - of a table, an alias or a subquery
    return [columns.start_time, columns.device, columns.event_id, columns.sketch]


def _long(columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - of a table or an alias
    # Written out, not sent as a parameter: only so databases see that the index of long events fits.
    found: ColumnElement[bool] = columns.lasts > literal(0, literal_execute=True)
    return found


def _float(name: str) -> ColumnElement[float]:
    return bindparam(name, type_=Float())
