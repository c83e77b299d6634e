"""The audit log: what was done to the fleet, by whom; rows are only added. Each workspace has its own."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.store import scope
from cloud.store.rollout_tables import AuditRow
from cloud.store.tables import Device


def note(
    session: Session,
    what: str,
    *,
    now_s: float,
    device: str | None = None,
    who: str | None = None,
    detail: str = "",
    workspace_id: str | None = None,
) -> None:
    """Note something that was done.

    Args:
        session: A write session, the one in which it is done.
        what: One or two words, for example `enrolled`.
        now_s: UTC seconds since 1970.
        device: The device that it is about.
        who: Who did it: an address, or none for somebody on this machine.
        detail: More, for people; never a secret.
        workspace_id: Whose log it goes into; none: the session's, else the one of the device, else home's.
    """
    row = AuditRow(at=now_s, what=what, device=device, who=who, detail=detail[:500])
    row.workspace_id = workspace_id or scope.inherited(session, Device, device)
    session.add(row)


def newest(session: Session, *, device: str | None = None, limit: int = 200) -> list[AuditRow]:
    """Return what was done last, newest first; of one device, or all."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if device is not None:
        query = query.where(AuditRow.device == device)
    return list(session.scalars(query))
