"""How one stream is watched: what a camera's config file says of a camera, and nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.wire.rules import CameraRules


class StreamSettings(BaseModel):
    """Settings of one stream; the names are those of a camera in the agent's config file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: float = Field(5.0, gt=0.0, le=60.0, description="pictures a second that are looked at")
    threshold: float | None = Field(None, ge=0.0, le=1.0, description="none: each detector's own")
    rtsp_transport: Literal["tcp", "udp"] = Field("tcp", description="how RTSP brings pictures")
    labels: tuple[str, ...] = Field((), max_length=128, description="only these are reported; none: all")
    rules: CameraRules = Field(CameraRules(), description="zones, lines, limits, schedules")
