"""Smaller networks in place of a detector's own, and what was taken away to make them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from compress.count import cost_of, parameters_of
from compress.protocol import Compressible, HeldOutPicture, LicenceNotice, Rgb
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, LabelSpec, SubnetRef
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
    """

    name: str
    network: nn.Module
    input_size_px: tuple[int, int]
    removed: tuple[Removal, ...]
    macs: int
    parameters: int

    @classmethod
    def of(cls, network: nn.Module, input_size_px: tuple[int, int], name: str = "as it is") -> Candidate:
        """Return a network from which nothing was taken yet."""
        cost = cost_of(network, input_size_px)
        return cls(name, network, input_size_px, (), cost.macs, cost.parameters)

    def changed(self, network: nn.Module, stage: str, what: str) -> Candidate:
        """Return what became of it when a stage took something away."""
        removal = Removal(
            stage=stage,
            what=what,
            parameters_before=self.parameters,
            parameters_after=parameters_of(network),
        )
        cost = cost_of(network, self.input_size_px)
        return Candidate(
            self.name, network, self.input_size_px, (*self.removed, removal), cost.macs, cost.parameters
        )

    def taught(self, network: nn.Module) -> Candidate:
        """Return the same with a network that learned more."""
        return Candidate(self.name, network, self.input_size_px, self.removed, self.macs, self.parameters)


@dataclass(frozen=True)
class Student:
    """A candidate in the place of the full detector's network; implements `compress.protocol.Compressible`.

    Labels, decoder, pictures and licences are the full detector's.
    """

    teacher: Compressible
    candidate: Candidate = field(repr=False)

    @property
    def ref(self) -> DetectorRef:
        """Return which detector and version this is: the full one's."""
        return self.teacher.ref

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        """Return the classes, in the order of the network's outputs."""
        return self.teacher.labels

    @property
    def input_size_px(self) -> tuple[int, int]:
        """Return (width, height) of the candidate's input."""
        return self.candidate.input_size_px

    @property
    def decoder(self) -> AnchorFreeDecoder:
        """Return how to read the outputs."""
        return self.teacher.decoder

    @property
    def nms_iou(self) -> float:
        """Return the IoU above which the weaker of two boxes is dropped."""
        return self.teacher.nms_iou

    @property
    def subnets(self) -> tuple[SubnetRef, ...]:
        """Return the pretrained subnets that it comes from."""
        return self.teacher.subnets

    @property
    def licences(self) -> tuple[LicenceNotice, ...]:
        """Return the licence texts that must travel with a bundle."""
        return self.teacher.licences

    def network(self) -> nn.Module:
        """Return the candidate's network: a copy."""
        return copy.deepcopy(self.candidate.network).eval()

    def calibration_pictures(self, limit: int) -> Sequence[Rgb]:
        """Return pictures of the camera."""
        return self.teacher.calibration_pictures(limit)

    def held_out_pictures(self) -> Sequence[HeldOutPicture]:
        """Return the frozen test set."""
        return self.teacher.held_out_pictures()
