"""What a detector says about one picture, and which detector said it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge_agent.wire.base import Document, Sha256, XyxyNorm

Score = Annotated[float, Field(ge=0.0, le=1.0)]
Precision = Literal["int8", "fp16", "fp32"]
Answerer = Literal["local", "cloud"]


class FrameSize(Document):
    """Size of the picture that boxes refer to."""

    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)


class DetectorRef(Document):
    """One version of one detector, in the precision in which it answered."""

    id: str
    name: str
    version: int = Field(ge=1)
    precision: Precision = "fp32"
    bundle_sha256: Sha256 | None = None


class Detection(Document):
    """One thing seen in one picture."""

    label: str
    score: Score
    box: XyxyNorm
