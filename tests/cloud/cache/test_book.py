"""What goes when something comes, decided without any I/O."""

from __future__ import annotations

import pytest

from cloud.cache.book import Book
from cloud.cache.key import ModelKey, ModelRef
from cloud.cache.sketch import Sketch
from cloud.errors import BusyError, InputError
from edge_agent.errors import ConfigError
from tests.cloud.cache.made_up import body, ref_to


def key(name: object) -> ModelKey:
    return ref_to(body(name)).key


def ask(book: Book, name: object, size_bytes: int = 10) -> list[ModelKey]:
    """Ask for a model, use it and go away."""
    book.note(key(name))
    gone: list[ModelKey] = []
    if key(name) in book:
        book.take(key(name))
    else:
        gone = book.enter(key(name), size_bytes)
    book.give(key(name))
    return gone


def test_model_that_is_seen_once_does_not_throw_out_what_is_used_often() -> None:
    book = Book("ram", 100)
    for _ in range(5):
        for name in range(10):
            ask(book, name)
    for stranger in range(1000, 1500):
        ask(book, stranger)
    held = [name for name in range(10) if key(name) in book]
    assert len(held) >= 9


def test_model_that_is_asked_for_again_and_again_gets_in() -> None:
    book = Book("ram", 100)
    for _ in range(3):
        for name in range(10):
            ask(book, name)
    for _ in range(12):
        ask(book, "new")
        ask(book, "other")
    assert key("new") in book


def test_large_model_must_be_worth_all_that_would_go_for_it() -> None:
    book = Book("ram", 1000)
    for _ in range(4):
        for name in range(95):
            ask(book, name)
    for aside in range(8):
        ask(book, "large", 50)
        ask(book, f"aside {aside}")
    assert sum(key(name) in book for name in range(95)) >= 90


def test_old_fame_fades() -> None:
    sketch = Sketch(64)
    for _ in range(15):
        sketch.note(7 << 40)
    for other in range(5000):
        sketch.note(hash((other, "x")) & (1 << 64) - 1)
    assert sketch.count(7 << 40) < 15


def test_all_in_use_newcomer_is_refused_and_nothing_changes() -> None:
    book = Book("ram", 100)
    for name in range(10):
        book.enter(key(name), 10)
    with pytest.raises(BusyError, match="100 of 100 bytes"):
        book.enter(key("new"), 10)
    assert (len(book), book.used_bytes, key("new") in book) == (10, 100, False)


def test_model_larger_than_the_tier_names_the_budget() -> None:
    with pytest.raises(ConfigError, match="raise its budget"):
        Book("ram", 100).enter(key("new"), 101)


def test_pinned_model_stays_though_nobody_asks_for_it() -> None:
    book = Book("ram", 100)
    ask(book, "pinned")
    book.pin(key("pinned"))
    for _ in range(5):
        for name in range(40):
            ask(book, name)
    assert key("pinned") in book
    book.unpin(key("pinned"))
    for _ in range(15):
        for name in range(40):
            ask(book, name)
    assert key("pinned") not in book


def test_pins_leave_half_of_the_tier_to_others() -> None:
    book = Book("ram", 100)
    for name in range(5):
        ask(book, name)
        book.pin(key(name))
    ask(book, "sixth")
    with pytest.raises(BusyError, match="unpin"):
        book.pin(key("sixth"))


@pytest.mark.parametrize(
    ("scope", "sha256", "place"),
    [
        ("../x", "0" * 64, "d1/v1/file"),
        ("", "0" * 64, "d1/v1/file"),
        ("home", "0" * 63, "d1/v1/file"),
        ("home", "0" * 64, "../other/d1/v1/file"),
        ("home", "0" * 64, "d1/../../x"),
        ("home", "0" * 64, "/etc/passwd"),
        ("home", "0" * 64, ""),
    ],
)
def test_reference_that_could_name_something_else_is_refused(scope: str, sha256: str, place: str) -> None:
    with pytest.raises(InputError):
        ModelRef(scope, sha256, place)
