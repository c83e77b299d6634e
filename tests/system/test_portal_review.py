"""The review queue in a real browser: one key an event, the next one comes, all of it can be taken back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.system.browser import WAIT_MS, complaints_of_axe, has_browser
from tests.system.portal_server import PortalServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_PATIENCE_MS = 3 * WAIT_MS


def test_unsure_events_are_gone_through_by_keys_and_taken_back(
    browser: Browser, server: PortalServer, complaints: list[str]
) -> None:
    detector_id = server.add_detector("review", ["person", "dog"])
    ids = [server.add_event(number, detector_id) for number in range(900, 904)]
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"/detectors/{detector_id}/review")
    progress = page.get_by_role("status").filter(has_text="gone through")

    page.get_by_role("button", name="Sure ones too").click()
    expect(progress).to_have_text("0 of 4 gone through", timeout=_PATIENCE_MS)
    assert complaints_of_axe(page) == []
    for key in ("r", "w", "1", "s"):
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="All gone through")).to_be_visible(timeout=_PATIENCE_MS)
    page.keyboard.press("Control+z")  # the skipped one
    page.keyboard.press("Control+z")  # the other class
    expect(progress).to_have_text("2 of 4 gone through", timeout=_PATIENCE_MS)
    expect(page.get_by_text("✓ Saved")).to_be_visible(timeout=_PATIENCE_MS)

    said = [one["correction"] for one in server.get(f"/corrections?detector={detector_id}")]
    assert sorted(one["verdict"] for one in said) == ["right", "wrong"]
    assert {one["event_id"] for one in said} <= set(ids)
    page.reload()
    page.get_by_role("button", name="Sure ones too").click()
    expect(progress).to_have_text("0 of 2 gone through", timeout=_PATIENCE_MS)
    assert complaints == []
    context.close()
