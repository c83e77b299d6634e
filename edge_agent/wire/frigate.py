"""Frigate's MQTT topics and documents, as far as elfowl fills them (`mqtt.compat: frigate`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from edge_agent.wire.base import Document
from edge_agent.wire.event import EventType

DEFAULT_FRIGATE_PREFIX = "frigate"
FrigateFeature = Literal["detect", "snapshots"]
FRIGATE_FEATURES: tuple[FrigateFeature, ...] = ("detect", "snapshots")
BoxPx = tuple[int, int, int, int]


class FrigateSnapshot(Document):
    """The best picture of an object."""

    frame_time: float
    box: BoxPx
    area: int
    region: BoxPx
    score: float
    attributes: tuple[str, ...] = ()


class FrigateObject(Document):
    """An object as Frigate tells of it; boxes are pixels of the picture: left, top, right, bottom."""

    id: str
    camera: str
    frame_time: float
    snapshot: FrigateSnapshot | None
    label: str
    sub_label: None = None
    top_score: float
    false_positive: bool = False
    start_time: float
    end_time: float | None
    score: float
    box: BoxPx
    area: int
    ratio: float
    region: BoxPx
    active: bool
    stationary: bool
    motionless_count: int
    position_changes: int
    attributes: dict[str, float] = Field(default={})
    current_attributes: tuple[str, ...] = ()
    current_zones: tuple[str, ...]
    entered_zones: tuple[str, ...]
    has_clip: bool = False
    has_snapshot: bool


class FrigateEvent(Document):
    """`frigate/events`: how an object was, and how it is."""

    type: EventType
    before: FrigateObject
    after: FrigateObject


class FrigateStats(Document):
    """`frigate/stats`: rates of cameras and detector."""

    cameras: dict[str, dict[str, float]]
    detectors: dict[str, dict[str, float]]
    detection_fps: float
    service: dict[str, Any]


@dataclass(frozen=True)
class FrigateRow:
    """What elfowl makes of one field or topic of Frigate."""

    name: str
    filled: str


FRIGATE_TOPICS: tuple[FrigateRow, ...] = (
    FrigateRow(
        "frigate/available",
        "`online` on every connect, `stopped` on a clean stop; not `offline` when the agent dies: a "
        "connection has one will, and that is `elfowl/<device>/available`",
    ),
    FrigateRow("frigate/events", "`new`, `update`, `end`, from the same moments as elfowl's own events"),
    FrigateRow("frigate/<camera>/<label>", "count now in view; `all` is the sum of the labels"),
    FrigateRow("frigate/<camera>/<label>/active", "count of those that do not stand still"),
    FrigateRow(
        "frigate/<camera>/<label>/snapshot", "JPEG, blurred unless `snapshots.clear` is set; retained"
    ),
    FrigateRow("frigate/<camera>/status/detect", "`online` or `offline`"),
    FrigateRow("frigate/<camera>/detect/set, /state", "`ON` or `OFF`"),
    FrigateRow("frigate/<camera>/snapshots/set, /state", "`ON` or `OFF`"),
    FrigateRow("frigate/stats", "rates, inference time, uptime; no processes, storage or GPUs"),
    FrigateRow("frigate/<zone>/<label>", "no: elfowl's zones belong to a camera; see the event's zones"),
    FrigateRow("frigate/<camera>/motion, /recordings, /audio, …", "no: there is nothing of the kind"),
    FrigateRow("frigate/reviews, frigate/tracked_object_update", "no"),
)

FRIGATE_FIELDS: tuple[FrigateRow, ...] = (
    FrigateRow("id", "elfowl's event id: unique and sortable by time, but not of Frigate's form"),
    FrigateRow("camera, label, score, top_score, start_time, end_time, frame_time", "as in elfowl's event"),
    FrigateRow("box, area, ratio", "pixels of the camera's picture, made from the normalised box"),
    FrigateRow("region", "the whole picture: elfowl does not look at parts"),
    FrigateRow("current_zones, entered_zones", "as in elfowl's event"),
    FrigateRow("active, stationary", "from the track"),
    FrigateRow("motionless_count", "frames of the track while it stands still, else 0"),
    FrigateRow("position_changes", "how often it moved by half a picture's width"),
    FrigateRow("has_snapshot, snapshot", "whether a picture was published, and the box in it"),
    FrigateRow("attributes", "elfowl's attributes as `slug: value` → score"),
    FrigateRow("false_positive", "always false: elfowl tells of nothing before it is confirmed"),
    FrigateRow("has_clip", "always false: no clips are kept, so `/api/events/<id>/clip.mp4` cannot work"),
    FrigateRow("sub_label, current_attributes", "always empty"),
)
