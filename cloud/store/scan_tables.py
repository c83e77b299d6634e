"""Tables of recordings and of who looked through them; see `cloud.scan`."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.owned import Owned
from cloud.store.tables import Base


class RecordingRow(Owned, Base):
    """A video that can be searched; the same content is one recording of a workspace, wherever it lies.

    `camera` is what its events name as theirs. `path` is absolute, or relative to the home folder. `began` is
    UTC seconds since 1970 of the first picture: picture n was taken n / `fps` seconds later.
    """

    __tablename__ = "recordings"
    __table_args__ = (UniqueConstraint("workspace_id", "sha256"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    camera: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]
    media_id: Mapped[str | None] = mapped_column(index=True)
    began: Mapped[float]
    fps: Mapped[float]
    duration: Mapped[float]
    width_px: Mapped[int]
    height_px: Mapped[int]
    created: Mapped[float]


class ScanRow(Base):
    """How far one version of a detector has looked through a recording.

    `glanced`: the key frames were looked at; `until` seconds of it were gone through; `done`: all of it.
    `looks` counts the pictures that were looked at.
    """

    __tablename__ = "scans"
    __table_args__ = (UniqueConstraint("recording_id", "detector_id", "detector_version"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    detector_id: Mapped[str] = mapped_column(index=True)
    detector_version: Mapped[int]
    detector_name: Mapped[str]
    glanced: Mapped[bool] = mapped_column(default=False)
    until: Mapped[float] = mapped_column(default=0.0)
    looks: Mapped[int] = mapped_column(default=0)
    done: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float]
    updated: Mapped[float]
