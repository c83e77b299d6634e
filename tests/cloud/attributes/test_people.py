"""Telling people apart is refused unless somebody allowed it."""

from __future__ import annotations

import pytest

from cloud.attributes.people import Consent, check_consent, is_about_people
from cloud.errors import DeniedError


@pytest.mark.parametrize(
    ("label", "about_people"),
    [
        ("person", True),
        ("Persons", True),
        ("old man", True),
        ("kid's hand", True),
        ("delivery_driver", True),
        ("Face", True),
        ("can", False),
        ("mannequin", False),
        ("biscuit box", False),
    ],
)
def test_label_about_people_is_recognised(label: str, *, about_people: bool) -> None:
    assert is_about_people(label) is about_people


def test_people_without_consent_are_refused_by_name() -> None:
    with pytest.raises(DeniedError, match=r"person: telling people apart is off"):
        check_consent(["can", "person"], None)


def test_people_with_consent_and_things_without_are_allowed() -> None:
    check_consent(["person"], Consent(by="Ada", at=0.0))
    check_consent(["can"], None)
