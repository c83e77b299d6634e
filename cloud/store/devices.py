"""Queries about devices, their tokens, and what is desired of and reported by them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, exists, select, update
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.errors import ConflictError, NotFoundError
from cloud.store.given import given
from cloud.store.tables import DesiredState, Device, EnrolmentToken, ReportedState
from cloud.store.workspace_tables import WorkspaceRow
from edge_agent.wire.sync import Desired, Reported

# Made once: every request of every device asks one of these, and making it takes longer than the answer.
_KEY = select(Device.public_key_pem).where(Device.name == bindparam("device"), Device.state == "enrolled")
_KEY_AND_SHARED = _KEY.add_columns(exists().where(WorkspaceRow.id != HOME))
_KEY_AND_VERSION = (
    select(Device.public_key_pem, DesiredState.version)
    .outerjoin(DesiredState, DesiredState.device == Device.name)
    .where(Device.name == bindparam("device"), Device.state == "enrolled")
)


def add_token(session: Session, *, sha256: str, now_s: float, expires_s: float) -> None:
    """Note a one-time enrolment token by its digest."""
    session.add(EnrolmentToken(sha256=sha256, created=now_s, expires=expires_s))


def spend_token(session: Session, *, sha256: str, device: str, now_s: float) -> bool:
    """Mark an unused token as used; of two who try at once, one gets true."""
    query = (
        update(EnrolmentToken)
        .where(EnrolmentToken.sha256 == sha256, EnrolmentToken.used.is_(None))
        .values(used=now_s, device=device)
    )
    return session.connection().execute(query).rowcount == 1


def enrol(session: Session, device: Device) -> Device:
    """Note a device that joins, or joins again; what is known of it stays."""
    return session.merge(device)


def key_of(session: Session, name: str) -> str | None:
    """Return the public key of a device, PEM; none when no device has this name."""
    device = session.get(Device, name)
    return None if device is None else device.public_key_pem


def enrolled_key_of(connection: Connection, name: str) -> str | None:
    """Return the public key of a device that is not revoked."""
    row = connection.execute(_KEY, {"device": name}).one_or_none()
    return None if row is None else str(row[0])


def key_and_shared_of(connection: Connection, name: str) -> tuple[str | None, bool]:
    """Return the public key of a device that is not revoked, and whether there is more than one workspace."""
    row = connection.execute(_KEY_AND_SHARED, {"device": name}).one_or_none()
    return (None, False) if row is None else (str(row[0]), bool(row[1]))


def key_and_version_of(session: Session, name: str) -> tuple[str | None, int]:
    """Return the public key of a device that is not revoked, and the version of what is desired of it."""
    row = session.connection().execute(_KEY_AND_VERSION, {"device": name}).one_or_none()
    return (None, 0) if row is None else (row[0], row[1] or 0)


def remove(session: Session, name: str) -> None:
    """Remove a device, so that another can join under its name; its events stay."""
    session.delete(find(session, name))


def find(session: Session, name: str) -> Device:
    """Return one device.

    Raises:
        NotFoundError: There is none.
    """
    device = session.get(Device, name)
    if device is None:
        message = f"there is no device {name!r}"
        raise NotFoundError(message)
    return device


def every(session: Session) -> list[Device]:
    """Return all devices by name."""
    return list(session.scalars(select(Device).order_by(Device.name)))


def note_seen(session: Session, name: str, *, now_s: float, online: bool = True) -> bool:
    """Note that a device spoke, or that its will said it is gone; return whether it is a known one."""
    device = session.get(Device, name)
    if device is None:
        return False
    device.online = online
    if online:
        device.last_seen = now_s
    return True


def note_together(session: Session, names: Collection[str], *, now_s: float) -> set[str]:
    """Note that many devices spoke at one time; return which of them are known."""
    wanted = given(session, [{"name": name} for name in names], name=str)
    query = select(Device.name).select_from(wanted).join(Device, Device.name == wanted.c.name)
    known = set(session.scalars(query))
    if known:
        note_all_seen(session, dict.fromkeys(known, now_s))
    return known


def note_all_seen(session: Session, seen: Mapping[str, float]) -> None:
    """Note when many devices spoke last: name → UTC seconds since 1970; strangers are passed over."""
    query = (
        update(Device)
        .where(Device.name == bindparam("device"))
        .values(online=True, last_seen=bindparam("at"))
    )
    session.connection().execute(query, [{"device": name, "at": at_s} for name, at_s in seen.items()])


def note_stats(session: Session, name: str, *, stats_json: str) -> None:
    """Keep the newest health of a device."""
    device = session.get(Device, name)
    if device is not None:
        device.stats = stats_json


def desired_of(session: Session, name: str) -> Desired:
    """Return what is desired of a device; version 0 when nothing was asked yet."""
    row = session.get(DesiredState, name)
    return Desired(device=name, version=0) if row is None else Desired.from_json(row.body)


def put_desired(session: Session, desired: Desired, *, now_s: float) -> None:
    """Store a newer desired state.

    Raises:
        ConflictError: Somebody stored this or a newer version meanwhile.
    """
    row = session.get(DesiredState, desired.device)
    if row is not None and desired.version <= row.version:
        message = f"the desired state of {desired.device} is at version {row.version} already"
        raise ConflictError(message)
    if row is None:
        row = DesiredState(device=desired.device)
        session.add(row)
    row.version, row.body, row.updated = desired.version, desired.to_json(), now_s


def reported_of(session: Session, name: str) -> Reported | None:
    """Return what a device last said it runs."""
    row = session.get(ReportedState, name)
    return None if row is None else Reported.from_json(row.body)


def put_reported(session: Session, reported: Reported, *, now_s: float) -> None:
    """Store what a device says it runs."""
    session.merge(ReportedState(device=reported.device, body=reported.to_json(), received=now_s))
