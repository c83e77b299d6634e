"""Scenes for tests of the pipeline: boxes that move, a detector that knows them, and a pipeline around it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from edge_agent.camera.frame import Frame
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.pipeline.zones import Zone
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.offload import OffloadReply

LOCAL = DetectorRef(id="det_person", name="person", version=3, precision="int8")
CLOUD = DetectorRef(id="det_person", name="person", version=3, precision="fp32")
PERSON = LabelRule("person", "person", 0.5, LOCAL)
START_S = 1_800_000_000.0


def person(x: float, score: float = 0.9, y: float = 0.4, label: str = "person") -> Detection:
    """Return a box of a tenth of the picture's width, with its left edge at `x`."""
    left, top = min(max(x, 0.0), 0.9), min(max(y, 0.0), 0.7)
    return Detection(label=label, score=score, box=(left, top, left + 0.1, top + 0.3))


def frame(at_s: float, rgb: Rgb | None = None) -> Frame:
    """Return a grey picture of `at_s` seconds after the start."""
    picture = np.full((48, 64, 3), 90, dtype=np.uint8) if rgb is None else rgb
    return Frame(picture, round(at_s * 10), START_S + at_s, 100.0 + at_s)


class ScriptedDetector:
    """Says what it is told to say, and counts how often it was asked."""

    def __init__(self) -> None:
        self.sees: Sequence[Detection] = ()
        self.calls = 0

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        assert rgb.ndim == 3
        self.calls += 1
        return [d for d in self.sees if d.score >= (min_score or 0.0)]


def always_looking() -> PipelineSettings:
    """Return settings without the motion gate."""
    return PipelineSettings(gate=GateSettings(enabled=False))


def pipeline(
    detector: ScriptedDetector | None, settings: PipelineSettings | None = None, zones: Sequence[Zone] = ()
) -> CameraPipeline:
    """Return a pipeline for persons."""
    return CameraPipeline(
        CameraIdentity("agent1", "front", "boot1"),
        detector,
        {"person": PERSON},
        rng=random.Random(0),
        settings=settings or always_looking(),
        zones=zones,
    )


def reply(*detections: Detection) -> OffloadReply:
    """Return the cloud's answer."""
    return OffloadReply(request_id="request-1", detector=CLOUD, detections=detections, inference_ms=5.0)


def shifted(box: XyxyNorm, dx: float) -> XyxyNorm:
    """Return a box moved to the right."""
    return (box[0] + dx, box[1], box[2] + dx, box[3])
