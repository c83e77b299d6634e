"""What is written beside a detector's weights: `spec.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.base import Document, Sha256
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, AnchorFreeLevel, Head, InputSpec, LabelSpec, SubnetRef

SCORES_OUTPUT = "scores"
BOXES_OUTPUT = "boxes"


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


class DetectorSpec(Document):
    """Everything about a full detector but its weights."""

    schema_version: Literal[1] = Field(1, alias="schema")
    detector: DetectorRef
    labels: tuple[LabelSpec, ...] = Field(min_length=1)
    input_width_px: int = Field(gt=0, le=4096, multiple_of=32)
    input_height_px: int = Field(gt=0, le=4096, multiple_of=32)
    subnet: SubnetRef
    architecture: Literal["anchor_free_stride8"] = "anchor_free_stride8"
    head_channels: int = Field(64, gt=0, le=1024)
    nms_iou: float = Field(0.5, gt=0.0, le=1.0)
    peak_kernel: int = Field(3, ge=1, le=15)
    quality: Quality | None = None
    weights_sha256: Sha256 | None = None

    @property
    def decoder(self) -> AnchorFreeDecoder:
        """Return how to read the network's outputs."""
        level = AnchorFreeLevel(stride_px=8, scores_output=SCORES_OUTPUT, boxes_output=BOXES_OUTPUT)
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
