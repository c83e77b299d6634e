"""Cameras around a device: wanted, answered, and as people see them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cloud.actions.devices import change_desired
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.fleet.desired import nearby_came, want_nearby
from cloud.store import audit, devices
from cloud.store.ids import new_id
from edge_agent.wire.nearby import NearbyAddition, NearbyCameras, NearbyWanted
from edge_agent.wire.sync import Desired


def ask(
    session: Session,
    device: str,
    *,
    add: NearbyAddition | None = None,
    remove: str | None = None,
    now_s: float,
    who: str | None = None,
) -> Desired:
    """Want a device to look for cameras, or to add or take out one; what waited before is given up.

    Raises:
        NotFoundError: There is no such device.
        ConflictError: It is not let in, or not there: nobody would answer for who knows how long.
        InputError: It has a camera of that name already.
    """
    row = devices.find(session, device)
    if row.state != "enrolled" or not row.online:
        message = f"{device} is not online, so it cannot look around; switch it on, and ask again"
        raise ConflictError(message)
    reported = devices.reported_of(session, device)
    if add is not None and reported is not None and add.name in reported.cameras:
        message = f"{device} has a camera {add.name!r} already; give the new one another name"
        raise InputError(message)
    wanted = NearbyWanted(request_id=new_id("nby"), add=add, remove=remove)
    if add is not None or remove is not None:
        what, camera = ("camera added", add.name) if add is not None else ("camera taken out", str(remove))
        audit.note(session, what, now_s=now_s, device=device, who=who, detail=camera)
    changed = change_desired(session, device, lambda now: want_nearby(now, wanted), now_s=now_s)
    return changed or devices.desired_of(session, device)


def take_answer(session: Session, answer: NearbyCameras, *, now_s: float) -> Desired | None:
    """Want no longer what a device answers; return its new desired state.

    Raises:
        NotFoundError: Nobody waits for this answer any more.
    """
    changed = change_desired(
        session, answer.device, lambda now: nearby_came(now, answer.request_id), now_s=now_s
    )
    if changed is None:
        message = "nobody waits for this answer any more"
        raise NotFoundError(message)
    return changed
