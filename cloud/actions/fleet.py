"""What people do with devices beside giving them bundles: group, accept, revoke, remove with all data."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, InputError
from cloud.settings import Settings
from cloud.store import audit, devices
from cloud.store.tables import (
    DeadLetter,
    Device,
    EventGap,
    EventState,
    Spool,
    StoredCorrection,
    StoredEvent,
    Thumbnail,
)
from edge_agent.wire.topics import DEFAULT_PREFIX

_LABELS = 20
_LABEL_CHARS = 60


def arrange(
    session: Session, name: str, group: str | None, labels: list[str], *, now_s: float, who: str | None = None
) -> Device:
    """Put a device into a group, or none, and give it labels; what it had before is replaced.

    Raises:
        NotFoundError: There is no such device.
        InputError: Too many labels, or an empty or long one.
    """
    device = devices.find(session, name)
    wanted = sorted({label.strip() for label in labels})
    named = [*wanted, *([] if group is None else [group])]
    if len(wanted) > _LABELS or any(not 0 < len(one) <= _LABEL_CHARS for one in named):
        message = f"give at most {_LABELS} labels, each and the group of 1 to {_LABEL_CHARS} signs"
        raise InputError(message)
    device.group, device.labels = group, list(wanted)
    detail = f"group {group or 'none'}, labels {', '.join(wanted) or 'none'}"
    audit.note(session, "arranged", now_s=now_s, device=name, who=who, detail=detail)
    return device


def accept(session: Session, name: str, *, now_s: float, who: str | None = None) -> Device:
    """Let a device in that waits; it learns so when it asks again.

    Raises:
        NotFoundError: There is no such device.
        ConflictError: It does not wait.
    """
    device = devices.find(session, name)
    if device.state != "pending":
        message = f"device {name!r} is {device.state}; only one that waits can be accepted"
        raise ConflictError(message)
    device.state = "enrolled"
    audit.note(session, "accepted", now_s=now_s, device=name, who=who)
    return device


def revoke(session: Session, name: str, *, now_s: float, who: str | None = None) -> Device:
    """Believe a device no more, from its very next request; what is known of it stays.

    Raises:
        NotFoundError: There is no such device.
    """
    device = devices.find(session, name)
    device.state, device.online = "revoked", False
    audit.note(session, "revoked", now_s=now_s, device=name, who=who)
    return device


def remove(
    session: Session,
    settings: Settings,
    name: str,
    *,
    with_data: bool = False,
    now_s: float,
    who: str | None = None,
) -> None:
    """Remove a device, so that another may join under its name; its events and pictures only when told so.

    Raises:
        NotFoundError: There is no such device.
    """
    devices.remove(session, name)
    if with_data:
        _remove_data(session, settings, name)
    detail = "with its events and pictures" if with_data else "its events stay"
    audit.note(session, "removed", now_s=now_s, device=name, who=who, detail=detail)


def _remove_data(session: Session, settings: Settings, name: str) -> None:
    taught = select(StoredCorrection).where(StoredCorrection.device == name)
    for correction in session.scalars(taught):
        if correction.key_frame_path is not None:
            (settings.home / correction.key_frame_path).unlink(missing_ok=True)
    for table in (StoredEvent, EventState, Thumbnail, EventGap, Spool, StoredCorrection):
        session.execute(delete(table).where(table.device == name))
    said = DeadLetter.topic.startswith(f"{DEFAULT_PREFIX}/{name}/", autoescape=True)
    session.execute(delete(DeadLetter).where(said))
