"""Tables of roll-outs, and of the log of what was done to the fleet; see `cloud.fleet.rollouts`."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.owned import Owned
from cloud.store.tables import Base


class RolloutRow(Owned, Base):
    """A roll-out: a `cloud.fleet.rollout_plan.Rollout`; of two, the one with the higher number wins."""

    __tablename__ = "rollouts"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - read by SQLAlchemy as it stands

    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    body: Mapped[str] = mapped_column(Text)


class RolloutMemberRow(Base):
    """A device of a roll-out: a `cloud.fleet.rollout_plan.Member`; `place` is when it is asked."""

    __tablename__ = "rollout_members"
    __table_args__ = (UniqueConstraint("rollout", "device"),)

    rollout: Mapped[int] = mapped_column(ForeignKey("rollouts.number", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    body: Mapped[str] = mapped_column(Text)


class AuditRow(Owned, Base):
    """Something that was done to the fleet; rows are only added."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(index=True)
    what: Mapped[str]
    device: Mapped[str | None]
    who: Mapped[str | None]
    detail: Mapped[str] = mapped_column(Text, default="")
