"""What a candidate would have told, had it run: counted beside the detector that runs, and told to nobody."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Name, Sha256
from edge_agent.wire.detection import DetectorRef


class ShadowCamera(Document):
    """Alerts of one camera since the trial began; an alert is an event that begins."""

    alerts_now: int = Field(0, ge=0, description="of the detector that runs, in the pictures that both saw")
    alerts_candidate: int = Field(0, ge=0, description="of the candidate, in the same pictures")
    alerts_both: int = Field(0, ge=0, description="told by both")
    only_now: tuple[float, ...] = Field((), description="UTC seconds of the last ones that it would not tell")
    only_candidate: tuple[float, ...] = Field((), description="UTC seconds of the last ones that are new")
    pictures: int = Field(0, ge=0, description="seen by both")


class ShadowReport(Document):
    """How a shadow trial stands: in the reported state, and in the stats."""

    schema_version: Literal[1] = Field(1, alias="schema")
    bundle_sha256: Sha256
    detectors: tuple[DetectorRef, ...] = ()
    since: float | None = Field(None, description="UTC seconds of the first picture")
    until: float | None = Field(None, description="UTC seconds of the last picture")
    cameras: dict[Name, ShadowCamera] = Field(default_factory=dict)
    problem: str | None = Field(None, max_length=500, description="why there is no trial, or it stands still")
    summary: str = Field("", max_length=200, description="one line for people")
