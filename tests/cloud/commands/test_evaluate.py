"""What the commands say of figures."""

from __future__ import annotations

import pytest

from cloud.commands.evaluate import quality_line, version_number
from cloud.errors import InputError

MEASURED = {"ap50": 0.9, "ap": 0.5, "images": 12, "threshold": 0.31}


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("v12", 12)])
def test_version_number_with_or_without_v(text: str, number: int) -> None:
    assert version_number(text) == number


@pytest.mark.parametrize("text", ["", "v", "0", "-1", "1.5", "newest"])
def test_version_number_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="version"):
        version_number(text)


@pytest.mark.parametrize(
    ("how", "words"),
    [("cross_validation", "no test score"), ("held_out", "no test score"), ("test", "on 12 frames;")],
)
def test_quality_line_never_calls_cross_validation_a_test(how: str, words: str) -> None:
    assert words in quality_line({**MEASURED, "how": how})


def test_quality_line_not_measured_says_so() -> None:
    assert "not measured" in quality_line({"ap50": None})
