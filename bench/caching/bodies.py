"""A million light detectors that differ in four numbers: each is made when it is asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from cloud.detector.files import SPEC_FILE, WEIGHTS_FILE, save_detector
from cloud.detector.full import FullDetector
from cloud.detector.light import new_light
from cloud.detector.spec import DetectorSpec, SubnetUse
from cloud.subnets.registry import subnet_by_name
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import LabelSpec

_ID = "bench-detector"
_SUBNET = "efficientnet_lite0"
_HALVES = 4


@dataclass(frozen=True)
class Bodies:
    """Spec and weights of one detector; all others are made of them."""

    spec: str
    weights: bytes

    @classmethod
    def read(cls, folder: Path) -> Bodies:
        """Return what `make` wrote."""
        return cls((folder / SPEC_FILE).read_text(), (folder / WEIGHTS_FILE).read_bytes())

    def weights_of(self, number: int) -> bytes:
        """Return the weights of a detector: the last four numbers are its own."""
        # Half-precision numbers whose upper byte is below 64 are finite.
        own = b"".join(bytes((0, number >> 6 * half & 63)) for half in range(_HALVES))
        return self.weights[: -len(own)] + own

    def spec_of(self, number: int) -> bytes:
        """Return the spec of a detector, which names its weights."""
        shared = hashlib.sha256(self.weights).hexdigest()
        own = hashlib.sha256(self.weights_of(number)).hexdigest()
        return self.spec.replace(shared, own).replace(_ID, name_of(number)).encode()


def name_of(number: int) -> str:
    """Return the id of a detector."""
    return f"bench{number:07d}"


def make(folder: Path) -> None:
    """Write an untaught light detector: its numbers are random, its size and form are those of any."""
    torch.manual_seed(0)
    subnet = subnet_by_name(_SUBNET)
    spec = DetectorSpec(
        detector=DetectorRef(id=_ID, name=_ID, version=1),
        labels=(LabelSpec(name="thing", slug="thing", threshold=0.5),),
        input_width_px=512,
        input_height_px=384,
        subnets=(SubnetUse(ref=subnet.ref),),
        architecture="light_stride8",
    )
    save_detector(FullDetector(spec, new_light(subnet, 1)), folder)
