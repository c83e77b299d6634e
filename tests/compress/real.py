"""A detector on two real subnets, with a head that nobody taught."""

from __future__ import annotations

import torch
from torch import nn

from cloud.detector.full import FullDetector, new_head
from cloud.detector.head import AnchorFreeHead
from cloud.detector.spec import DetectorSpec, SubnetUse
from cloud.subnets.registry import subnet_by_name
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import LabelSpec

SUBNETS = ("ssd_mobilenet_v2", "efficientnet_lite0")


def new_cocktail(subnets: tuple[str, ...] = SUBNETS) -> nn.Module:
    """Return the network of a detector on these subnets."""
    spec = DetectorSpec(
        detector=DetectorRef(id="untaught", name="untaught", version=1),
        labels=(LabelSpec(name="thing", slug="thing", threshold=0.5),),
        input_width_px=96,
        input_height_px=64,
        subnets=tuple(SubnetUse(ref=subnet_by_name(name).ref) for name in subnets),
    )
    head = new_head(spec)
    assert isinstance(head, AnchorFreeHead)
    head.start_from([2.0] * 4, torch.Generator().manual_seed(0))
    return FullDetector(spec, head.eval()).network()
