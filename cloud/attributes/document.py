"""An attribute as it is kept with its detector: examples, who allowed it, and what was learned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from cloud.attributes.learn import AttributeQuality
from cloud.attributes.people import Consent, check_consent
from cloud.errors import InputError, NotFoundError
from edge_agent.wire.attributes import AttributeRule
from edge_agent.wire.base import Document, Slug, XyxyNorm
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import SubnetRef


class Example(Document):
    """One thing of which somebody said the value: a box in a frame of a picture or video of the detector."""

    media_id: str
    frame_index: int = Field(ge=0)
    box: XyxyNorm

    @property
    def id(self) -> str:
        """The name of this box of this frame, made from what it is."""
        return hashlib.sha256(f"{self.media_id} {self.frame_index} {self.box}".encode()).hexdigest()[:16]


Values = dict[str, tuple[Example, ...]]


class TaughtRule(Document):
    """What was learned: the rule, how good it is, and whose embeddings it reads.

    `learned_from` names the examples (see `name_of`); none where that was not noted.
    """

    rule: AttributeRule
    quality: AttributeQuality
    subnet: SubnetRef
    learned_from: str | None = None


class Attribute(Document):
    """One attribute of a detector."""

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field(min_length=1)
    slug: Slug
    labels: tuple[str, ...] = Field(min_length=1, description="display names of labels that have it")
    values: Values
    consent: Consent | None = None
    taught: TaughtRule | None = None

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if len(self.values) < 2 or not all(value.strip() for value in self.values):
            message = f"attribute {self.name!r} needs at least two values, each with a name"
            raise ValueError(message)
        return self

    @property
    def is_current(self) -> bool:
        """Whether what was learned knows all examples, and no others."""
        if self.taught is None:
            return False
        return self.taught.learned_from in {None, name_of(self.values)}


def new_attribute(
    name: str, labels: Sequence[str], values: Sequence[str], consent: Consent | None = None
) -> Attribute:
    """Return an attribute without examples.

    Raises:
        InputError: It has no name, no label, or fewer than two different values.
        DeniedError: It would tell people apart, and nobody allowed that.
    """
    check_consent(labels, consent)
    name = _named(name)
    names = _different(name, values)
    try:
        return Attribute(
            name=name,
            slug=slugify(name),
            labels=tuple(labels),
            values=dict.fromkeys(names, ()),
            consent=consent,
        )
    except ValidationError as error:
        raise _refused(name, error) from error


def with_example(attribute: Attribute, value: str, example: Example) -> Attribute:
    """Return the attribute with one more example; the same box shown again moves to its new value.

    Raises:
        InputError: The attribute has no such value.
    """
    if value not in attribute.values:
        message = f"{attribute.name!r} has no value {value!r}; it has {', '.join(attribute.values)}"
        raise InputError(message)
    values = _without(attribute.values, example.id)
    values[value] += (example,)
    return attribute.model_copy(update={"values": values})


def without_example(attribute: Attribute, example_id: str) -> Attribute:
    """Return the attribute without one example.

    Raises:
        NotFoundError: It has no such example.
    """
    values = _without(attribute.values, example_id)
    if values == attribute.values:
        message = f"{attribute.name!r} has no example {example_id!r}"
        raise NotFoundError(message)
    return attribute.model_copy(update={"values": values})


def with_name(attribute: Attribute, name: str) -> Attribute:
    """Return the attribute under another name; what was learned stays.

    Raises:
        InputError: The name is empty.
    """
    name = _named(name)
    named = {"name": name, "slug": slugify(name)}
    taught = attribute.taught
    if taught is not None:
        taught = taught.model_copy(update={"rule": taught.rule.model_copy(update=named)})
    return attribute.model_copy(update={**named, "taught": taught})


def with_renamed_values(attribute: Attribute, names: Mapping[str, str]) -> Attribute:
    """Return the attribute with other names for some values; examples and what was learned stay.

    Raises:
        InputError: A value is unknown, or a new name is empty or taken.
    """
    if unknown := [value for value in names if value not in attribute.values]:
        message = f"{attribute.name!r} has no value {unknown[0]!r}; it has {', '.join(attribute.values)}"
        raise InputError(message)
    new = {value: names.get(value, value).strip() for value in attribute.values}
    _different(attribute.name, new.values())
    values = {new[value]: shown for value, shown in attribute.values.items()}
    taught = attribute.taught
    if taught is not None:
        rule = taught.rule.model_copy(
            update={"values": tuple(new.get(value, value) for value in taught.rule.values)}
        )
        was = attribute.is_current
        taught = taught.model_copy(
            update={"rule": rule, "learned_from": name_of(values) if was else taught.learned_from}
        )
    return _checked(attribute, {"values": values, "taught": taught})


def with_values(attribute: Attribute, wanted: Sequence[str]) -> Attribute:
    """Return the attribute with these values: new ones without examples; those left out go with theirs.

    What was learned goes too where it would tell a value that is no more.

    Raises:
        InputError: There are fewer than two, or one is empty or comes twice.
    """
    names = _different(attribute.name, wanted)
    values = {name: attribute.values.get(name, ()) for name in names}
    taught = attribute.taught
    if taught is not None and not set(taught.rule.values) <= set(names):
        taught = None
    return _checked(attribute, {"values": values, "taught": taught})


def with_renamed_labels(attribute: Attribute, names: Mapping[str, str]) -> Attribute:
    """Return the attribute after classes of its detector were renamed."""
    labels = tuple(names.get(label, label) for label in attribute.labels)
    taught = attribute.taught
    if taught is not None:
        slugs = tuple(slugify(label) for label in labels)
        rule = taught.rule.model_copy(update={"labels": slugs})
        taught = taught.model_copy(update={"rule": rule})
    return attribute.model_copy(update={"labels": labels, "taught": taught})


def name_of(values: Values) -> str:
    """Return a name of these examples under these values, whatever their order."""
    lines = sorted(f"{example.id} {value}" for value, shown in values.items() for example in shown)
    return hashlib.sha256("\n".join([*sorted(values), *lines]).encode()).hexdigest()


def _without(values: Values, example_id: str) -> Values:
    return {value: tuple(one for one in shown if one.id != example_id) for value, shown in values.items()}


def _named(name: str) -> str:
    if not name.strip():
        message = "an attribute needs a name, for example kind"
        raise InputError(message)
    return name.strip()


def _different(name: str, values: Iterable[str]) -> list[str]:
    names = [value.strip() for value in values]
    if len(set(names)) != len(names):
        message = f"attribute {name!r}: a value comes twice in {', '.join(names)}"
        raise InputError(message)
    return names


def _checked(attribute: Attribute, changes: Mapping[str, object]) -> Attribute:
    changed = attribute.model_copy(update=dict(changes))
    try:
        return Attribute.model_validate(changed.model_dump(by_alias=True))
    except ValidationError as error:
        raise _refused(attribute.name, error) from error


def _refused(name: str, error: ValidationError) -> InputError:
    return InputError(f"attribute {name!r}: {error.errors()[0]['msg']}")
