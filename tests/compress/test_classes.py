"""A detector cut down to some of its classes."""

from __future__ import annotations

import pytest
import torch

from compress.classes import only_classes
from compress.protocol import HeldOutPicture, TruthBox, TwoPartNetwork
from edge_agent.errors import ConfigError
from edge_agent.wire.manifest import LabelSpec
from tests.compress.tiny import TinyDetector, scene


class Head(torch.nn.Module):
    def forward(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = mixed.permute(0, 2, 3, 1)
        return seen[..., :3], torch.relu(seen[..., [0, 1, 2, 0]])


class ThreeClasses(TinyDetector):
    """Scores are the picture's own colours."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        return tuple(
            LabelSpec(name=name, slug=name.lower(), threshold=0.5) for name in ("Red", "Green", "Blue")
        )

    def network(self) -> torch.nn.Module:
        return self._network

    def held_out_pictures(self) -> list[HeldOutPicture]:
        boxes = tuple(TruthBox(index, (0.1, 0.1, 0.5, 0.5)) for index in range(3))
        return [HeldOutPicture("one", lambda: scene(1).rgb, boxes)]


NETWORKS = [Head(), TwoPartNetwork(torch.nn.Identity(), [Head()])]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("names", "kept"), [(["blue", "Red"], [0, 2]), (["Green"], [1])])
def test_only_classes_cuts_scores_labels_and_truth_alike(
    network: torch.nn.Module, names: list[str], kept: list[int]
) -> None:
    whole = ThreeClasses(network)
    cut = only_classes(whole, names)
    image = torch.rand(1, 3, 4, 4)
    scores, boxes = cut.network()(image)
    all_scores, all_boxes = network(image)
    assert torch.equal(scores, all_scores[..., kept])
    assert torch.equal(boxes, all_boxes)
    assert cut.labels == tuple(whole.labels[index] for index in kept)
    assert [box.label_index for box in cut.held_out_pictures()[0].truth] == list(range(len(kept)))
    assert isinstance(cut.network(), TwoPartNetwork) == isinstance(network, TwoPartNetwork)


@pytest.mark.parametrize("names", [[], ["red", "green", "blue"]])
def test_only_classes_of_all_is_the_detector_itself(names: list[str]) -> None:
    whole = ThreeClasses(NETWORKS[0])
    assert only_classes(whole, names) is whole


def test_only_classes_of_an_unknown_one_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no class 'Rad'; did you mean 'Red'\? It has: Red, Green, Blue"):
        only_classes(ThreeClasses(NETWORKS[0]), ["Rad"])
