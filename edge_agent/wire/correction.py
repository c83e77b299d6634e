"""What people say about an event: right, wrong, missed, other class."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from edge_agent.wire.base import Document, Name, XyxyNorm

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

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        _check_names_its_subject(self.verdict, self.event_id, self.camera, self.time)
        return self


class Correction(Document):
    """A feedback as the cloud keeps it: with provenance, and a box where one was drawn."""

    schema_version: Literal[1] = Field(1, alias="schema")
    id: str
    verdict: Verdict
    device: Name | None = None
    event_id: str | None = None
    camera: Name | None = None
    time: float | None = Field(None, description="UTC seconds since 1970")
    label: str | None = None
    box: XyxyNorm | None = None
    source: CorrectionSource
    author: str | None = None
    created: float = Field(description="UTC seconds since 1970")

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        _check_names_its_subject(self.verdict, self.event_id, self.camera, self.time)
        return self
