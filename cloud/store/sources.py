"""Whose events are which: the names of devices, and of cameras of devices that workspaces share."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.errors import ConflictError
from cloud.store import scope
from cloud.store.apart import SHARED_DEVICES
from cloud.store.tables import Detector, Device, EventState, Job, StoredCorrection
from cloud.store.workspace_tables import EventSourceRow

WHOLE = ""
"""Stands for all cameras of a device."""


@dataclass(frozen=True)
class Places:
    """The (device, camera) whose events count, or, when not `inside`, those whose events do not."""

    pairs: frozenset[tuple[str, str]]
    inside: bool

    def holds(self, device: str, camera: str) -> bool:
        """Return whether events of a camera count."""
        return ((device, WHOLE) in self.pairs or (device, camera) in self.pairs) == self.inside


def claim(session: Session, device: str, camera: str, workspace_id: str) -> None:
    """Note that a name is a workspace's from now on, for good: its events stay when the rest is gone.

    Args:
        session: A write session.
        device: What events will name as their device.
        camera: What they will name as their camera, where workspaces share the device; else `WHOLE`.
        workspace_id: Whose it is.

    Raises:
        ConflictError: It is another's.
    """
    with scope.seeing(session, None):
        known = session.get(EventSourceRow, (device, camera))
        if known is None and not _is_taken(session, device, camera, workspace_id):
            session.add(EventSourceRow(device=device, camera=camera, workspace_id=workspace_id))
            return
    if known is None or known.workspace_id != workspace_id:
        message = f"the name {(camera or device)!r} is taken; choose another one"
        raise ConflictError(message)


def owner_of(session: Session, device: str, camera: str) -> str:
    """Return whose the events of a camera are; what nobody else's is, is home's."""
    with scope.seeing(session, None):
        row = session.get(EventSourceRow, (device, camera))
        row = row or session.get(EventSourceRow, (device, WHOLE))
        return HOME if row is None else row.workspace_id


def owner_of_device(session: Session, name: str) -> str:
    """Return whose a device is."""
    return owner_of(session, name, WHOLE)


def owner_of_row(session: Session, kind: type[Detector | Job | StoredCorrection], key: str) -> str | None:
    """Return whose a row is; none when there is no such row."""
    with scope.seeing(session, None):
        return session.scalar(select(kind.workspace_id).where(kind.id == key))


def places_of(session: Session) -> Places | None:
    """Return where the events come from that a session sees; none: it sees all."""
    workspace_id = scope.narrowed(session)
    if workspace_id is None:
        return None
    rows = select(EventSourceRow.device, EventSourceRow.camera)
    inside = workspace_id != HOME
    own = EventSourceRow.workspace_id == workspace_id
    with scope.seeing(session, None):
        pairs = session.execute(rows.where(own if inside else ~own)).all()
    return Places(frozenset((device, camera) for device, camera in pairs), inside)


def _is_taken(session: Session, device: str, camera: str, workspace_id: str) -> bool:
    """Return whether a name that was never claimed has been used, by home: before there were others."""
    if camera == WHOLE and device in SHARED_DEVICES:
        return True
    if workspace_id == HOME:
        return False
    joined = select(Device.name).where(Device.name == device)
    seen = select(EventState.event_id).where(EventState.device == device)
    if camera != WHOLE:
        seen = seen.where(EventState.camera == camera)
        return session.scalar(seen.limit(1)) is not None
    return session.scalar(joined) is not None or session.scalar(seen.limit(1)) is not None
