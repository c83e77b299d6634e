"""The manifest of a bundle: all that a camera must know to run a compressed detector.

A bundle is a folder, or a zip of it:

    manifest.json        this document
    model.tflite | .onnx the network, raw outputs; decoding is the agent's own numpy code
    trunk.*, head_0.*    instead of it, where the network comes in parts: one trunk, and a file for each head
    golden/*.png         pictures with known answers for the device's smoke test
    licenses/*.txt       notices of every subnet inside
    receipt.json         what compression removed, and what it cost
    attributes.json      how the values of attributes are told apart, where it has some
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge_agent.wire.attributes import AttributeStage
from edge_agent.wire.base import Document, Name, RelativePath, Sha256, Slug
from edge_agent.wire.detection import Detection, DetectorRef, Precision
from edge_agent.wire.inputs import InputSpec

__all__ = [
    "AnchorFreeDecoder",
    "AnchorFreeLevel",
    "AttributeStage",
    "Decoder",
    "GoldenFrame",
    "Head",
    "InputSpec",
    "LabelSpec",
    "Manifest",
    "MeasuredLimits",
    "RuntimeName",
    "SsdDecoder",
    "SubnetRef",
    "TrunkMap",
]

RuntimeName = Literal["litert", "onnx", "tflite"]


class AnchorFreeLevel(Document):
    """One feature level of an anchor-free head."""

    stride_px: int = Field(gt=0)
    scores_output: str = Field(description="class logits (1, h, w, classes)")
    boxes_output: str = Field(description="left, top, right, bottom distances in strides (1, h, w, 4)")


class AnchorFreeDecoder(Document):
    """Cells vote: a sigmoid gives the score, distances from the cell centre the box (FCOS, 2019)."""

    kind: Literal["anchor_free"] = "anchor_free"
    levels: tuple[AnchorFreeLevel, ...] = Field(min_length=1)
    peak_kernel: int = Field(3, ge=1, description="a cell must be the best in this neighbourhood; 1 = off")


class SsdDecoder(Document):
    """Anchors are shifted and scaled (SSD, 2016).

    Outputs: boxes (1, n, 4) as cy cx h w, scores (1, n, classes + background).
    """

    kind: Literal["ssd"] = "ssd"
    boxes_output: str
    scores_output: str
    anchors_file: RelativePath = Field(description="float32 .npy (n, 4): cy cx h w, normalised to the input")
    scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    background_index: int | None = 0


Decoder = Annotated[AnchorFreeDecoder | SsdDecoder, Field(discriminator="kind")]


class LabelSpec(Document):
    """One class that a head tells apart."""

    name: str
    slug: Slug
    threshold: float = Field(ge=0.0, le=1.0, description="recommended score from which it counts as seen")


class TrunkMap(Document):
    """What a trunk answers and every head takes: one map (1, height, width, channels).

    The heads' input tensors have this very type, scale and zero point, so that nothing is rounded twice. ONNX
    networks exchange it as floats that lie on these steps.
    """

    output: str = Field(description="name of the trunk's output and of the heads' inputs")
    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: int = Field(gt=0, le=4096)
    dtype: Literal["int8", "uint8", "float32"]
    scale: float = Field(0.0, ge=0.0, description="0 = not quantized")
    zero_point: int = 0


class Head(Document):
    """One detector inside the bundle; several share one trunk.

    Where the manifest has a `trunk_map`, each head has its own network, which answers from that map.
    """

    detector: DetectorRef
    labels: tuple[LabelSpec, ...] = Field(min_length=1)
    decoder: Decoder
    nms_iou: float = Field(0.5, gt=0.0, le=1.0)
    max_detections: int = Field(100, ge=1)
    model_file: RelativePath | None = Field(None, description="none: the manifest's network has the outputs")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs that the head reads, in order."""
        if isinstance(self.decoder, SsdDecoder):
            return (self.decoder.scores_output, self.decoder.boxes_output)
        levels = self.decoder.levels
        return tuple(name for level in levels for name in (level.scores_output, level.boxes_output))

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> Self:
        if len({label.slug for label in self.labels}) != len(self.labels):
            message = f"two labels of detector {self.detector.name!r} have the same slug"
            raise ValueError(message)
        return self


class SubnetRef(Document):
    """A pretrained subnet that went into the network."""

    name: str
    source: str
    licence: str
    sha256: Sha256 | None = None


class GoldenFrame(Document):
    """A picture and what the network, run by the right runtime, answers for it."""

    image_file: RelativePath
    detections: tuple[Detection, ...]


class MeasuredLimits(Document):
    """What was measured when the bundle was made, on the machine that made it."""

    machine: str
    ms_p50: float = Field(ge=0.0)
    ms_p99: float = Field(ge=0.0)
    peak_memory_bytes: int = Field(ge=0)
    ap50: float | None = Field(None, ge=0.0, le=1.0)
    images: int = Field(0, ge=0, description="pictures on which ap50 was measured")


class Manifest(Document):
    """Everything about one bundle."""

    schema_version: Literal[1] = Field(1, alias="schema")
    name: Name
    profile: str
    release: int = Field(
        1, ge=1, description="grows with each publication; a device refuses to go below its floor"
    )
    min_agent_version: str = "0.1.0"
    runtime: RuntimeName
    precision: Precision
    model_file: RelativePath = Field(description="the network, or its trunk where there is a `trunk_map`")
    trunk_map: TrunkMap | None = Field(None, description="between the trunk and the heads' own networks")
    files: dict[RelativePath, Sha256] = Field(description="digest of every file but this one")
    input: InputSpec
    heads: tuple[Head, ...] = Field(min_length=1)
    subnets: tuple[SubnetRef, ...] = ()
    golden: tuple[GoldenFrame, ...] = ()
    measured: MeasuredLimits | None = None
    attributes: AttributeStage | None = None
    created: float = Field(description="UTC seconds since 1970")

    @model_validator(mode="after")
    def _files_are_listed(self) -> Self:
        needed = {self.model_file, *(golden.image_file for golden in self.golden)}
        needed |= {h.decoder.anchors_file for h in self.heads if isinstance(h.decoder, SsdDecoder)}
        needed |= {head.model_file for head in self.heads if head.model_file is not None}
        if self.attributes is not None:
            needed |= {self.attributes.model_file, self.attributes.rules_file}
        if missing := sorted(needed - self.files.keys()):
            message = f"'files' has no digest for {', '.join(missing)}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if any((head.model_file is None) != (self.trunk_map is None) for head in self.heads):
            message = "each head has a network of its own exactly where there is a trunk_map"
            raise ValueError(message)
        names = [name for head in self.heads for name in head.outputs]
        if self.trunk_map is not None and len(set(names)) != len(names):
            message = "two heads with networks of their own have an output of the same name"
            raise ValueError(message)
        return self
