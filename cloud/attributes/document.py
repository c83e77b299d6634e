"""An attribute as it is kept with its detector: examples, who allowed it, and what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from cloud.attributes.learn import AttributeQuality
from cloud.attributes.people import Consent, check_consent
from cloud.errors import ConflictError, InputError, NotFoundError
from edge_agent.wire.attributes import AttributeRule
from edge_agent.wire.base import Document, Slug, XyxyNorm
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import SubnetRef


class Example(Document):
    """One thing of which somebody said the value: a box in a frame of a picture or video of the detector."""

    media_id: str
    frame_index: int = Field(ge=0)
    box: XyxyNorm


class TaughtRule(Document):
    """What was learned: the rule, how good it is, and whose embeddings it reads."""

    rule: AttributeRule
    quality: AttributeQuality
    subnet: SubnetRef


class Attribute(Document):
    """One attribute of a detector."""

    schema_version: Literal[1] = Field(1, alias="schema")
    name: str = Field(min_length=1)
    slug: Slug
    labels: tuple[str, ...] = Field(min_length=1, description="display names of labels that have it")
    values: dict[str, tuple[Example, ...]]
    consent: Consent | None = None
    taught: TaughtRule | None = None

    @model_validator(mode="after")
    def _has_values(self) -> Self:
        if len(self.values) < 2 or not all(value.strip() for value in self.values):
            message = f"attribute {self.name!r} needs at least two values, each with a name"
            raise ValueError(message)
        return self


def new_attribute(
    name: str, labels: tuple[str, ...], values: tuple[str, ...], consent: Consent | None = None
) -> Attribute:
    """Return an attribute without examples.

    Raises:
        InputError: It has no name, no label, or fewer than two different values.
        DeniedError: It would tell people apart, and nobody allowed that.
    """
    check_consent(labels, consent)
    if len(set(values)) != len(values):
        message = f"attribute {name!r}: a value comes twice in {', '.join(values)}"
        raise InputError(message)
    try:
        return Attribute(
            name=name, slug=slugify(name), labels=labels, values=dict.fromkeys(values, ()), consent=consent
        )
    except ValidationError as error:
        message = f"attribute {name!r}: {error.errors()[0]['msg']}"
        raise InputError(message) from error


def with_example(attribute: Attribute, value: str, example: Example) -> Attribute:
    """Return the attribute with one more example; the same box shown again moves to its new value.

    Raises:
        InputError: The attribute has no such value.
    """
    if value not in attribute.values:
        message = f"{attribute.name!r} has no value {value!r}; it has {', '.join(attribute.values)}"
        raise InputError(message)
    values = {
        known: tuple(one for one in examples if one != example)
        for known, examples in attribute.values.items()
    }
    values[value] += (example,)
    return attribute.model_copy(update={"values": values})


def attributes_in(folder: Path) -> list[Attribute]:
    """Return the attributes kept in a folder, by slug.

    Raises:
        InputError: A file is damaged.
    """
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def find_attribute(folder: Path, name: str) -> Attribute:
    """Return an attribute by its name or slug.

    Raises:
        NotFoundError: There is none.
    """
    kept = attributes_in(folder)
    for attribute in kept:
        if name in {attribute.name, attribute.slug}:
            return attribute
    known = ", ".join(attribute.name for attribute in kept) or "none yet"
    message = f"there is no attribute {name!r}; there are: {known}"
    raise NotFoundError(message)


def keep_new(folder: Path, attribute: Attribute) -> None:
    """Keep an attribute that is not there yet.

    Raises:
        ConflictError: There is one of that name.
    """
    if (folder / f"{attribute.slug}.json").exists():
        message = f"there is an attribute {attribute.name!r} already"
        raise ConflictError(message)
    keep(folder, attribute)


def keep(folder: Path, attribute: Attribute) -> None:
    """Write an attribute in one step: the old one stays until the new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{attribute.slug}.part"
    part.write_text(attribute.model_dump_json(indent=2), "utf-8")
    part.replace(folder / f"{attribute.slug}.json")


def remove(folder: Path, name: str) -> None:
    """Forget an attribute with its examples.

    Raises:
        NotFoundError: There is none.
    """
    (folder / f"{find_attribute(folder, name).slug}.json").unlink()


def _read(path: Path) -> Attribute:
    try:
        return Attribute.from_json(path.read_bytes())
    except ValidationError as error:
        message = f"{path} is damaged: {error.errors()[0]['msg']}"
        raise InputError(message) from error
