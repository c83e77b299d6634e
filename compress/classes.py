"""A detector of fewer classes: only those asked for stay in the network's outputs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

import torch

from compress.protocol import Compressible, HeldOutPicture, TruthBox, TwoPartNetwork
from compress.second_stage import SecondStage, TellsAttributes
from compress.stand_in import StandIn
from edge_agent.errors import ConfigError
from edge_agent.wire.manifest import LabelSpec


def only_classes(detector: Compressible, names: Sequence[str]) -> Compressible:
    """Return a detector that knows only these classes; without names the detector itself.

    Args:
        detector: Any detector.
        names: Names or slugs of the classes that stay; their order in the detector is kept.

    Raises:
        ConfigError: The detector has no such class; the text lists those it has.
    """
    if not names:
        return detector
    kept = {_index_of(name, detector) for name in names}
    if len(kept) == len(detector.labels):
        return detector
    return _FewerClasses(detector, tuple(sorted(kept)))


def _index_of(name: str, detector: Compressible) -> int:
    for index, label in enumerate(detector.labels):
        if name in (label.name, label.slug):
            return index
    known = [label.name for label in detector.labels]
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    message = f"{detector.ref.name} has no class {name!r}{hint} It has: {', '.join(known)}"
    raise ConfigError(message)


class _FewerClasses(StandIn):
    """A detector whose scores, labels and truth are cut to the classes that stay."""

    def __init__(self, detector: Compressible, kept: tuple[int, ...]) -> None:
        super().__init__(detector)
        self._kept = kept

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        return tuple(self.original.labels[index] for index in self._kept)

    def network(self) -> torch.nn.Module:
        network = self.original.network()
        if isinstance(network, TwoPartNetwork):
            return TwoPartNetwork(network.body, [_Cut(head, self._kept) for head in network.heads]).eval()
        return _Cut(network, self._kept).eval()

    def held_out_pictures(self) -> Sequence[HeldOutPicture]:
        place = {old: new for new, old in enumerate(self._kept)}
        return [
            replace(
                picture, truth=tuple(_moved(box, place) for box in picture.truth if box.label_index in place)
            )
            for picture in self.original.held_out_pictures()
        ]

    def second_stage(self) -> SecondStage | None:
        whole = self.original
        return whole.second_stage() if isinstance(whole, TellsAttributes) else None


def _moved(box: TruthBox, place: dict[int, int]) -> TruthBox:
    return replace(box, label_index=place[box.label_index])


class _Cut(torch.nn.Module):
    """A network whose scores have only some of its classes; boxes stay."""

    kept: torch.Tensor

    def __init__(self, network: torch.nn.Module, kept: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("kept", torch.tensor(kept))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return every level's scores `(n, h, w, kept)` and boxes `(n, h, w, 4)`, in the network's order."""
        outputs = self.network(image)
        return tuple(
            output.index_select(3, self.kept) if number % 2 == 0 else output
            for number, output in enumerate(outputs)
        )
