"""Tables of workspaces: what they are, who is in them, and whose the events of a device are."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.tables import Base


class WorkspaceRow(Base):
    """A workspace; the first one has the id `home`."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[float]


class MembershipRow(Base):
    """Who is in a workspace, and what they may do there."""

    __tablename__ = "memberships"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    workspace_id: Mapped[str] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str]
    created: Mapped[float]


class EventSourceRow(Base):
    """Whose events are that name a device, or one camera of a device that all workspaces share.

    `camera` is empty for a whole device. A name stays its workspace's also when the device is removed: its
    events do.
    """

    __tablename__ = "event_sources"

    device: Mapped[str] = mapped_column(primary_key=True)
    camera: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id"), index=True)
