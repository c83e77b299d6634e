"""Runs the frozen trunk: many pictures in, feature maps out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Session(Protocol):
    """A network in ONNX Runtime, which ships no types."""

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Float32 | Rgb], /) -> list[Float32]:
        """Return the outputs of these names."""
        ...


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
        self._subnet = subnet
        self._session = open_session(widened(load_graph(subnet)))

    @property
    def subnet(self) -> SubnetManifest:
        """Return whose features these are."""
        return self._subnet

    def features(self, pixels: Rgb) -> Features:
        """Return the features of `(n, h, w, 3) uint8`, h and w multiples of 32."""
        maps = run_session(self._session, OUTPUT_NAMES, pixels)
        return tuple(features.transpose(0, 2, 3, 1) for features in maps)


def open_session(graph: bytes, *, keeps_memory: bool = True) -> Session:
    """Return a network in ONNX Runtime, one thread a call; `keeps_memory`: of one call for the next."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = keeps_memory
    session: Session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session


def run_session(session: Session, outputs: Sequence[str], pixels: Rgb) -> Features:
    """Return a network's outputs for `(n, h, w, 3) uint8`."""
    return tuple(session.run(list(outputs), {INPUT_NAME: network_input(pixels)}))


def network_input(pixels: Rgb) -> Float32:
    """Return what subnets read, `(n, 3, h, w) float32`, of `(n, h, w, 3) uint8`."""
    planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    image = np.subtract(planes, np.float32(127), dtype=np.float32)
    image *= np.float32(1 / 128)
    return image


@cache
def shared_extractor(subnet: SubnetManifest) -> FeatureExtractor:
    """Return the extractor that all detectors on this subnet share within a process."""
    return OnnxExtractor(subnet)
