"""A large file onto the page in a real browser: cut, paused, the page loaded again, gone on, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.system.browser import complaints_of_axe, has_browser
from tests.system.portal_server import PortalServer, jpeg_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_WAIT_MS = 60_000
_PARTS = "**/api/v1/uploads/*"


@pytest.fixture
def page(browser: Browser, server: PortalServer) -> Iterator[Page]:
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(_WAIT_MS)
    expect.set_options(timeout=_WAIT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Return a picture of 40 MB: what is behind its end is no part of it."""
    path = tmp_path / "holiday.jpg"
    path.write_bytes(jpeg_of(3) + bytes(40_000_000))
    return path


def cut_after(page: Page, parts: int) -> list[int]:
    """Cut the line after some parts; returns where the parts are counted."""
    sent: list[int] = []

    def pass_or_cut(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        sent.append(1)
        if len(sent) <= parts:
            route.continue_()
        else:
            route.abort()

    page.route(_PARTS, pass_or_cut)
    return sent


def test_large_file_goes_on_after_a_cut_a_pause_and_another_load_of_the_page(
    server: PortalServer, page: Page, large: Path
) -> None:
    detector_id = server.add_detector("holidays", ["sea"])
    cut_after(page, 2)
    page.goto(f"/detectors/{detector_id}")
    page.locator("input[type=file]").first.set_input_files(large)
    expect(page.get_by_text("the line is cut at 40 %; trying again")).to_be_visible()
    page.get_by_role("button", name="Pause holiday.jpg").click()
    expect(page.get_by_text("paused at 40 %")).to_be_visible()
    assert complaints_of_axe(page) == []

    page.unroute(_PARTS)
    page.reload()
    note = page.get_by_role("list", name="Unfinished uploads")
    expect(note).to_contain_text("holiday.jpg: 40 % of 40.0 MB came before the upload was cut")
    assert complaints_of_axe(page) == []
    again = cut_after(page, 99)
    note.locator("input[type=file]").set_input_files(large)
    expect(page.get_by_role("img", name="Frame 0 of holiday.jpg")).to_be_visible()
    expect(note).to_be_hidden()
    assert len(again) == 4, "three parts were missing, and the few bytes behind them"
    (medium,) = server.get(f"/detectors/{detector_id}/media")
    assert (medium["name"], medium["state"]) == ("holiday.jpg", "ready")


def test_large_file_that_is_cancelled_is_nowhere_any_more(
    server: PortalServer, page: Page, large: Path
) -> None:
    detector_id = server.add_detector("cancelled", ["sea"])
    cut_after(page, 1)
    page.goto(f"/detectors/{detector_id}")
    page.locator("input[type=file]").first.set_input_files(large)
    expect(page.get_by_text("the line is cut at 20 %")).to_be_visible()
    page.get_by_role("button", name="Cancel holiday.jpg").click()
    expect(page.get_by_role("list", name="Uploads", exact=True)).to_be_hidden()
    expect(page.get_by_role("list", name="Unfinished uploads")).to_be_hidden()
    assert server.get(f"/detectors/{detector_id}/uploads") == []
