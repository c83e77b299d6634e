"""What is written beside a detector's weights: `spec.json`."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from edge_agent.wire.base import Document, Sha256
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, AnchorFreeLevel, Head, InputSpec, LabelSpec, SubnetRef

SCORES_OUTPUT = "scores"
BOXES_OUTPUT = "boxes"


Architecture = Literal["anchor_free_stride8", "light_stride8", "presence"]
Block = Literal["dense3", "dense3_separable5"]
"""What lies between neck and outputs: one dense 3x3 convolution, or that and a separable 5x5."""


class ClassQuality(Document):
    """How well one class was found: AP at IoU 0.5 and averaged over 0.5 to 0.95, and of how many objects."""

    ap50: float = Field(ge=0.0, le=1.0)
    ap: float = Field(ge=0.0, le=1.0)
    truth: int = Field(ge=0)
    threshold: float = Field(ge=0.0, le=1.0)


class Quality(Document):
    """How well a detector did on frames that it had not learned from."""

    ap50: float = Field(ge=0.0, le=1.0)
    ap: float = Field(ge=0.0, le=1.0)
    per_class: dict[str, ClassQuality]
    threshold: float = Field(ge=0.0, le=1.0)
    images: int = Field(ge=0)
    how: Literal["cross_validation", "held_out", "test"] = "test"


class SubnetUse(Document):
    """A pretrained subnet in a detector, and how much of each of its levels went in.

    A gate is 0 where training switched a level off; it is already inside the weights and only reported.
    """

    ref: SubnetRef
    gates: tuple[float, ...] = Field((1.0, 1.0, 1.0), min_length=1, max_length=8)


class DetectorSpec(Document):
    """Everything about a full detector but its weights.

    Files of schema 1 named one subnet, and their heads all had the block `dense3_separable5`.
    """

    schema_version: Literal[2] = Field(2, alias="schema")
    detector: DetectorRef
    labels: tuple[LabelSpec, ...] = Field(min_length=1)
    input_width_px: int = Field(gt=0, le=4096, multiple_of=32)
    input_height_px: int = Field(gt=0, le=4096, multiple_of=32)
    subnets: tuple[SubnetUse, ...] = Field(min_length=1, max_length=4)
    architecture: Architecture = "anchor_free_stride8"
    block: Block = "dense3"
    head_channels: int = Field(64, gt=0, le=1024)
    nms_iou: float = Field(0.5, gt=0.0, le=1.0)
    peak_kernel: int = Field(3, ge=1, le=15)
    quality: Quality | None = None
    weights_sha256: Sha256 | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_schema_1(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file says
        if not isinstance(given, dict) or given.get("schema") != 1 or "subnet" not in given:
            return given
        kept = {name: value for name, value in given.items() if name not in {"schema", "subnet"}}
        return {**kept, "subnets": [{"ref": given["subnet"]}], "block": "dense3_separable5"}

    @model_validator(mode="after")
    def _suits_its_architecture(self) -> Self:
        if self.architecture == "light_stride8" and len(self.subnets) > 1:
            message = "the light form builds on one subnet"
            raise ValueError(message)
        if self.architecture == "presence" and self.input_width_px != self.input_height_px:
            message = "presence needs a square input"
            raise ValueError(message)
        return self

    @property
    def decoder(self) -> AnchorFreeDecoder:
        """Return how to read the network's outputs; presence is one cell as large as the input."""
        stride_px = self.input_width_px if self.architecture == "presence" else 8
        level = AnchorFreeLevel(stride_px=stride_px, scores_output=SCORES_OUTPUT, boxes_output=BOXES_OUTPUT)
        return AnchorFreeDecoder(levels=(level,), peak_kernel=self.peak_kernel)

    @property
    def head(self) -> Head:
        """Return the head as manifests describe it."""
        return Head(detector=self.detector, labels=self.labels, decoder=self.decoder, nms_iou=self.nms_iou)

    @property
    def input(self) -> InputSpec:
        """Return how a picture becomes the network's input."""
        return InputSpec(
            name="image", width_px=self.input_width_px, height_px=self.input_height_px, dtype="float32"
        )
