"""Every page of the portal is in docs/pages.md, with its pictures; `make pictures` takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.portal import pages

_DOCS = Path(__file__).parents[3] / "docs"
_NAMES = [str(getattr(route, "name", "")) for route in pages.router.routes]
_MOST_BYTES = 120_000


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", _NAMES)
def test_page_has_a_small_picture_that_the_docs_show(name: str, theme: str) -> None:
    picture = _DOCS / "pictures" / f"{name}-{theme}.png"

    assert picture.is_file(), f"take it: make pictures (page {name})"
    assert picture.stat().st_size <= _MOST_BYTES
    assert f"(pictures/{picture.name})" in (_DOCS / "pages.md").read_text("utf-8")
