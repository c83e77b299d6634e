"""What an agent tells about itself on MQTT."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Name, XyxyNorm
from edge_agent.wire.detection import Answerer, DetectorRef, Score
from edge_agent.wire.shadow import ShadowReport

Availability = Literal["online", "offline"]
Switch = Literal["ON", "OFF"]
Feature = Literal["detect", "snapshots", "offload", "threshold"]
FEATURES: tuple[Feature, ...] = ("detect", "snapshots", "offload", "threshold")


class CameraDetail(Document):
    """Why a camera is online or offline: `…/cam/<camera>/detail`."""

    schema_version: Literal[1] = Field(1, alias="schema")
    status: Availability
    reason: str = Field(description="one line for people")
    since: float = Field(description="UTC seconds since 1970")
    reopened: int = Field(0, ge=0, description="times the source was opened again")


class LabelAttributes(Document):
    """Best sight of a label now in view: `…/label/<slug>/attributes`."""

    schema_version: Literal[1] = Field(1, alias="schema")
    label: str
    count: int = Field(ge=0)
    stationary: int = Field(0, ge=0, description="how many of them stand still")
    score: Score | None = None
    box: XyxyNorm | None = None
    zones: tuple[str, ...] = ()
    detector: DetectorRef | None = None
    answered_by: Answerer | None = None
    event_id: str | None = None


class CameraStats(Document):
    """Counters of one camera since the agent started; rates over the last interval."""

    fps_captured: float = Field(ge=0.0)
    fps_inferred: float = Field(ge=0.0)
    frames_skipped: int = Field(ge=0, description="passed over by the motion gate")
    frames_dropped: int = Field(ge=0, description="came while the pipeline was busy")
    gate_ratio: float = Field(ge=0.0, le=1.0, description="share of frames that the gate let through")
    inference_ms_p50: float | None = None
    inference_ms_p99: float | None = None
    false_alarms: int = Field(0, ge=0, description="remembered because somebody called them wrong")
    suppressed: int = Field(0, ge=0, description="times that one of them came back and was not told")
    suppressed_boxes: int = Field(0, ge=0, description="boxes that were taken out for that")
    frames_throttled: int = Field(0, ge=0, description="passed over because memory or heat allowed no more")


class Stats(Document):
    """Health of the agent: `<p>/<device>/stats`, every 60 s."""

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    agent_version: str
    uptime_s: float = Field(ge=0.0)
    cameras: dict[str, CameraStats]
    offload_requests: int = Field(0, ge=0)
    offload_answers: int = Field(0, ge=0)
    offload_bytes: int = Field(0, ge=0)
    spool_depth: int = Field(0, ge=0)
    spool_dropped: int = Field(0, ge=0)
    rss_bytes: int = Field(0, ge=0)
    pss_bytes: int = Field(0, ge=0, description="of all processes, shared pages counted by shares")
    temperature_c: float | None = None
    operation: str | None = Field(None, description="boot, enrol, local, offload, blind or safe")
    throttled: tuple[str, ...] = Field((), description="why cameras look less often: memory, temperature")
    alarms: tuple[str, ...] = Field((), description="what somebody should look after, a line each")
    shadow: ShadowReport | None = Field(None, description="how the candidate on trial compares")


class UpdateState(Document):
    """The detector as a Home Assistant `update` entity: `<p>/<device>/detector/state`."""

    installed_version: str
    latest_version: str
    title: str | None = None
    release_summary: str | None = Field(None, max_length=255)
    in_progress: bool = False
