"""Tables of streams that the cloud watches, who watches them, and when nobody did; see `cloud.streams`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.owned import Owned
from cloud.store.tables import Base


class StreamRow(Owned, Base):
    """A stream, as people want it watched.

    `name` is what its events name as their camera, so no two of a server have the same. `address` may hold a
    password. `detectors` are pairs of an id and a version; no version: the one in use. `settings` is JSON
    text of `StreamSettings`.
    """

    __tablename__ = "streams"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str]
    detectors: Mapped[list[Any]]
    settings: Mapped[str] = mapped_column(Text)
    paused: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float]


class StreamLeaseRow(Base):
    """Who watches a stream, and what it says of it.

    `holder` holds it from `taken` on, and as long as `beat` is fresh; none: nobody does. `token` grows with
    each taking: who has an older one may not store anything any more. Until `watched` the stream was watched,
    and all that was seen is stored. `losses` holders in a row died, the last one noticed at `lost`.
    """

    __tablename__ = "stream_leases"

    stream_id: Mapped[str] = mapped_column(ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True)
    holder: Mapped[str | None]
    token: Mapped[int] = mapped_column(default=0)
    taken: Mapped[float]
    beat: Mapped[float]
    watched: Mapped[float]
    status: Mapped[str]
    reason: Mapped[str]
    since: Mapped[float]
    losses: Mapped[int] = mapped_column(default=0)
    lost: Mapped[float] = mapped_column(default=0.0)
    figures: Mapped[dict[str, Any]]


class StreamWorkerRow(Base):
    """A process that watches streams; it lives as long as its `beat` is fresh."""

    __tablename__ = "stream_workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    began: Mapped[float]
    beat: Mapped[float]


class StreamGapRow(Base):
    """A time in which a stream was not watched, and why; `ended` is none while it lasts."""

    __tablename__ = "stream_gaps"
    __table_args__ = (Index("ix_stream_gaps_stream_id", "stream_id", "began"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    stream_id: Mapped[str] = mapped_column(ForeignKey("streams.id", ondelete="CASCADE"))
    began: Mapped[float]
    ended: Mapped[float | None]
    kind: Mapped[str]
    why: Mapped[str]
