"""Attributes: made, shown examples of, renamed, and what stays of what was learned."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloud.attributes.document import (
    Attribute,
    Example,
    TaughtRule,
    name_of,
    new_attribute,
    with_example,
    with_name,
    with_renamed_labels,
    with_renamed_values,
    with_values,
    without_example,
)
from cloud.attributes.learn import AttributeQuality
from cloud.errors import DeniedError, InputError, NotFoundError
from edge_agent.wire.attributes import AttributeRule
from edge_agent.wire.manifest import SubnetRef

OTHER = Example(media_id="m1", frame_index=9, box=(0.1, 0.1, 0.5, 0.5))
EXAMPLE = Example(media_id="m1", frame_index=3, box=(0.1, 0.1, 0.5, 0.5))


def kind() -> Attribute:
    return new_attribute("Kind", ("can",), ("diet", "regular"))


@pytest.mark.parametrize(
    ("name", "labels", "values", "error", "complaint"),
    [
        ("Kind", ("can",), ("diet",), InputError, "at least two values"),
        ("Kind", ("can",), ("diet", "diet"), InputError, "a value comes twice"),
        ("Kind", ("can",), ("diet", " "), InputError, "each with a name"),
        ("Kind", (), ("diet", "regular"), InputError, "at least 1 item"),
        (" ", ("can",), ("diet", "regular"), InputError, "needs a name"),
        ("Who", ("person",), ("Ann", "Bob"), DeniedError, "telling people apart is off"),
    ],
)
def test_new_attribute_that_cannot_be_is_refused(
    name: str, labels: tuple[str, ...], values: tuple[str, ...], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        new_attribute(name, labels, values)


def test_example_shown_again_moves_to_its_new_value() -> None:
    shown = with_example(with_example(kind(), "diet", EXAMPLE), "regular", EXAMPLE)
    assert shown.values == {"diet": (), "regular": (EXAMPLE,)}


def test_example_of_an_unknown_value_is_refused() -> None:
    with pytest.raises(InputError, match="no value 'cherry'; it has diet, regular"):
        with_example(kind(), "cherry", EXAMPLE)


def taught_kind() -> Attribute:
    """Return an attribute that was learned from one example of each value."""
    shown = with_example(with_example(kind(), "diet", EXAMPLE), "regular", OTHER)
    rule = AttributeRule(
        name="Kind",
        slug="kind",
        labels=("can",),
        values=("diet", "regular"),
        centre=(0.0, 0.0),
        means=((1.0, 0.0), (0.0, 1.0)),
        least_similarity=0.1,
        least_margin=0.1,
    )
    quality = AttributeQuality(examples=2, right=1.0, answered=1.0, confusion=((1, 0, 0), (0, 1, 0)))
    learned = TaughtRule(
        rule=rule,
        quality=quality,
        subnet=SubnetRef(name="efficientnet_lite0", source="timm", licence="Apache-2.0"),
        learned_from=name_of(shown.values),
    )
    return shown.model_copy(update={"taught": learned})


def test_example_taken_back_leaves_the_others() -> None:
    left = without_example(taught_kind(), EXAMPLE.id)
    assert left.values == {"diet": (), "regular": (OTHER,)}
    with pytest.raises(NotFoundError, match="has no example"):
        without_example(left, EXAMPLE.id)


def test_learned_attribute_is_current_until_its_examples_change() -> None:
    taught = taught_kind()
    assert taught.is_current
    assert not kind().is_current
    less = without_example(taught, EXAMPLE.id)
    assert not less.is_current
    assert with_example(less, "diet", EXAMPLE).is_current
    assert not with_example(taught, "regular", EXAMPLE).is_current


def test_renamed_value_keeps_examples_and_what_was_learned() -> None:
    renamed = with_renamed_values(taught_kind(), {"diet": "light", "regular": "diet"})
    assert renamed.values == {"light": (EXAMPLE,), "diet": (OTHER,)}
    assert renamed.taught is not None
    assert renamed.taught.rule.values == ("light", "diet")
    assert renamed.is_current


def test_renamed_value_does_not_make_what_is_stale_current() -> None:
    stale = without_example(taught_kind(), EXAMPLE.id)
    assert not with_renamed_values(stale, {"diet": "light"}).is_current


@pytest.mark.parametrize(
    ("wanted", "examples", "is_taught"),
    [
        (("regular", "diet"), {"regular": (OTHER,), "diet": (EXAMPLE,)}, True),
        (("diet", "regular", "cherry"), {"diet": (EXAMPLE,), "regular": (OTHER,), "cherry": ()}, True),
        (("diet", "cherry"), {"diet": (EXAMPLE,), "cherry": ()}, False),
    ],
)
def test_values_set_anew_keep_their_examples(
    wanted: tuple[str, ...], examples: dict[str, tuple[Example, ...]], is_taught: bool
) -> None:
    changed = with_values(taught_kind(), wanted)
    assert list(changed.values.items()) == list(examples.items())
    assert (changed.taught is not None) == is_taught


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda one: with_values(one, ("diet",)), "at least two values"),
        (lambda one: with_values(one, ("diet", "diet ")), "comes twice"),
        (lambda one: with_values(one, ("diet", " ")), "each with a name"),
        (lambda one: with_renamed_values(one, {"diet": "regular"}), "comes twice"),
        (lambda one: with_renamed_values(one, {"diet": " "}), "each with a name"),
        (lambda one: with_renamed_values(one, {"cherry": "x"}), "no value 'cherry'"),
        (lambda one: with_name(one, " "), "needs a name"),
    ],
)
def test_change_that_makes_no_attribute_is_refused(
    change: Callable[[Attribute], Attribute], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        change(taught_kind())


def test_renamed_attribute_and_label_reach_the_rule() -> None:
    changed = with_renamed_labels(with_name(taught_kind(), "Sort of can"), {"can": "tin can"})
    assert changed.taught is not None
    assert (changed.slug, changed.labels) == ("sort_of_can", ("tin can",))
    assert (changed.taught.rule.slug, changed.taught.rule.labels) == ("sort_of_can", ("tin_can",))
