"""Who may be told apart: people only where an owner asked for it by name.

Telling people apart is personal data in most laws, so it is off until somebody says yes, and who said it is
kept with the attribute.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from cloud.errors import DeniedError
from edge_agent.wire.base import Document

PEOPLE = frozenset(
    {
        *("person", "people", "human", "pedestrian", "man", "woman", "child", "kid", "boy", "girl", "baby"),
        *("face", "head", "worker", "employee", "customer", "visitor", "guest", "driver", "passenger"),
    }
)
"""Words that make a label one of people, in lower case."""


class Consent(Document):
    """Who allowed that people are told apart, and when (UTC seconds since 1970)."""

    by: str = Field(min_length=1)
    at: float


def is_about_people(label: str) -> bool:
    """Tell whether a label (its name or slug) names people: one of its words does, also in the plural."""
    words = label.lower().replace("_", " ").replace("-", " ").replace("'s", "").split()
    return any(word in PEOPLE or word.removesuffix("s") in PEOPLE for word in words)


def check_consent(labels: Iterable[str], consent: Consent | None) -> None:
    """Refuse to tell people apart unless somebody allowed it.

    Raises:
        DeniedError: A label is about people, and there is no consent.
    """
    people = sorted(label for label in labels if is_about_people(label))
    if people and consent is None:
        message = (
            f"{', '.join(people)}: telling people apart is off; "
            "allow it for this attribute if the law and those people do, with your name "
            "(--allow-people, over HTTP allow_people_by)"
        )
        raise DeniedError(message)
