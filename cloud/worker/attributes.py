"""Teaches attributes, and gives a detector its second stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from torch import nn

from cloud.actions.attributes import attributes_path
from cloud.actions.lessons import source_of
from cloud.actions.open_home import Home
from cloud.attributes.document import Attribute, Example, TaughtRule, attributes_in, find_attribute, keep
from cloud.attributes.embed import (
    AROUND_SHARE,
    CROP_PX,
    PAD_VALUE,
    EmbeddingNetwork,
    embed_crops,
)
from cloud.attributes.learn import learn_values
from cloud.attributes.people import check_consent
from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import PictureShelf
from cloud.detector.full import FullDetector
from cloud.store import detectors, media
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_digest, subnet_by_name
from cloud.subnets.weights import licence_text
from compress.protocol import LicenceNotice
from edge_agent.pipeline.attributes import crop_around
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.attributes import AttributeRule, AttributeRules
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import SubnetRef

EMBEDDING_SUBNET = "efficientnet_lite0"
"""Its features tell kinds apart; those of a detector's trunk tell things from what is no thing."""


def teach_attribute(home: Home, reference: str, name: str) -> Attribute:
    """Learn an attribute from its examples, and keep what was learned.

    Raises:
        NotFoundError: There is no such detector or attribute, or a picture is gone.
        TrainingError: There are too few examples; the text says of what.
        DeniedError: It would tell people apart, and nobody allowed that.
    """
    with home.database.read() as session:
        detector_id = detectors.find(session, reference).id
    folder = attributes_path(home.settings, detector_id)
    attribute = find_attribute(folder, name)
    check_consent(attribute.labels, attribute.consent)
    names = list(attribute.values)
    examples = [(names.index(value), one) for value in names for one in attribute.values[value]]
    subnet = subnet_by_name(EMBEDDING_SUBNET)
    shelf, sources = _shelf(home, [one for _, one in examples])
    crops = ((shelf.take(source), one.box) for source, (_, one) in zip(sources, examples, strict=True))
    embeddings = embed_crops(shared_extractor(subnet), crops)
    values = np.array([value for value, _ in examples], np.int64)
    taught = learn_values(embeddings, values, names, [_group(home, one) for _, one in examples])
    rule = AttributeRule(
        name=attribute.name,
        slug=attribute.slug,
        labels=tuple(slugify(label) for label in attribute.labels),
        values=tuple(names),
        centre=_rounded(taught.centre),
        means=tuple(_rounded(mean) for mean in taught.means),
        least_similarity=taught.least_similarity,
        least_margin=taught.least_margin,
    )
    learned = TaughtRule(rule=rule, quality=taught.quality, subnet=subnet.ref)
    attribute = attribute.model_copy(update={"taught": learned})
    keep(folder, attribute)
    return attribute


@dataclass(frozen=True)
class Stage:
    """A detector's second stage; implements `compress.second_stage.SecondStage`."""

    rules: AttributeRules
    subnet: SubnetManifest
    examples: tuple[tuple[PictureSource, Example], ...]
    crop_px: int = CROP_PX
    around_share: float = AROUND_SHARE

    def network(self) -> nn.Module:
        """Return the embedding network in eval mode."""
        return EmbeddingNetwork(self.subnet).eval()

    def crops(self, limit: int) -> Sequence[Rgb]:
        """Return up to `limit` crops of the examples, evenly spread."""
        count = min(limit, len(self.examples))
        spread = [self.examples[index * len(self.examples) // count] for index in range(count)]
        shelf = PictureShelf(source for source, _ in spread)
        return [
            letterbox(
                crop_around(shelf.take(source), one.box, AROUND_SHARE), CROP_PX, CROP_PX, PAD_VALUE
            ).pixels
            for source, one in spread
        ]


@dataclass(frozen=True)
class DetectorWithAttributes(FullDetector):
    """A taught detector that tells attributes; implements `compress.second_stage.TellsAttributes`."""

    stage: Stage | None = None

    @classmethod
    def of(cls, detector: FullDetector, stage: Stage) -> Self:
        """Return the detector with a second stage."""
        own = {field.name: getattr(detector, field.name) for field in fields(FullDetector)}
        return cls(**own, stage=stage)

    def second_stage(self) -> Stage | None:
        """Return the second stage, or none."""
        return self.stage

    @property
    def subnets(self) -> tuple[SubnetRef, ...]:
        """Return the pretrained subnets inside, those of both stages."""
        own = super().subnets
        if self.stage is None or self.stage.subnet.ref in own:
            return own
        return (*own, self.stage.subnet.ref)

    @property
    def licences(self) -> tuple[LicenceNotice, ...]:
        """Return the licence texts that must travel with a bundle."""
        own = super().licences
        if self.stage is None or any(notice.subnet == self.stage.subnet.name for notice in own):
            return own
        return (*own, LicenceNotice(self.stage.subnet.name, licence_text(self.stage.subnet)))


def with_attributes(home: Home, detector: FullDetector) -> FullDetector:
    """Return the detector with all its taught attributes, as it is when it has none.

    Raises:
        DeniedError: One would tell people apart, and nobody allowed that.
    """
    taught = [
        attribute
        for attribute in attributes_in(attributes_path(home.settings, detector.ref.id))
        if attribute.taught is not None
    ]
    if not taught:
        return detector
    for attribute in taught:
        check_consent(attribute.labels, attribute.consent)
    learned = [attribute.taught for attribute in taught if attribute.taught is not None]
    examples = [one for attribute in taught for shown in attribute.values.values() for one in shown]
    _, sources = _shelf(home, examples)
    stage = Stage(
        AttributeRules(attributes=tuple(one.rule for one in learned)),
        subnet_by_digest(learned[0].subnet.sha256 or ""),
        tuple(zip(sources, examples, strict=True)),
    )
    return DetectorWithAttributes.of(detector, stage)


def _shelf(home: Home, examples: Sequence[Example]) -> tuple[PictureShelf, list[PictureSource]]:
    with home.database.read() as session:
        sources = [
            source_of(home.settings.home, media.find(session, one.media_id), one.frame_index)
            for one in examples
        ]
    return PictureShelf(sources), sources


def _group(home: Home, example: Example) -> str:
    """Return what an example is left out with: the second of its video, or its picture."""
    with home.database.read() as session:
        fps = media.find(session, example.media_id).fps
    return f"{example.media_id}@{int(example.frame_index / fps) if fps else example.frame_index}"


def _rounded(vector: np.ndarray[tuple[int], np.dtype[np.float32]]) -> tuple[float, ...]:
    """Return numbers short enough for JSON; five digits are more than int8 embeddings have."""
    return tuple(float(f"{value:.5g}") for value in vector.tolist())
