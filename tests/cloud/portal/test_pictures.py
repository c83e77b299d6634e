"""Every page of the portal is in docs/pages.md, with its pictures; `make pictures` takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.portal import pages

_DOCS = Path(__file__).parents[3] / "docs"
_NAMES = [str(getattr(route, "name", "")) for route in pages.router.routes]
_WITHOUT = {"streams"}
"""Pages whose pictures were not taken yet; docs/pages.md says so."""
_MOST_BYTES = 120_000


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", [name for name in _NAMES if name not in _WITHOUT])
def test_page_has_a_small_picture_that_the_docs_show(name: str, theme: str) -> None:
    picture = _DOCS / "pictures" / f"{name}-{theme}.png"

    assert picture.is_file(), f"take it: make pictures (page {name})"
    assert picture.stat().st_size <= _MOST_BYTES
    assert f"(pictures/{picture.name})" in (_DOCS / "pages.md").read_text("utf-8")


def test_pages_without_pictures_are_still_pages_and_told() -> None:
    told = (_DOCS / "pages.md").read_text("utf-8")

    assert set(_NAMES) >= _WITHOUT
    assert told.count("| not taken yet | not taken yet |") == len(_WITHOUT)
