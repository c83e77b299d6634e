"""A small untaught detector, for tests that do not need a good one."""

from __future__ import annotations

import torch

from cloud.detector.full import FullDetector, new_head
from cloud.detector.head import AnchorFreeHead
from cloud.detector.spec import DetectorSpec, SubnetUse
from cloud.subnets.registry import subnet_by_name
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import LabelSpec


def small_spec(
    *names: str, threshold: float = 0.3, subnets: tuple[str, ...] = ("efficientnet_lite0",)
) -> DetectorSpec:
    labels = tuple(LabelSpec(name=name, slug=name, threshold=threshold) for name in names or ("cat", "dog"))
    return DetectorSpec(
        detector=DetectorRef(id="d1", name="pets", version=2),
        labels=labels,
        input_width_px=128,
        input_height_px=96,
        subnets=tuple(SubnetUse(ref=subnet_by_name(name).ref) for name in subnets),
    )


def small_detector(
    *names: str,
    threshold: float = 0.3,
    seed: int = 0,
    subnets: tuple[str, ...] = ("efficientnet_lite0",),
) -> FullDetector:
    spec = small_spec(*names, threshold=threshold, subnets=subnets)
    head = new_head(spec)
    assert isinstance(head, AnchorFreeHead)
    head.start_from([2.0, 2.0, 2.0, 2.0], torch.Generator().manual_seed(seed))
    return FullDetector(spec, head.eval())
