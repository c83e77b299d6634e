"""What people say about an event: right, wrong, missed, other class."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from edge_agent.wire.base import Document, Name, Sha256, XyxyNorm
from edge_agent.wire.detection import DetectorRef

Verdict = Literal["right", "wrong", "missed", "other_class"]
CorrectionSource = Literal["portal", "mqtt", "api", "player", "cli"]


def _check_names_its_subject(
    verdict: Verdict, event_id: str | None, camera: str | None, time_s: float | None
) -> None:
    if verdict == "missed":
        if camera is None or time_s is None:
            message = "verdict 'missed' needs 'camera' and 'time'"
            raise ValueError(message)
    elif event_id is None:
        message = f"verdict {verdict!r} needs 'event_id'"
        raise ValueError(message)


class Feedback(Document):
    """Published by an automation or a phone on `<p>/<device>/feedback/set`."""

    verdict: Verdict
    event_id: str | None = None
    camera: Name | None = None
    time: float | None = Field(None, description="UTC seconds since 1970 of a missed object")
    label: str | None = Field(None, description="for 'missed' and 'other_class': what it is")
    box: XyxyNorm | None = Field(None, description="where it is, if that is known")
    author: str | None = Field(None, max_length=200, description="who says so")

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        _check_names_its_subject(self.verdict, self.event_id, self.camera, self.time)
        return self


class Correction(Document):
    """A feedback as the cloud keeps it: with provenance, and a box where one was drawn.

    It is about an event, or about a moment of a camera, or about a frame of an uploaded medium.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    id: str
    verdict: Verdict
    device: Name | None = None
    event_id: str | None = None
    camera: Name | None = None
    time: float | None = Field(None, description="UTC seconds since 1970")
    media_id: str | None = None
    frame_index: int | None = Field(None, ge=0, description="of the medium, numbered from 0")
    label: str | None = None
    box: XyxyNorm | None = None
    source: CorrectionSource
    author: str | None = None
    created: float = Field(description="UTC seconds since 1970")
    detector: DetectorRef | None = Field(None, description="whose answer it is about, where that is known")
    key_frame_sha256: Sha256 | None = Field(None, description="of the camera's picture, once it came")
    withdrawn: float | None = Field(None, description="UTC seconds since 1970; no longer learned from")

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        if (self.media_id is None) != (self.frame_index is None):
            message = "'media_id' and 'frame_index' go together"
            raise ValueError(message)
        if self.media_id is None:
            _check_names_its_subject(self.verdict, self.event_id, self.camera, self.time)
        elif self.box is None:
            message = "a correction of a frame needs 'box'"
            raise ValueError(message)
        return self
