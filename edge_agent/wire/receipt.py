"""The receipt of a compression: what was removed, what it cost, measured in the camera's own runtime."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Sha256
from edge_agent.wire.detection import DetectorRef, Precision
from edge_agent.wire.manifest import RuntimeName, SubnetRef


class Measurement(Document):
    """One exported form of the detector, as its runtime ran it on the held-out pictures."""

    form: str = Field(description="for example 'full', 'litert_int8', 'onnx_int8'")
    runtime: RuntimeName | Literal["torch"]
    precision: Precision
    bytes: int = Field(ge=0, description="size of the network")
    parameters: int | None = None
    ap50: float | None = Field(None, description="none: no held-out pictures were given")
    ap: float | None = None
    images: int = Field(0, ge=0)
    agreement_f1: float | None = Field(None, description="boxes shared with the full detector at IoU 0.5")
    max_abs_error: float | None = Field(None, description="raw outputs against torch")
    ms_p50: float | None = None
    ms_p99: float | None = None
    peak_memory_bytes: int | None = None
    bundle_sha256: Sha256 | None = None
    bundle_bytes: int | None = None
    embedding: EmbeddingMeasurement | None = Field(None, description="none: it tells no attributes")


class EmbeddingMeasurement(Document):
    """The second stage of a bundle, as its runtime ran it, against torch's float answers."""

    bytes: int = Field(ge=0, description="size of the embedding network")
    crops: int = Field(ge=0)
    cosine_median: float = Field(description="of embeddings with torch's")
    cosine_least: float
    same_value: float = Field(ge=0.0, le=1.0, description="share of crops that are told the same")


class Removal(Document):
    """One thing that a stage took away."""

    stage: str
    what: str
    parameters_before: int | None = None
    parameters_after: int | None = None


class Receipt(Document):
    """Before and after, side by side."""

    schema_version: Literal[1] = Field(1, alias="schema")
    detector: DetectorRef
    profile: str
    chosen: str = Field(description="`form` of the measurement that the bundle for this profile carries")
    before: Measurement
    after: tuple[Measurement, ...]
    removed: tuple[Removal, ...] = ()
    calibration_images: int = Field(ge=0)
    subnets: tuple[SubnetRef, ...] = ()
    versions: dict[str, str]
    machine: str
    reproduce: str
    seconds: dict[str, float]
    warnings: tuple[str, ...] = ()
    created: float = Field(description="UTC seconds since 1970")
