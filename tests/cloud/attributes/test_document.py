"""Attributes as they are kept: made, shown examples of, found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.attributes.document import (
    Attribute,
    Example,
    attributes_in,
    find_attribute,
    keep,
    keep_new,
    new_attribute,
    remove,
    with_example,
)
from cloud.errors import ConflictError, DeniedError, InputError, NotFoundError

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


def test_kept_attribute_is_found_by_name_and_slug(tmp_path: Path) -> None:
    keep_new(tmp_path, kind())
    keep(tmp_path, with_example(kind(), "diet", EXAMPLE))
    assert find_attribute(tmp_path, "Kind").values["diet"] == (EXAMPLE,)
    assert find_attribute(tmp_path, "kind") == find_attribute(tmp_path, "Kind")
    with pytest.raises(ConflictError, match="already"):
        keep_new(tmp_path, kind())
    remove(tmp_path, "Kind")
    with pytest.raises(NotFoundError, match="none yet"):
        find_attribute(tmp_path, "Kind")


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "kind.json").write_text("{}")
    with pytest.raises(InputError, match=r"kind\.json is damaged"):
        attributes_in(tmp_path)
