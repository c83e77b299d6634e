"""The portal in a real browser, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from edge_agent.config import load_config
from tests.system.browser import WAIT_MS, complaints_of_axe, drag, expect_saved, has_browser, picture
from tests.system.portal_server import PortalServer, jpeg_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_HOSTILE = '<img src=x onerror="window.hacked=1"> ' + "long" * 8

_UNNAMED_BUTTONS = """[...document.querySelectorAll('button')]
    .filter((one) => !(one.ariaLabel || one.textContent.trim())).length"""

_WIDE_PX = 1280

OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, server: PortalServer, complaints: list[str]) -> Iterator[OpenPage]:
    """Give pages whose errors on the console are gathered in `complaints`."""
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def opened(path: str, **options: Any) -> Page:  # noqa: ANN401 - passed on
        context = browser.new_context(base_url=server.url, **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    expect.set_options(timeout=WAIT_MS)
    yield opened
    for context in contexts:
        context.close()


def _labels(server: PortalServer, detector_id: str) -> list[dict[str, Any]]:
    media = server.get(f"/detectors/{detector_id}/media")
    return [server.get(f"/media/{one['id']}/frames/0/labels") for one in media]


def test_new_detector_takes_name_and_files_and_tells_which_file_is_none(
    server: PortalServer, open_page: OpenPage, tmp_path: Path
) -> None:
    (tmp_path / "cup.jpg").write_bytes(jpeg_of(0))
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    page = open_page("/")

    page.get_by_role("button", name="New detector").first.click()
    page.get_by_label("What shall it see?").fill("coffee cup")
    page.locator("dialog input[type=file]").set_input_files([tmp_path / "cup.jpg", tmp_path / "broken.jpg"])
    page.get_by_role("button", name="Make detector").click()
    expect(page.get_by_role("alert")).to_contain_text("broken.jpg")
    page.get_by_role("button", name="Leave out broken.jpg").click()
    page.wait_for_url("**/detectors/det_*")

    expect(page.get_by_role("heading", level=1)).to_have_text("coffee cup")
    made = next(one for one in server.get("/detectors") if one["name"] == "coffee cup")
    assert made["labels"] == ["coffee cup"]
    assert [one["name"] for one in server.get(f"/detectors/{made['id']}/media")] == ["cup.jpg"]


def test_boxes_drawn_by_mouse_and_keys_are_saved_by_themselves(
    server: PortalServer, open_page: OpenPage, complaints: list[str]
) -> None:
    detector_id = server.add_detector("cups", ["cup", "plate"], pictures=3)
    page = open_page(f"/detectors/{detector_id}")
    stage = picture(page)

    drag(page, stage, (0.25, 0.25, 0.5, 0.6))
    expect_saved(page)
    assert [box["label"] for box in _labels(server, detector_id)[0]["boxes"]] == ["cup"]

    page.keyboard.press("2")  # the chosen box becomes a plate
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator(".stage .tag")).to_have_text("plate")
    page.keyboard.press("n")
    picture(page)
    page.keyboard.press("g")
    expect(page.locator(".boxes li")).to_have_count(1)
    page.keyboard.press("n")
    picture(page)
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Nothing here")).to_have_attribute("aria-pressed", "true")
    expect_saved(page)
    page.reload()
    expect(page.get_by_text("3 labelled frames")).to_be_visible()

    first, second, third = _labels(server, detector_id)
    assert [box["label"] for box in first["boxes"]] == ["plate"]
    assert first["boxes"][0]["box"] == pytest.approx([0.255, 0.25, 0.505, 0.6], abs=0.01)
    assert second["boxes"] == first["boxes"]
    assert third["nothing_here"] is True
    assert complaints == []


def test_undo_delete_and_redo_reach_the_server(server: PortalServer, open_page: OpenPage) -> None:
    detector_id = server.add_detector("undone", ["cup"], pictures=1)
    page = open_page(f"/detectors/{detector_id}")
    stage = picture(page)

    drag(page, stage, (0.1, 0.1, 0.3, 0.3))
    drag(page, stage, (0.5, 0.5, 0.8, 0.9))
    page.keyboard.press("Delete")
    expect(page.locator(".boxes li")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator(".boxes li")).to_have_count(2)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.locator(".boxes li")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".boxes li")).to_have_count(1)
    expect_saved(page)

    assert len(_labels(server, detector_id)[0]["boxes"]) == 1


def test_conflict_is_told_and_either_side_can_win(server: PortalServer, open_page: OpenPage) -> None:
    detector_id = server.add_detector("contested", ["cup"], pictures=1)
    media_id = server.get(f"/detectors/{detector_id}/media")[0]["id"]
    page = open_page(f"/detectors/{detector_id}")
    stage = picture(page)
    theirs = {"revision": 0, "boxes": [], "nothing_here": True, "trusted": None}
    server.http.put(f"/media/{media_id}/frames/0/labels", json=theirs).raise_for_status()

    drag(page, stage, (0.1, 0.1, 0.3, 0.3))
    expect(page.get_by_role("alert")).to_contain_text("Somebody else changed this frame")
    assert _labels(server, detector_id)[0]["nothing_here"] is True
    page.get_by_role("button", name="Keep mine").click()
    expect_saved(page)

    assert len(_labels(server, detector_id)[0]["boxes"]) == 1


def test_class_renamed_takes_its_boxes_along(server: PortalServer, open_page: OpenPage) -> None:
    detector_id = server.add_detector("renamed", ["cup"], pictures=1)
    page = open_page(f"/detectors/{detector_id}")
    drag(page, picture(page), (0.1, 0.1, 0.3, 0.3))

    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_label("Name of the class").fill(_HOSTILE.strip())
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.locator(".stage .tag")).to_have_text(_HOSTILE.strip())

    assert _labels(server, detector_id)[0]["boxes"][0]["label"] == _HOSTILE.strip()
    assert page.evaluate("window.hacked") is None


def test_key_sheet_opens_and_closes_by_keys(server: PortalServer, open_page: OpenPage) -> None:
    page = open_page(f"/detectors/{server.add_detector('keys', ['cup'], pictures=1)}")
    picture(page)

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_camera_is_added_with_commands_and_a_config_to_copy(
    server: PortalServer, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("/devices")

    page.get_by_role("button", name="Add a camera").click()
    command = page.locator("dialog pre").nth(1)
    expect(command).to_contain_text(f"elfowl-agent enrol --cloud {server.url} --token ")
    server.add_device("porch")

    expect(page.get_by_text("porch has joined")).to_be_visible()
    (tmp_path / "agent.yaml").write_text(page.locator("dialog pre").nth(2).inner_text())
    config = load_config(tmp_path / "agent.yaml")
    assert (config.device, config.profile) == ("porch", "pi-4")
    assert config.cloud is not None
    assert str(config.cloud.url).rstrip("/") == server.url


def test_event_is_judged_by_key_and_what_was_missed_is_drawn_later(
    server: PortalServer, open_page: OpenPage, complaints: list[str]
) -> None:
    server.add_device("porch")
    detector_id = server.add_detector("watcher", ["person", "dog"])
    server.add_event(1, detector_id)
    page = open_page("/events")
    expect(page.locator(".event")).to_have_count(1)

    page.keyboard.press("j")
    page.keyboard.press("w")
    expect(page.locator(".event .state.bad")).to_have_text("✕ wrong")
    newest = server.add_event(2, detector_id)
    server.http.post("/corrections", json={"verdict": "right", "event_id": newest}).raise_for_status()
    expect(page.locator(".event")).to_have_count(2)  # it came by itself

    page.get_by_role("link", name="person").last.click()
    expect(page.get_by_text("The camera was asked for the clear frame")).to_be_visible()
    page.keyboard.press("m")
    missed = page.get_by_role("region", name="Missed object")
    expect(missed).to_contain_text("draw a box around what was missed")
    said = next(one for one in server.get("/corrections") if one["correction"]["verdict"] == "missed")
    server.add_key_frame(said["correction"]["id"])
    page.reload()
    missed.locator(".stage img").scroll_into_view_if_needed()
    drag(page, missed.locator(".stage"), (0.2, 0.2, 0.6, 0.7))
    missed.get_by_role("button", name="Use this box").click()
    expect(missed).to_contain_text("now an example for the next version")

    drawn = server.get(f"/corrections/{said['correction']['id']}")["correction"]
    assert drawn["box"] == pytest.approx([0.2, 0.2, 0.6, 0.7], abs=0.01)
    assert complaints == []


@pytest.mark.parametrize(
    ("scheme", "width_px"),
    [("light", _WIDE_PX), ("dark", _WIDE_PX), ("light", 640)],  # 640 is what 200 % zoom leaves of 1280
)
def test_no_page_complains_or_overflows(
    server: PortalServer, open_page: OpenPage, complaints: list[str], scheme: str, width_px: int
) -> None:
    name = f"{_HOSTILE}{scheme}{width_px}"
    detector_id = server.add_detector(name, [name], pictures=2)
    event_id = server.add_event(100 + width_px, detector_id)
    detector = f"/detectors/{detector_id}"
    paths = (
        *("/", detector, f"{detector}/versions", f"{detector}/watch", f"{detector}/attributes"),
        f"{detector}/review",
        *("/devices", "/streams", "/wall", "/rollouts", "/events", f"/events/{event_id}"),
        *("/search", "/search?q=person+near+dog", "/analytics", "/alerts", "/settings"),
    )

    problems: list[str] = []
    page = open_page("/", color_scheme=scheme, viewport={"width": width_px, "height": 800})
    for path in paths:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        expect(page.get_by_text("Loading", exact=False)).to_have_count(0)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.evaluate("window.hacked") is None
        assert page.evaluate(_UNNAMED_BUTTONS) == 0, path
        if width_px == _WIDE_PX:
            problems += [f"{path} {one}" for one in complaints_of_axe(page)]

    assert problems == []
    assert complaints == []


def test_page_of_a_detector_that_is_gone_says_so(open_page: OpenPage) -> None:
    page = open_page("/detectors/det_gone")

    expect(page.get_by_role("alert")).to_contain_text("there is no detector 'det_gone'")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
