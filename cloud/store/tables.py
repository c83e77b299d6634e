"""Tables of the cloud; times are UTC seconds since 1970, documents are JSON text of the wire models.

Portable: SQLite is the default, PostgreSQL needs no change here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cloud.store.owned import Owned

_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

LONG_S = 120
_LONG = text("lasts > 0")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - read by SQLAlchemy as it stands


class Detector(Owned, Base):
    """A thing that people teach to see; its versions are the trained networks."""

    __tablename__ = "detectors"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    labels: Mapped[list[Any]] = mapped_column(default=list)
    created: Mapped[float]

    versions: Mapped[list[Version]] = relationship(
        order_by="Version.version", cascade="all, delete-orphan", passive_deletes=True
    )


class Version(Base):
    """One trained network of a detector; its files lie in `detectors/<id>/v<version>/`."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("detector_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    detector_id: Mapped[str] = mapped_column(ForeignKey("detectors.id", ondelete="CASCADE"))
    version: Mapped[int]
    created: Mapped[float]
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Media(Base):
    """A picture or video that examples are drawn on; `path` is relative to the home folder.

    `role` is `teach`, or `test`: what is drawn on such a medium is never learned from. `state` is `ready`,
    `preparing` while a playback copy is made, or `broken` for the `reason`. When a video is ready, `path` is
    its playback copy, in whose frames everything counts, and `original_path` what was uploaded; none when
    the upload itself can be played. `shown` tells which frame of the upload each of the copy shows, as rows
    of `cloud.datasets.playback.runs_of`; null: the same. `sha256` is of the upload.
    `look` is a perceptual hash; see `cloud.datasets.looks`.
    """

    __tablename__ = "media"

    id: Mapped[str] = mapped_column(primary_key=True)
    detector_id: Mapped[str] = mapped_column(ForeignKey("detectors.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(default="teach")
    kind: Mapped[str]
    name: Mapped[str]
    path: Mapped[str]
    original_path: Mapped[str | None]
    sha256: Mapped[str]
    width_px: Mapped[int]
    height_px: Mapped[int]
    frame_count: Mapped[int]
    fps: Mapped[float | None]
    created: Mapped[float]
    state: Mapped[str] = mapped_column(default="ready", server_default="ready")
    reason: Mapped[str | None] = mapped_column(Text)
    look: Mapped[str | None]
    shown: Mapped[list[Any] | None]


class Frame(Base):
    """What people said about one frame; `revision` grows with each change.

    `trusted` is null when the whole picture was looked at, else a list of normalised xyxy regions. `tags` are
    the classes that are somewhere in the picture; null when nobody said so of the whole picture.
    """

    __tablename__ = "frames"
    __table_args__ = (UniqueConstraint("media_id", "frame_index"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    media_id: Mapped[str] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"))
    frame_index: Mapped[int]
    revision: Mapped[int]
    nothing_here: Mapped[bool] = mapped_column(default=False)
    trusted: Mapped[list[Any] | None]
    tags: Mapped[list[Any] | None]
    updated: Mapped[float]

    boxes: Mapped[list[LabelBox]] = relationship(
        order_by="LabelBox.id", cascade="all, delete-orphan", passive_deletes=True
    )


class LabelBox(Base):
    """One labelled box of a frame, normalised xyxy."""

    __tablename__ = "labels"

    id: Mapped[int] = mapped_column(primary_key=True)
    frame_id: Mapped[int] = mapped_column(ForeignKey("frames.id", ondelete="CASCADE"), index=True)
    label: Mapped[str]
    x1: Mapped[float]
    y1: Mapped[float]
    x2: Mapped[float]
    y2: Mapped[float]


class Proposal(Base):
    """A box that a detector offers for a frame, normalised xyxy; learned from only once a person accepts it.

    `state` is `open`, `accepted` or `rejected`; `proposed_by` says which detector and version it was.
    """

    __tablename__ = "proposals"

    id: Mapped[int] = mapped_column(primary_key=True)
    media_id: Mapped[str] = mapped_column(ForeignKey("media.id", ondelete="CASCADE"), index=True)
    frame_index: Mapped[int]
    label: Mapped[str]
    score: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    x2: Mapped[float]
    y2: Mapped[float]
    proposed_by: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")
    created: Mapped[float]


class StoredEvent(Base):
    """One event document as it came; (device, epoch, seq) is its identity."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("device", "epoch", "seq"),
        Index("ix_events_device_event_id", "device", "event_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str]
    epoch: Mapped[str]
    seq: Mapped[int]
    event_id: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    received: Mapped[float]


class EventState(Base):
    """The latest state of one event, whatever order its documents came in.

    `frame_time` is when it was last seen. `lasts` and `sketch` are those of `cloud.store.sketch`; events
    of before there were sketches have none.
    """

    __tablename__ = "event_states"
    __table_args__ = (
        Index("ix_event_states_start_time", "start_time", "event_id"),
        Index("ix_event_states_detector_id", "detector_id", "start_time"),
        # Of searches: all that they look at before they read a document, so that they read few.
        Index(
            "ix_event_states_label",
            "label", "start_time", "camera", "device", "event_id", "frame_time", "sketch",
        ),
        Index(
            "ix_event_states_camera",
            "device", "camera", "label", "start_time", "frame_time", "event_id", "sketch",
        ),
        Index(
            "ix_event_states_long",
            "label", "lasts", "start_time", "frame_time", "camera", "device", "event_id", "sketch",
            sqlite_where=_LONG, postgresql_where=_LONG,
        ),
        Index(
            "ix_event_states_camera_long",
            "device", "camera", "label", "lasts", "start_time", "frame_time", "event_id", "sketch",
            sqlite_where=_LONG, postgresql_where=_LONG,
        ),
    )  # fmt: skip

    device: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    camera: Mapped[str]
    label: Mapped[str]
    detector_id: Mapped[str]
    detector_version: Mapped[int]
    answered_by: Mapped[str]
    start_time: Mapped[float]
    end_time: Mapped[float | None]
    frame_time: Mapped[float]
    lasts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    sketch: Mapped[int | None] = mapped_column(BigInteger)
    body: Mapped[str] = mapped_column(Text)
    received: Mapped[float]
    has_thumbnail: Mapped[bool] = mapped_column(default=False)


class Thumbnail(Base):
    """The newest small picture of an event, blurred on the camera; a JPEG."""

    __tablename__ = "thumbnails"

    device: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)


class EventGap(Base):
    """Events that a device forgot before they could be sent."""

    __tablename__ = "event_gaps"
    __table_args__ = (UniqueConstraint("device", "epoch", "first_seq"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str]
    epoch: Mapped[str]
    first_seq: Mapped[int]
    last_seq: Mapped[int]
    reason: Mapped[str]
    received: Mapped[float]


class Spool(Base):
    """How far the events of one spool file of a device are stored without a hole."""

    __tablename__ = "spools"

    device: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[str] = mapped_column(primary_key=True)
    acked_seq: Mapped[int]


class DeadLetter(Base):
    """A message that could not be understood, kept so that nobody wonders where it went."""

    __tablename__ = "dead_letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
    received: Mapped[float]


class StoredCorrection(Owned, Base):
    """What a person said about an event, a missed object or a frame; `key_frame_path` once the picture came.

    `withdrawn` is when it was taken back; it stays as a record and teaches nothing.
    """

    __tablename__ = "corrections"

    id: Mapped[str] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    device: Mapped[str | None]
    event_id: Mapped[str | None] = mapped_column(index=True)
    media_id: Mapped[str | None] = mapped_column(index=True)
    detector_id: Mapped[str | None] = mapped_column(index=True)
    box: Mapped[list[Any] | None]
    label: Mapped[str | None]
    body: Mapped[str] = mapped_column(Text)
    key_frame_path: Mapped[str | None]
    created: Mapped[float]
    withdrawn: Mapped[float | None]


class Device(Owned, Base):
    """A camera that has joined; `state` is `pending` (somebody has to accept it), `enrolled` or `revoked`."""

    __tablename__ = "devices"

    name: Mapped[str] = mapped_column(primary_key=True)
    public_key_pem: Mapped[str] = mapped_column(Text)
    profile: Mapped[str]
    arch: Mapped[str]
    agent_version: Mapped[str]
    state: Mapped[str] = mapped_column(default="enrolled")
    enrolled: Mapped[float]
    online: Mapped[bool] = mapped_column(default=False)
    last_seen: Mapped[float | None]
    stats: Mapped[str | None] = mapped_column(Text)
    group: Mapped[str | None]
    labels: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")


class EnrolmentToken(Owned, Base):
    """A one-time token to join with; only its digest is kept.

    Who joins with one that does not accept waits until a person does; `group` is what the device gets.
    """

    __tablename__ = "enrolment_tokens"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[float]
    expires: Mapped[float]
    used: Mapped[float | None]
    device: Mapped[str | None]
    accepts: Mapped[bool] = mapped_column(default=True, server_default="1")
    group: Mapped[str | None]


class DesiredState(Base):
    """What the cloud wants of a device: a `Desired` document; `version` only grows."""

    __tablename__ = "desired"

    device: Mapped[str] = mapped_column(ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    updated: Mapped[float]


class ReportedState(Base):
    """What a device says it runs: a `Reported` document."""

    __tablename__ = "reported"

    device: Mapped[str] = mapped_column(ForeignKey("devices.name", ondelete="CASCADE"), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    received: Mapped[float]


class BundleRow(Base):
    """A compressed detector; `state` is `made`, then `published` (signed, with its `BundleTarget`)."""

    __tablename__ = "bundles"

    id: Mapped[str] = mapped_column(primary_key=True)
    detector_id: Mapped[str] = mapped_column(ForeignKey("detectors.id", ondelete="CASCADE"), index=True)
    detector_version: Mapped[int]
    profile: Mapped[str]
    runtime: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]
    length_bytes: Mapped[int]
    receipt_path: Mapped[str]
    state: Mapped[str] = mapped_column(default="made")
    release: Mapped[int | None]
    target: Mapped[str | None] = mapped_column(Text)
    created: Mapped[float]


class Job(Owned, Base):
    """Long work; `state` is `queued`, `running`, `done`, `failed` or `cancelled`."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    detector_id: Mapped[str] = mapped_column(index=True)
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    stage: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(default="")
    seconds_left: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None]
    created: Mapped[float]
    updated: Mapped[float]
