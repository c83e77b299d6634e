"""Attributes: what a thing is like, told on its crop by a second, few-shot stage ("diet" or "regular").

A bundle may carry an embedding network beside its detector, and rules that read its numbers.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from edge_agent.wire.base import Document, RelativePath, Slug
from edge_agent.wire.detection import Score
from edge_agent.wire.inputs import InputSpec


class AttributeValue(Document):
    """What was found out: one of the attribute's values, and the share of looks that agree."""

    value: str
    score: Score


class AttributeRule(Document):
    """One attribute: how its values are told apart by an embedding.

    An embedding `e` is compared by the cosine between `e - centre` and each of `means` (SimpleShot, Wang et
    al. 2019). Where the best is not `least_similarity`, or not `least_margin` better than the second, nothing
    is said.
    """

    name: str
    slug: Slug
    labels: tuple[Slug, ...] = Field(min_length=1, description="labels of things that have it")
    values: tuple[str, ...] = Field(min_length=2)
    centre: tuple[float, ...] = Field(min_length=1)
    means: tuple[tuple[float, ...], ...] = Field(description="one a value, of unit length")
    least_similarity: float = Field(ge=-1.0, le=1.0)
    least_margin: float = Field(ge=0.0, le=2.0)

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if len(set(self.values)) != len(self.values) or len(self.means) != len(self.values):
            message = f"attribute {self.name!r} needs different values, each with one mean"
            raise ValueError(message)
        if any(len(mean) != len(self.centre) for mean in self.means):
            message = f"attribute {self.name!r}: every mean must be as long as the centre"
            raise ValueError(message)
        return self


class AttributeRules(Document):
    """All attributes of a bundle: `attributes.json` in it."""

    schema_version: Literal[1] = Field(1, alias="schema")
    attributes: tuple[AttributeRule, ...] = Field(min_length=1)


class AttributeStage(Document):
    """The second stage as a manifest describes it."""

    model_file: RelativePath = Field(description="the embedding network, of the bundle's runtime")
    rules_file: RelativePath = Field(description="an attribute-rules document")
    input: InputSpec = Field(description="a crop, letterboxed")
    output: str = Field(description="embedding (1, n)")
    around_share: float = Field(0.15, ge=0.0, le=1.0, description="of the box's size, added on each side")
