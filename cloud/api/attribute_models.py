"""JSON of the routes of attributes, and how it is made of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.api.models import JobView
from cloud.api.views import job_view
from cloud.attributes.document import Attribute, Example
from cloud.attributes.learn import GOOD_EXAMPLES, LEAST_EXAMPLES
from cloud.attributes.people import is_about_people
from cloud.store.tables import Job
from edge_agent.wire.base import XyxyNorm

Title = Annotated[str, Field(min_length=1, max_length=80)]
MOST_VALUES = 20


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewAttribute(_Body):
    """What is to be told of which things; `allow_people_by` names who allows that people are told apart."""

    name: Title
    labels: list[Title] = Field(min_length=1, max_length=100)
    values: list[Title] = Field(max_length=MOST_VALUES)
    allow_people_by: str | None = Field(None, max_length=200)


class AttributeChange(_Body):
    """A new name, new names of some values, or all values in their order; what is left out stays."""

    name: Title | None = None
    rename: dict[str, Title] | None = None
    values: list[Title] | None = Field(None, max_length=MOST_VALUES)


class NewExample(_Body):
    """A box around one thing in a frame of a picture or video of the detector, and what the thing is."""

    media_id: str
    frame_index: int = Field(0, ge=0)
    box: XyxyNorm
    value: str


class ValueView(BaseModel):
    """A value and how many examples show it."""

    name: str
    examples: int


class QualityView(BaseModel):
    """How well the examples are told apart, each by a rule that had not seen it or its neighbours.

    `answered` is the share that was not left open, `right` the share of these that was right; `confusion`
    counts examples by true value (rows) and told value (columns, the last one for none told), both in the
    order of `values`.
    """

    examples: int
    answered: float
    right: float
    values: list[str]
    confusion: list[list[int]]
    how: str


class AttributeView(BaseModel):
    """An attribute: `quality` is that of the last training, `is_current` whether it knows all examples.

    `ready` tells whether it can be learned; `job` is the newest job that learned it.
    """

    name: str
    slug: str
    labels: list[str]
    values: list[ValueView]
    ready: bool
    allowed_by: str | None
    quality: QualityView | None
    is_current: bool
    job: JobView | None


class LabelView(BaseModel):
    """A class of the detector; where `names_people`, attributes of it must be allowed by somebody."""

    name: str
    names_people: bool


class AttributeList(BaseModel):
    """A detector's attributes; of each value at least `least` examples are needed, `good` are better."""

    attributes: list[AttributeView]
    labels: list[LabelView]
    least: int = LEAST_EXAMPLES
    good: int = GOOD_EXAMPLES


class ExampleView(BaseModel):
    """One example; `picture` is the address of its crop."""

    id: str
    media_id: str
    frame_index: int
    box: XyxyNorm
    value: str
    picture: str


class DrawnView(BaseModel):
    """A drawn box that is no example yet; as an example it would have this `id`."""

    id: str
    media_id: str
    media_name: str
    frame_index: int
    box: XyxyNorm
    label: str
    picture: str


class UnsortedView(BaseModel):
    """Drawn boxes in the order of the footage; `total` counts those that were left out too."""

    total: int
    boxes: list[DrawnView]


def attribute_view(attribute: Attribute, job: Job | None = None) -> AttributeView:
    """Return an attribute with its newest job."""
    return AttributeView(
        name=attribute.name,
        slug=attribute.slug,
        labels=list(attribute.labels),
        values=[ValueView(name=name, examples=len(shown)) for name, shown in attribute.values.items()],
        ready=all(len(shown) >= LEAST_EXAMPLES for shown in attribute.values.values()),
        allowed_by=None if attribute.consent is None else attribute.consent.by,
        quality=_quality_view(attribute),
        is_current=attribute.is_current,
        job=None if job is None else job_view(job),
    )


def label_views(labels: Sequence[str]) -> list[LabelView]:
    """Return the classes of a detector."""
    return [LabelView(name=label, names_people=is_about_people(label)) for label in labels]


def example_views(attribute: Attribute) -> list[ExampleView]:
    """Return all examples of an attribute, value by value."""
    return [
        ExampleView(**_place(one), value=value, picture=_picture(one))
        for value, shown in attribute.values.items()
        for one in shown
    ]


def drawn_view(example: Example, label: str, media_name: str) -> DrawnView:
    """Return a drawn box."""
    return DrawnView(**_place(example), label=label, media_name=media_name, picture=_picture(example))


def _place(example: Example) -> dict[str, object]:
    return {
        "id": example.id,
        "media_id": example.media_id,
        "frame_index": example.frame_index,
        "box": example.box,
    }


def _picture(example: Example) -> str:
    corners = ",".join(f"{corner:.5f}" for corner in example.box)
    return f"/api/v1/media/{example.media_id}/frames/{example.frame_index}/crop.jpg?box={corners}"


def _quality_view(attribute: Attribute) -> QualityView | None:
    if attribute.taught is None:
        return None
    quality = attribute.taught.quality
    return QualityView(
        examples=quality.examples,
        answered=quality.answered,
        right=quality.right,
        values=list(attribute.taught.rule.values),
        confusion=[list(row) for row in quality.confusion],
        how=quality.how,
    )
