"""Limits: what people type, what counts, what breaks them."""

from __future__ import annotations

import pytest

from compress.limits import (
    Limits,
    broken_limits,
    distance,
    in_words,
    limits_for,
    parse_bytes,
    parse_classes,
    parse_ms,
    parse_share,
)
from edge_agent.errors import ConfigError
from tests.compress.test_choose import MB, measured, profile


@pytest.mark.parametrize(
    ("text", "expected"),
    [("64MB", 64_000_000), ("1.5 MiB", 1_572_864), ("300kB", 300_000), ("12B", 12), (" 2GB ", 2 * 10**9)],
)
def test_parse_bytes_reads_numbers_with_units(text: str, expected: int) -> None:
    assert parse_bytes(text, "--max-ram") == expected


@pytest.mark.parametrize("text", ["64", "64mb", "64 M", "-1MB", "0MB", "MB", "1e3MB", "", "6_4MB", "64MB/s"])
def test_parse_bytes_of_anything_else_says_what_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--max-ram .*(such as 64MB|must be above 0)"):
        parse_bytes(text, "--max-ram")


@pytest.mark.parametrize(
    ("text", "expected"), [("80", 80.0), ("80ms", 80.0), ("0.5s", 500.0), ("7.5 ms", 7.5)]
)
def test_parse_ms_reads_milliseconds(text: str, expected: float) -> None:
    assert parse_ms(text, "--max-ms") == expected


@pytest.mark.parametrize("text", ["fast", "80m", "0", "-3", "nan"])
def test_parse_ms_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--max-ms"):
        parse_ms(text, "--max-ms")


@pytest.mark.parametrize(("text", "expected"), [("0.85", 0.85), ("85%", 0.85), ("1", 1.0)])
def test_parse_share_reads_shares(text: str, expected: float) -> None:
    assert parse_share(text, "--min-ap") == pytest.approx(expected)


@pytest.mark.parametrize("text", ["85", "1.01", "0", "-0.1", "most", "101%"])
def test_parse_share_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--min-ap"):
        parse_share(text, "--min-ap")


def test_parse_classes_keeps_each_name_once_in_order() -> None:
    assert parse_classes("dog, cat,dog", "--classes") == ("dog", "cat")


@pytest.mark.parametrize("text", ["", "a,,b", ","])
def test_parse_classes_with_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="empty name"):
        parse_classes(text, "--classes")


@pytest.mark.parametrize(("asked", "counts"), [(None, 128 * MB), (64 * MB, 64 * MB), (500 * MB, 128 * MB)])
def test_limits_for_takes_the_stricter_memory(asked: int | None, counts: int) -> None:
    assert limits_for(profile("litert"), max_ram_bytes=asked).max_ram_bytes == counts


ROW = measured("litert_int8", 70 * MB).model_copy(update={"ms_p50": 20.0})


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(128 * MB, 64 * MB), []),
        (Limits(50 * MB, 64 * MB), ["needs 70.0 MB of memory, allowed are 50.0 MB (40 % over)"]),
        (Limits(128 * MB, 6 * MB), ["needs 8.0 MB of storage for two slots, allowed are 6.0 MB (33 % over)"]),
        (Limits(128 * MB, 64 * MB, 2 * MB), ["needs 4.0 MB for its bundle, allowed are 2.0 MB (100 % over)"]),
        (Limits(128 * MB, 64 * MB, None, 10.0), ["takes 20.0 ms, allowed are 10.0 ms (100 % over)"]),
        (
            Limits(128 * MB, 64 * MB, None, None, 0.95),
            ["reaches AP50 0.900, wanted are 0.950 (0.050 short)"],
        ),
    ],
)
def test_broken_limits_say_which_and_by_how_much(limits: Limits, words: list[str]) -> None:
    assert [in_words(broken) for broken in broken_limits(limits, ROW)] == words


def test_broken_limits_of_accuracy_that_was_not_measured_is_broken() -> None:
    blind = ROW.model_copy(update={"ap50": None})
    assert [one.limit for one in broken_limits(Limits(128 * MB, 64 * MB, min_ap50=0.5), blind)] == ["AP50"]


def test_distance_adds_up_what_is_over() -> None:
    assert distance(broken_limits(Limits(35 * MB, 64 * MB, max_ms=10.0), ROW)) == pytest.approx(2.0)
