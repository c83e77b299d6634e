"""Finding detectors by reference."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from compress.errors import UnknownDetectorError
from compress.loaders import ENTRY_POINT_GROUP, load_detector

TINY = EntryPoint("tiny", "tests.compress.tiny_attributes:load_tiny", ENTRY_POINT_GROUP)
BROKEN = EntryPoint("broken", "no_such_package:load", ENTRY_POINT_GROUP)


def test_load_detector_asks_every_loader() -> None:
    assert load_detector("tiny", [BROKEN, TINY]).ref.name == "red squares"


@pytest.mark.parametrize(
    ("registered", "text"),
    [
        ([], r"nothing installed here has any; run pip install"),
        ([TINY], r"no trained detector 'cats' in the tests; `tiny` is there$"),
        ([TINY, TINY], r"'cats' in the tests or the tests; "),
        (
            [BROKEN],
            r"could not be asked: broken \(No module named 'no_such_package'\); pip install",
        ),
        ([TINY, BROKEN], r"in the tests; `tiny` is there; could not be asked: broken \("),
    ],
)
def test_load_detector_of_an_unknown_one_says_what_to_do(registered: list[EntryPoint], text: str) -> None:
    with pytest.raises(UnknownDetectorError, match=text):
        load_detector("cats", registered)
