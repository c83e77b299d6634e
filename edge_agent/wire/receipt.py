"""The receipt of a compression: what was removed, what it cost, measured in the camera's own runtime."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Sha256, XyxyNorm
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
    candidate: str = Field(
        "", description="the smaller network that this is a form of; empty: the detector's own"
    )
    input_px: tuple[int, int] | None = Field(None, description="(width, height) of the network's input")
    macs: int | None = Field(None, description="multiply-accumulates a picture, counted in the graph")
    ap50_change_95: tuple[float, float] | None = Field(
        None, description="95 % interval of AP50 less the full detector's: paired bootstrap over the pictures"
    )
    agreement_95: tuple[float, float] | None = Field(None, description="95 % interval of `agreement_f1`")
    agreement_images: int = Field(0, ge=0, description="pictures, labelled or not, that it was compared on")
    memory_limit_bytes: int | None = Field(None, description="the limit under which its process ran")
    memory_limited_by: Literal["cgroup", "polling"] | None = Field(
        None, description="by the system, or by reading the process's share of memory (PSS) every 50 ms"
    )
    float_layers: int = Field(0, ge=0, description="layers left in float where int8 cost too much")
    ended: str | None = Field(None, description="why the trial ended before accuracy and time were measured")
    on_front: bool = Field(
        default=False, description="no other candidate is smaller, faster and more accurate at once"
    )


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


class BrokenLimit(Document):
    """One limit that a form breaks."""

    limit: str = Field(description="memory, storage, bundle, time or AP50")
    unit: str = Field(description="bytes, ms, or empty for a share")
    value: float = Field(description="measured")
    allowed: float = Field(description="the most, of accuracy the least, that is allowed")


class Curve(Document):
    """Precision at 101 recalls from 0 to 1, of one class and form, at IoU 0.5."""

    form: str
    label: str
    precision: tuple[float, ...]


class Estimate(Document):
    """A number that was not measured."""

    what: str
    value: float
    unit: str
    made_from: str = Field(description="what the estimate was made from")


class FrameDifference(Document):
    """A labelled picture on which the full detector and the chosen form answer differently."""

    picture: str
    before: tuple[XyxyNorm, ...]
    after: tuple[XyxyNorm, ...]
    truth: tuple[XyxyNorm, ...]


class Receipt(Document):
    """Before and after, side by side."""

    schema_version: Literal[1] = Field(1, alias="schema")
    detector: DetectorRef
    profile: str
    chosen: str = Field(
        description="`form` that the bundle for this profile carries; if limits are broken, the nearest one"
    )
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
    effort: Literal["quick", "normal", "best"] = "quick"
    limits: dict[str, float] = Field(default={}, description="limits that counted, by name")
    broken: tuple[BrokenLimit, ...] = Field(
        default=(), description="limits that even the nearest candidate breaks; then there is no bundle"
    )
    tried: tuple[Measurement, ...] = Field(
        default=(), description="all candidates, in all forms that were tried"
    )
    curves: tuple[Curve, ...] = ()
    differences: tuple[FrameDifference, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    notes: tuple[str, ...] = ()
