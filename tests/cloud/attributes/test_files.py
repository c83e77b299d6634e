"""Attributes as files: found again, changed by many at once, renamed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud.attributes.document import Attribute, Example, new_attribute, with_example, with_name
from cloud.attributes.files import attributes_in, change, find_attribute, keep_new, remove
from cloud.errors import ConflictError, InputError, NotFoundError

EXAMPLE = Example(media_id="m1", frame_index=3, box=(0.1, 0.1, 0.5, 0.5))


def kind(name: str = "Kind") -> Attribute:
    return new_attribute(name, ("can",), ("diet", "regular"))


def test_kept_attribute_is_found_by_name_and_slug(tmp_path: Path) -> None:
    keep_new(tmp_path, kind())
    change(tmp_path, "Kind", lambda one: with_example(one, "diet", EXAMPLE))
    assert find_attribute(tmp_path, "Kind").values["diet"] == (EXAMPLE,)
    assert find_attribute(tmp_path, "kind") == find_attribute(tmp_path, "Kind")
    with pytest.raises(ConflictError, match="already"):
        keep_new(tmp_path, kind())
    remove(tmp_path, "Kind")
    with pytest.raises(NotFoundError, match="none yet"):
        find_attribute(tmp_path, "Kind")


def test_examples_shown_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    keep_new(tmp_path, kind())

    def show(frame_index: int) -> None:
        example = EXAMPLE.model_copy(update={"frame_index": frame_index})
        change(tmp_path, "kind", lambda one: with_example(one, "diet", example))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(show, range(40)))
    assert len(find_attribute(tmp_path, "kind").values["diet"]) == 40


def test_renamed_attribute_leaves_no_file_of_its_old_name(tmp_path: Path) -> None:
    keep_new(tmp_path, kind())
    keep_new(tmp_path, kind("Fill"))
    change(tmp_path, "kind", lambda one: with_name(one, "Sort"))
    assert [one.name for one in attributes_in(tmp_path)] == ["Fill", "Sort"]
    with pytest.raises(ConflictError, match="'Fill' already"):
        change(tmp_path, "sort", lambda one: with_name(one, "Fill"))
    assert [one.name for one in attributes_in(tmp_path)] == ["Fill", "Sort"]


def test_change_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    keep_new(tmp_path, kind())
    with pytest.raises(InputError, match="no value"):
        change(tmp_path, "kind", lambda one: with_example(one, "cherry", EXAMPLE))
    assert find_attribute(tmp_path, "kind") == kind()


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "kind.json").write_text("{}")
    with pytest.raises(InputError, match=r"kind\.json is damaged"):
        attributes_in(tmp_path)
