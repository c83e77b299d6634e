"""The second stage of a bundle: an embedding network and the rules that read it; exported like the first.

A detector that tells attributes offers `second_stage`; one that does not needs nothing of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from compress.capture import INPUT_NAME, normalised, without_batch_norm
from compress.errors import ExportError
from compress.forms import Form
from compress.protocol import Rgb
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_embedding
from edge_agent.vision.arrays import Float32
from edge_agent.vision.few_shot import choose_value, similarities, unit
from edge_agent.wire.attributes import AttributeRule, AttributeRules, AttributeStage
from edge_agent.wire.inputs import InputSpec
from edge_agent.wire.receipt import EmbeddingMeasurement

OUTPUT_NAME = "embedding"
RULES_FILE = "attributes.json"
_MODEL_STEM = "embedding"
_MOST_CROPS = 48


class SecondStage(Protocol):
    """What a detector's second stage must offer to be compressed."""

    @property
    def rules(self) -> AttributeRules:
        """Return how the values are told apart."""
        ...

    @property
    def crop_px(self) -> int:
        """Return the side of the square that a crop is letterboxed into, a multiple of 32."""
        ...

    @property
    def around_share(self) -> float:
        """Return how much is added around a box on each side, as a share of its size."""
        ...

    def network(self) -> torch.nn.Module:
        """Return the network in eval mode: `(n, crop, crop, 3) float32`, (byte - 127) / 128 → `(n, c)`."""
        ...

    def crops(self, limit: int) -> Sequence[Rgb]:
        """Return up to `limit` crops at the network's size, to calibrate and to compare with."""
        ...


@runtime_checkable
class TellsAttributes(Protocol):
    """A detector that may have a second stage."""

    def second_stage(self) -> SecondStage | None:
        """Return it, or none."""
        ...


@dataclass(frozen=True)
class CapturedStage:
    """The embedding network as an export archive, the crops as a file, and torch's own answers."""

    stage: SecondStage
    program_file: Path
    crops_file: Path
    crops: Rgb
    embeddings: Float32


@dataclass(frozen=True)
class StageFiles:
    """One form of a second stage, ready for a bundle."""

    model: Path
    rules: AttributeRules
    manifest: AttributeStage


def capture_stage(detector: object, folder: Path) -> CapturedStage | None:
    """Write a detector's embedding network and crops into `folder`; none when it has no second stage.

    Raises:
        ExportError: It has no crops to calibrate with, or torch cannot capture it.
    """
    stage = detector.second_stage() if isinstance(detector, TellsAttributes) else None
    if stage is None:
        return None
    crops = list(stage.crops(_MOST_CROPS))
    if not crops:
        message = "the attributes have no crops to calibrate with: add examples"
        raise ExportError(message)
    pixels = np.stack(crops)
    crops_file, program_file = folder / "crops.npy", folder / "embedding.pt2"
    np.save(crops_file, pixels)
    network = _Named(without_batch_norm(stage.network().eval()))
    try:
        with torch.no_grad():
            batch = torch.from_numpy(normalised(pixels))
            answers = torch.cat([network(one[None])[OUTPUT_NAME] for one in batch]).numpy()
            program = torch.export.export(network.eval(), (), {INPUT_NAME: batch[:1]})
        torch.export.save(program, program_file)
    except (RuntimeError, ValueError, TypeError) as error:
        message = f"torch cannot capture the embedding network: {str(error).strip().splitlines()[0][:300]}"
        raise ExportError(message) from error
    return CapturedStage(stage, program_file, crops_file, pixels, answers)


class _Named(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the embedding by name."""
        return {OUTPUT_NAME: self._network(image)}


def stage_files(captured: CapturedStage, form: Form, model: Path) -> StageFiles:
    """Return what a bundle in this form carries of the second stage."""
    side = captured.stage.crop_px
    manifest = AttributeStage(
        model_file=_MODEL_STEM + Path(form.model_file).suffix,
        rules_file=RULES_FILE,
        input=InputSpec(name=INPUT_NAME, width_px=side, height_px=side, dtype=form.input_dtype),
        output=OUTPUT_NAME,
        around_share=captured.stage.around_share,
    )
    return StageFiles(model, captured.stage.rules, manifest)


def measure_stage(captured: CapturedStage, bundle: Path) -> EmbeddingMeasurement:
    """Run a bundle's second stage in the camera's own code, and compare it with torch's answers.

    Args:
        captured: The crops, and what torch says of them.
        bundle: A bundle's folder.

    Raises:
        ElfowlError: The camera's code refuses the bundle, or its runtime fails.
    """
    opened = open_bundle(bundle)
    stage = opened.manifest.attributes
    if stage is None:
        message = f"{bundle.name} carries no second stage"
        raise ExportError(message)
    backend = open_embedding(opened, stage)
    found = np.stack([backend.infer(crop[None])[stage.output].reshape(-1) for crop in captured.crops])
    backend.close()
    cosines = (unit(found) * unit(captured.embeddings)).sum(axis=1)
    told = [
        _told(rule, captured.embeddings) == _told(rule, found) for rule in captured.stage.rules.attributes
    ]
    return EmbeddingMeasurement(
        bytes=len(opened.read(stage.model_file)),
        crops=len(found),
        cosine_median=round(float(np.median(cosines)), 4),
        cosine_least=round(float(cosines.min()), 4),
        same_value=round(float(np.mean(told)), 4),
    )


def _told(rule: AttributeRule, embeddings: Float32) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the value told for each embedding, -1 for none."""
    similar = similarities(embeddings, np.array(rule.centre, np.float32), np.array(rule.means, np.float32))
    answers = [choose_value(row, rule.least_similarity, rule.least_margin) for row in similar]
    return np.array([-1 if answer is None else answer for answer in answers])
