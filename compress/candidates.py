"""Smaller networks in place of a detector's own, and what was taken away to make them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from torch import nn

from compress.count import cost_of, parameters_of
from compress.protocol import Compressible
from compress.stand_in import StandIn
from edge_agent.wire.receipt import Removal


@dataclass(frozen=True)
class Candidate:
    """A network with its input size (width, height) and how it came about.

    Attributes:
        name: Short words: "512x384, without stride 32, half of the channels".
        network: In eval mode; answers as the detector's own does, on the grids of its input size.
        input_size_px: Multiples of 32.
        removed: What was taken away, in order.
        macs: Multiplications of one look.
        parameters: Numbers to store.
        work: How long a look takes, see `compress.count.Cost`; by this candidates are compared.
        nms_iou: Above it the weaker of two of its boxes is dropped; none: as of the detector.
    """

    name: str
    network: nn.Module
    input_size_px: tuple[int, int]
    removed: tuple[Removal, ...]
    macs: int
    parameters: int
    work: int
    nms_iou: float | None = None

    @classmethod
    def of(cls, network: nn.Module, input_size_px: tuple[int, int], name: str = "as it is") -> Candidate:
        """Return a network from which nothing was taken yet."""
        cost = cost_of(network, input_size_px)
        return cls(name, network, input_size_px, (), cost.macs, cost.parameters, cost.work)

    def changed(self, network: nn.Module, stage: str, what: str) -> Candidate:
        """Return what became of it when a stage took something away."""
        removal = Removal(
            stage=stage,
            what=what,
            parameters_before=self.parameters,
            parameters_after=parameters_of(network),
        )
        cost, removed = cost_of(network, self.input_size_px), (*self.removed, removal)
        return Candidate(
            self.name, network, self.input_size_px, removed, cost.macs, cost.parameters, cost.work
        )

    def taught(self, network: nn.Module) -> Candidate:
        """Return the same with a network that learned more."""
        return replace(self, network=network)


class Student(StandIn):
    """A candidate in the place of the full detector's network; nearly all else is the full detector's."""

    def __init__(self, teacher: Compressible, candidate: Candidate) -> None:
        super().__init__(teacher)
        self._candidate = candidate

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Return (width, height) of the candidate's input."""
        return self._candidate.input_size_px

    @property
    def nms_iou(self) -> float:
        """Return the IoU above which the weaker of two boxes is dropped."""
        return self._candidate.nms_iou or super().nms_iou

    def network(self) -> nn.Module:
        """Return the candidate's network: a copy."""
        return copy.deepcopy(self._candidate.network).eval()
