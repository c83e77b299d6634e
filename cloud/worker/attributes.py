"""Teaches attributes, and gives a detector its second stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from torch import nn

from cloud.actions.attributes import attributes_path, teachable
from cloud.actions.lessons import source_of
from cloud.actions.open_home import Home
from cloud.attributes.crops import AROUND_SHARE, CROP_PX, square_crop
from cloud.attributes.document import Attribute, Example, TaughtRule, name_of
from cloud.attributes.embed import EmbeddingNetwork, embed_crops
from cloud.attributes.files import attributes_in, change
from cloud.attributes.learn import Taught, learn_values
from cloud.attributes.people import check_consent
from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import PictureShelf
from cloud.detector.full import FullDetector
from cloud.errors import ConflictError
from cloud.store import detectors, media
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_digest, subnet_by_name
from cloud.subnets.weights import licence_text
from cloud.training.config import CancelledError
from cloud.worker.progress import Cancelled, Listener, Progress, never, to_nobody
from compress.protocol import LicenceNotice
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.attributes import AttributeRule, AttributeRules
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import SubnetRef

EMBEDDING_SUBNET = "efficientnet_lite0"
"""Its features tell kinds apart; those of a detector's trunk tell things from what is no thing."""

_LOOKING_SHARE = 0.9


def teach_attribute(
    home: Home, reference: str, name: str, *, progress: Listener = to_nobody, cancelled: Cancelled = never
) -> Attribute:
    """Learn an attribute from its examples, and keep what was learned.

    Args:
        home: Where everything lies.
        reference: Name or id of the detector.
        name: Name or slug of the attribute.
        progress: Told how far it is.
        cancelled: Asked before every example.

    Raises:
        NotFoundError: There is no such detector or attribute, or a picture is gone.
        TrainingError: There are too few examples; the text says of what.
        DeniedError: It would tell people apart, and nobody allowed that.
        ConflictError: Its values were changed meanwhile.
        CancelledError: `cancelled` said so.
    """
    attribute = teachable(home, reference, name)
    names = list(attribute.values)
    examples = [(names.index(value), one) for value in names for one in attribute.values[value]]
    subnet = subnet_by_name(EMBEDDING_SUBNET)
    embeddings = embed_crops(
        shared_extractor(subnet), _crops(home, [one for _, one in examples], progress, cancelled)
    )
    progress(Progress("learning", _LOOKING_SHARE, "comparing the examples"))
    values = np.array([value for value, _ in examples], np.int64)
    taught = learn_values(embeddings, values, names, [_group(home, one) for _, one in examples])
    learned = TaughtRule(
        rule=_rule(attribute, taught),
        quality=taught.quality,
        subnet=subnet.ref,
        learned_from=name_of(attribute.values),
    )
    with home.database.read() as session:
        folder = attributes_path(home.settings, detectors.find(session, reference).id)
    return change(folder, attribute.slug, lambda now: _with_learned(now, learned))


def attribute_job(
    home: Home, job: dict[str, Any], progress: Listener, cancelled: Cancelled
) -> dict[str, Any]:
    """Learn the attribute that a job names, and return how well it is told.

    Raises:
        ElfowlError: As `teach_attribute`.
    """
    taught = teach_attribute(
        home, job["detector_id"], job["attribute"], progress=progress, cancelled=cancelled
    ).taught
    quality = {} if taught is None else taught.quality.model_dump(mode="json")
    return {"attribute": job["attribute"], "quality": quality}


def _crops(
    home: Home, examples: Sequence[Example], progress: Listener, cancelled: Cancelled
) -> Iterator[tuple[Rgb, XyxyNorm]]:
    """Yield the pictures of examples with the box in each."""
    shelf, sources = _shelf(home, examples)
    for number, (source, example) in enumerate(zip(sources, examples, strict=True)):
        if cancelled():
            message = "learning was cancelled; what was known before stays"
            raise CancelledError(message)
        done = _LOOKING_SHARE * number / len(examples)
        progress(Progress("looking", done, f"looking at example {number + 1} of {len(examples)}"))
        yield shelf.take(source), example.box


def _rule(attribute: Attribute, taught: Taught) -> AttributeRule:
    return AttributeRule(
        name=attribute.name,
        slug=attribute.slug,
        labels=tuple(slugify(label) for label in attribute.labels),
        values=tuple(attribute.values),
        centre=_rounded(taught.centre),
        means=tuple(_rounded(mean) for mean in taught.means),
        least_similarity=taught.least_similarity,
        least_margin=taught.least_margin,
    )


def _with_learned(now: Attribute, learned: TaughtRule) -> Attribute:
    """Return the attribute as it is now, with what was learned; examples shown meanwhile stay."""
    if set(learned.rule.values) - set(now.values):
        message = f"the values of {now.name!r} were changed while it was learned; learn it again"
        raise ConflictError(message)
    return now.model_copy(update={"taught": learned})


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
        return [square_crop(shelf.take(source), one.box) for source, one in spread]


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
