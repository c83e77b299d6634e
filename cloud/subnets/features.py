"""Runs the frozen trunk: many pictures in, feature maps out."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np

from cloud.subnets.graph import INPUT_NAME, OUTPUT_NAMES
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.trunks import load_graph
from cloud.subnets.widen import widened
from edge_agent.vision.arrays import Float32, Rgb

Features = tuple[Float32, ...]
"""One map a level, `(n, h, w, channels) float32`, NHWC, finest first."""


class FeatureExtractor(Protocol):
    """What turns network inputs into features."""

    @property
    def subnet(self) -> SubnetManifest:
        """Return whose features these are."""
        ...

    def features(self, pixels: Rgb) -> Features:
        """Return the features of `(n, h, w, 3) uint8`, h and w multiples of 32."""
        ...


class OnnxExtractor:
    """The trunk in ONNX Runtime, one thread a call; safe to call from several threads at once."""

    def __init__(self, subnet: SubnetManifest) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._subnet = subnet
        self._session = ort.InferenceSession(
            widened(load_graph(subnet)), options, providers=["CPUExecutionProvider"]
        )

    @property
    def subnet(self) -> SubnetManifest:
        """Return whose features these are."""
        return self._subnet

    def features(self, pixels: Rgb) -> Features:
        """Return the features of `(n, h, w, 3) uint8`, h and w multiples of 32."""
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        image = np.subtract(planes, np.float32(127), dtype=np.float32)
        image *= np.float32(1 / 128)
        maps = self._session.run(OUTPUT_NAMES, {INPUT_NAME: image})
        return tuple(features.transpose(0, 2, 3, 1) for features in maps)


@cache
def shared_extractor(subnet: SubnetManifest) -> FeatureExtractor:
    """Return the extractor that all detectors on this subnet share within a process."""
    return OnnxExtractor(subnet)
