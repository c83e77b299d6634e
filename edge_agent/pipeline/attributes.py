"""The second stage: what followed things are like, told from their crops, a few looks a thing.

It looks seldom and at few things a picture, so that it costs little beside the detector; a value is told
once most looks agree, and nothing is told when they do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from pydantic import ValidationError

from edge_agent.errors import ArtifactError
from edge_agent.pipeline.track import Track
from edge_agent.runtime.backend import Backend
from edge_agent.runtime.bundle import Bundle
from edge_agent.runtime.select import open_embedding
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.few_shot import choose_value, similarities
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.attributes import AttributeRule, AttributeRules, AttributeStage, AttributeValue
from edge_agent.wire.base import XyxyNorm


class Embedder(Protocol):
    """Turns what is in a box into numbers."""

    def embed(self, rgb: Rgb, box: XyxyNorm) -> Float32:
        """Return the embedding `(n,) float32` of the box in `(h, w, 3) uint8`.

        Raises:
            BackendError: The network failed.
        """
        ...


@dataclass(frozen=True)
class AttributeSettings:
    """How often the second stage looks.

    Attributes:
        every_s: Least time between two looks at the same thing.
        looks_per_frame: Things looked at in one picture, at most.
        looks_kept: The newest looks that vote.
        least_looks: Votes before a value is told.
        least_share: Share of the votes that must agree.
    """

    every_s: float = 1.0
    looks_per_frame: int = 2
    looks_kept: int = 9
    least_looks: int = 2
    least_share: float = 0.6


@dataclass
class _Looks:
    """The looks at one thing: for each attribute the numbers of the values, none where it was unclear."""

    last_s: float = float("-inf")
    votes: dict[str, list[int | None]] = field(default_factory=dict)


class AttributeReader:
    """Keeps the votes on every followed thing."""

    def __init__(
        self, embedder: Embedder, rules: AttributeRules, settings: AttributeSettings | None = None
    ) -> None:
        self._embedder = embedder
        self._rules = rules.attributes
        self._arrays = {rule.slug: _arrays(rule) for rule in rules.attributes}
        self._settings = settings or AttributeSettings()
        self._looks: dict[int, _Looks] = {}

    def look(self, rgb: Rgb, tracks: Sequence[Track], at_s: float) -> None:
        """Look at the things that were not looked at for longest.

        Args:
            rgb: The picture, `(h, w, 3) uint8`.
            tracks: All things followed now; what is known of others is forgotten.
            at_s: Monotonic seconds of the picture.

        Raises:
            BackendError: The embedding network failed; what was known stays, and the thing waits its turn.
        """
        self._forget({track.number for track in tracks})
        due = [track for track in tracks if self._is_due(track, at_s)]
        due.sort(key=lambda track: self._looks_at(track.number).last_s)
        for track in due[: self._settings.looks_per_frame]:
            self._looks.setdefault(track.number, _Looks()).last_s = at_s
            self._vote(track, self._embedder.embed(rgb, track.box))

    def values(self, track: Track) -> dict[str, AttributeValue]:
        """Return what is known of a thing, by the attribute's slug."""
        looks = self._looks.get(track.number, _Looks())
        told = {
            rule.slug: told_value(rule.values, looks.votes.get(rule.slug, []), self._settings)
            for rule in self._rules
        }
        return {slug: value for slug, value in told.items() if value is not None}

    def _is_due(self, track: Track, at_s: float) -> bool:
        fresh = track.misses == 0 and track.last_s == at_s
        wanted = any(track.label in rule.labels for rule in self._rules)
        return fresh and wanted and at_s - self._looks_at(track.number).last_s >= self._settings.every_s

    def _looks_at(self, number: int) -> _Looks:
        return self._looks.get(number, _Looks())

    def _forget(self, followed: Iterable[int]) -> None:
        self._looks = {number: looks for number, looks in self._looks.items() if number in followed}

    def _vote(self, track: Track, embedding: Float32) -> None:
        looks = self._looks_at(track.number)
        for rule in self._rules:
            if track.label in rule.labels:
                centre, means = self._arrays[rule.slug]
                similar = similarities(embedding[None], centre, means)[0]
                vote = choose_value(similar, rule.least_similarity, rule.least_margin)
                kept = looks.votes.setdefault(rule.slug, [])
                kept.append(vote)
                del kept[: -self._settings.looks_kept]


def told_value(
    values: Sequence[str], votes: Sequence[int | None], settings: AttributeSettings
) -> AttributeValue | None:
    """Return the value that enough of the looks agree on, or none."""
    if len(votes) < settings.least_looks:
        return None
    counts = np.bincount([vote for vote in votes if vote is not None], minlength=len(values))
    best = int(counts.argmax())
    share = float(counts[best]) / len(votes)
    return AttributeValue(value=values[best], score=share) if share >= settings.least_share else None


@dataclass(frozen=True)
class BundleEmbedder:
    """The embedding network of a bundle; implements `Embedder`."""

    backend: Backend
    stage: AttributeStage

    def embed(self, rgb: Rgb, box: XyxyNorm) -> Float32:
        """Return the embedding of a box; see `Embedder`."""
        spec = self.stage.input
        crop = crop_around(rgb, box, self.stage.around_share)
        boxed = letterbox(crop, spec.width_px, spec.height_px, spec.pad_value)
        return self.backend.infer(boxed.pixels[None])[self.stage.output].reshape(-1)


def crop_around(rgb: Rgb, box: XyxyNorm, around_share: float) -> Rgb:
    """Return what is in a box and a little around it, at least one pixel; `(h, w, 3) uint8`."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = box
    more_x, more_y = (x2 - x1) * around_share, (y2 - y1) * around_share
    left = min(width - 1, max(0, int((x1 - more_x) * width)))
    top = min(height - 1, max(0, int((y1 - more_y) * height)))
    right = max(left + 1, min(width, round((x2 + more_x) * width)))
    bottom = max(top + 1, min(height, round((y2 + more_y) * height)))
    return np.ascontiguousarray(rgb[top:bottom, left:right])


@dataclass(frozen=True)
class SecondStage:
    """What a bundle brings for telling attributes."""

    embedder: BundleEmbedder
    rules: AttributeRules


def open_second_stage(bundle: Bundle) -> SecondStage | None:
    """Open the second stage of a bundle; none when it has none.

    Raises:
        ArtifactError: Its rules are damaged.
        BackendError: The runtime cannot load the embedding network.
    """
    stage = bundle.manifest.attributes
    if stage is None:
        return None
    try:
        rules = AttributeRules.from_json(bundle.read(stage.rules_file))
    except ValidationError as error:
        message = f"bundle {bundle.path.name}: {stage.rules_file}: {error.errors()[0]['msg']}"
        raise ArtifactError(message) from error
    return SecondStage(BundleEmbedder(open_embedding(bundle, stage), stage), rules)


def _arrays(rule: AttributeRule) -> tuple[Float32, Float32]:
    return np.array(rule.centre, np.float32), np.array(rule.means, np.float32)


def told_nothing(_track: Track) -> Mapping[str, AttributeValue]:
    """Return that nothing is known: for bundles without a second stage."""
    return {}
