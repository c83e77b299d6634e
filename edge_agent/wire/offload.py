"""Asking the cloud about a picture that the camera is unsure about."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import WHOLE, Document, Name, XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.event import OffloadReason


class OffloadRequest(Document):
    """Part `request` of a multipart POST to `/api/v1/offload`; part `image` is the JPEG."""

    schema_version: Literal[1] = Field(1, alias="schema")
    request_id: str = Field(min_length=8, max_length=64)
    device: Name
    camera: Name
    detector_id: str
    detector_version: int | None = Field(None, description="none: the newest")
    reason: OffloadReason
    deadline_ms: int = Field(gt=0, le=60_000, description="after this the answer is of no use")
    frame_time: float = Field(description="UTC seconds since 1970")
    event_id: str | None = None
    crop: XyxyNorm = Field(WHOLE, description="part of the frame that the picture shows")


class OffloadReply(Document):
    """The full detector's answer; boxes refer to the picture that was sent."""

    schema_version: Literal[1] = Field(1, alias="schema")
    request_id: str
    detector: DetectorRef
    detections: tuple[Detection, ...]
    inference_ms: float = Field(ge=0.0)
    queued_ms: float = Field(0.0, ge=0.0)
