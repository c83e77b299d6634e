"""The player in a real browser, on a real server: every key, the basket, two versions, how good they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from cloud.actions.detectors import version_path
from cloud.actions.open_home import open_home
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from tests.system.browser import drag, has_browser
from tests.system.portal_server import PortalServer
from tests.system.watching import DOG_FRAMES, PERSON_FRAMES, UNSURE_FRAMES, WatchedVideo, add_watched_video

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_WAIT_MS = 60_000
_AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
_TINY = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.fixture(scope="module")
def video(server: PortalServer, tmp_path_factory: pytest.TempPathFactory) -> WatchedVideo:
    home = open_home(Settings(home=server.home), SystemClock())
    return add_watched_video(home, tmp_path_factory.mktemp("clip"))


@pytest.fixture
def page(browser: Browser, server: PortalServer, complaints: list[str]) -> Iterator[Page]:
    """Give a page whose errors on the console are gathered in `complaints`."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(_WAIT_MS)
    expect.set_options(timeout=_WAIT_MS)
    page = context.new_page()
    page.on("console", lambda one: complaints.append(one.text) if one.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()


def open_player(page: Page, video: WatchedVideo, more: str = "") -> Locator:
    page.goto(f"/detectors/{video.detector_id}/watch?video={video.media_id}&version=1{more}")
    stage = page.locator(".watchstage")
    stage.wait_for()
    # Before its own thresholds are known, other events would be found.
    expect(page.get_by_text("from 60 % · recommended")).to_have_count(2)
    expect(stage.locator("video")).to_have_js_property("readyState", 4)
    return stage


def at(stage: Locator, frame: int) -> None:
    expect(stage).to_have_attribute("data-frame", str(frame))


def said(server: PortalServer, video: WatchedVideo) -> list[tuple[str, str, int]]:
    rows = server.get(f"/corrections?detector={video.detector_id}")
    found = [row["correction"] for row in rows]
    return sorted((one["verdict"], one["label"], one["frame_index"]) for one in found)


def expect_kept(page: Page) -> None:
    expect(page.get_by_text("✓ Saved")).to_be_visible()


def complaints_of_axe(page: Page) -> list[str]:
    page.evaluate(_AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run(document).then((all) => all.violations)")
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]


def test_keys_reach_every_frame_and_event(page: Page, video: WatchedVideo, complaints: list[str]) -> None:
    stage = open_player(page, video)
    at(stage, 0)
    walk = [
        ("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10), ("Shift+ArrowLeft", 0), ("l", 50),
        ("j", 0), ("n", PERSON_FRAMES.start), ("n", DOG_FRAMES.start), ("p", PERSON_FRAMES.start),
        ("u", UNSURE_FRAMES.start),
    ]  # fmt: skip
    for key, frame in walk:
        page.keyboard.press(key)
        at(stage, frame)
    page.keyboard.press("p")
    at(stage, PERSON_FRAMES.start)
    tag = stage.locator(".tag")
    expect(tag).to_have_text("person 90 %")
    page.keyboard.press("b")
    expect(tag).to_have_count(0)
    page.keyboard.press("b")
    expect(tag).to_have_count(1)

    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="▶ Play")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Draw something that was missed")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert complaints == []


def test_keys_say_what_is_right_wrong_missed_and_take_it_back(
    page: Page, server: PortalServer, video: WatchedVideo, complaints: list[str]
) -> None:
    stage = open_player(page, video, f"&frame={PERSON_FRAMES.start}")
    at(stage, PERSON_FRAMES.start)
    page.keyboard.press("r")
    expect(stage.locator(".tag")).to_have_text("✓ person 90 %")
    stage.focus()
    page.keyboard.press("Tab")
    expect(stage.locator("rect.chosen")).to_have_count(1)
    page.keyboard.press("w")
    expect(stage.locator(".tag")).to_have_text("✕ not person 90 %")
    page.keyboard.press("2")
    expect(stage.locator(".tag")).to_have_text("↔ dog 90 %")
    expect_kept(page)
    assert said(server, video) == [("other_class", "dog", 20)]
    page.keyboard.press("Delete")
    expect(stage.locator(".tag")).to_have_text("person 90 %")
    page.keyboard.press("Control+z")
    expect(stage.locator(".tag")).to_have_text("↔ dog 90 %")
    page.keyboard.press("Control+Shift+z")
    expect(stage.locator(".tag")).to_have_text("person 90 %")
    expect_kept(page)
    assert said(server, video) == []

    page.keyboard.press("n")
    at(stage, DOG_FRAMES.start)
    page.keyboard.press("d")
    page.keyboard.press("1")
    drag(page, stage.locator(".stage"), (0.05, 0.4, 0.15, 0.6))
    expect(stage.locator("rect.chosen")).to_have_count(1)
    page.keyboard.press("Alt+ArrowRight")
    page.keyboard.press("Alt+Shift+ArrowDown")
    expect_kept(page)
    drawn = server.get(f"/corrections?detector={video.detector_id}")[0]["correction"]
    assert (drawn["verdict"], drawn["label"], drawn["source"]) == ("missed", "person", "player")
    assert drawn["box"] == pytest.approx([0.055, 0.4, 0.155, 0.605], abs=0.01)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    at(stage, DOG_FRAMES.start + 1)
    page.keyboard.press("g")
    expect_kept(page)
    assert [one[2] for one in said(server, video)] == [DOG_FRAMES.start, DOG_FRAMES.start + 1]

    page.get_by_role("button", name="Retrain").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was changed.")).to_be_visible()
    jobs = server.get(f"/detectors/{video.detector_id}/jobs")
    assert [(job["kind"], job["state"]) for job in jobs] == [("train", "cancelled")]
    assert complaints == []


def test_two_versions_are_told_apart_and_the_address_leads_to_the_moment(
    page: Page, video: WatchedVideo, complaints: list[str]
) -> None:
    stage = open_player(page, video, f"&with=2&frame={PERSON_FRAMES.start + 5}")
    at(stage, PERSON_FRAMES.start + 5)
    expect(stage.locator("rect.proposal")).to_have_count(1)
    differ = page.get_by_role("region", name="Where they differ")
    differ.get_by_role("button", name="1 dog only in v1").click()
    at(stage, DOG_FRAMES.start)
    expect(page).to_have_url(re.compile(f"frame={DOG_FRAMES.start}$"))
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert complaints_of_axe(page) == []
    assert complaints == []


def report_of(version: int) -> dict[str, Any]:
    """Return a report as the server keeps it, of one class on ten frames."""
    points = [(0.9, 1.0, 0.4), (0.6, 0.8, 0.8), (0.3, 0.5, 1.0)]
    curve = [{"threshold": t, "precision": p, "recall": r, "f1": 2 * p * r / (p + r)} for t, p, r in points]
    per_class = {
        "ap50": 0.8,
        "ap": 0.5,
        "truth": 10,
        "sizes": {},
        "in_use": curve[1],
        "best": curve[2],
        "curve": curve,
    }
    mistake = {
        "kind": "missed",
        "frame": "a.jpg",
        "label": "person",
        "box": [0, 0, 1, 1],
        "score": None,
        "picture": _TINY,
    }
    figure = {"value": 0.8, "low": 0.7, "high": 0.9}
    return {
        "schema": 1, "detector": {"id": "x", "name": "x", "version": version}, "created": 1.0,
        "source": "test", "images": 10, "objects": 10, "ap50": figure, "ap": figure,
        "per_class": {"person": per_class},
        "confusion": {"classes": ["person"], "counts": [[8, 2], [2, 0]]}, "alarms": [], "mistakes": [mistake],
        "mistake_counts": {"missed": 1}, "warnings": [],
    }  # fmt: skip


def test_versions_are_judged_used_and_given_another_threshold(
    page: Page, server: PortalServer, video: WatchedVideo, complaints: list[str]
) -> None:
    folder = version_path(Settings(home=server.home), video.detector_id, 2)
    report = report_of(2)
    compared = {"words": "version 2 is better", "images": 10, "fixed": report["mistakes"], "broken": []}
    for name, document in (("report", report), ("against-v1", compared)):
        (folder / f"{name}.json").write_text(json.dumps(document))
        (folder / f"{name}.html").write_text("<p>page</p>")
    page.goto(f"/detectors/{video.detector_id}/versions?version=2")
    expect(page.get_by_role("heading", name="How good version 2 is")).to_be_visible()
    expect(page.get_by_role("img", name="person, missed")).to_have_count(2)
    slider = page.get_by_label("Threshold of person")
    slider.fill("0.9")
    expect(page.locator("dd", has_text="of what is there is found")).to_contain_text("40 %")
    page.get_by_role("button", name="Recommended: 30 %").click()
    expect(page.locator("dd", has_text="in 100 test frames")).to_contain_text("100.0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("✓ This is what it uses")).to_be_visible()
    path = f"/detectors/{video.detector_id}/versions/2/thresholds"
    assert server.get(path)["thresholds"] == {"person": 0.3, "dog": 0.6}

    page.get_by_role("button", name="Go back to this version").click()
    expect(page.get_by_role("button", name="Use this version")).to_be_visible()
    assert server.get(f"/detectors/{video.detector_id}")["in_use"] == 1
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert complaints_of_axe(page) == []
    assert complaints == []
