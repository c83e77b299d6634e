"""Filling between two drawn frames of a video, in a real browser: dotted first, labels only once taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cloud.actions.open_home import open_home
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from tests.system.browser import WAIT_MS, expect_saved, has_browser
from tests.system.portal_server import PortalServer
from tests.system.watching import add_watched_video

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_PATIENCE_MS = 3 * WAIT_MS


def test_frames_between_two_drawn_ones_get_dotted_boxes_that_become_labels_once_taken(
    browser: Browser, server: PortalServer, tmp_path: Path, complaints: list[str]
) -> None:
    video = add_watched_video(open_home(Settings(home=server.home), SystemClock()), tmp_path, count=40)
    path = f"/media/{video.media_id}/frames"
    for frame, left in ((10, 0.1), (20, 0.5)):
        box = {"label": "person", "box": [left, 0.2, left + 0.2, 0.8]}
        body = {"revision": 0, "boxes": [box], "nothing_here": False, "trusted": None}
        server.http.put(f"{path}/{frame}/labels", json=body).raise_for_status()
    # Every wait is as patient: the machine may be busy.
    expect.set_options(timeout=_PATIENCE_MS)
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"/detectors/{video.detector_id}")
    field = page.get_by_role("spinbutton", name="Frame")

    def go(frame: int) -> None:
        field.fill(str(frame))
        field.press("Enter")
        field.blur()

    go(20)
    expect(page.locator(".stage .tag")).to_have_text("person", timeout=_PATIENCE_MS)
    page.keyboard.press("i")
    expect(page.get_by_text("The frames between 10 and 20 show dotted boxes now")).to_be_visible()
    go(15)
    expect(page.locator(".stage .tag.proposal")).to_have_text("↔ person", timeout=_PATIENCE_MS)
    assert server.get(f"{path}/15/labels")["boxes"] == []
    page.keyboard.press("t")
    expect(page.locator(".stage .tag.proposal")).to_have_count(0, timeout=_PATIENCE_MS)
    expect_saved(page)

    (taken,) = server.get(f"{path}/15/labels")["boxes"]
    assert taken["label"] == "person"
    assert taken["box"] == pytest.approx([0.3, 0.2, 0.5, 0.8])
    assert server.get(f"{path}/14/labels")["boxes"] == []
    assert complaints == []
    context.close()
