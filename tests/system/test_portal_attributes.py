"""Attributes in a real browser, on a real server: made, sorted by mouse and keys, learned, changed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from edge_agent.wire.base import XyxyNorm
from tests.system.browser import WAIT_MS, has_browser
from tests.system.portal_server import PortalServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_HOSTILE = '<img src=x onerror="window.hacked=1"> ' + "long" * 8
_LEARN_MS = 90_000
_UNNAMED = """[...document.querySelectorAll('button, input, select')]
    .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length)).length"""


@pytest.fixture
def page(browser: Browser, server: PortalServer, complaints: list[str]) -> Iterator[Page]:
    """Give a page whose errors on the console are gathered in `complaints`."""
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    page = context.new_page()
    page.on("console", lambda one: complaints.append(one.text) if one.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()


def shelf_of_cans(seed: int) -> tuple[bytes, list[XyxyNorm]]:
    """Return a picture of four cans, striped and dotted by turns, and where they are."""
    random = np.random.default_rng(seed)
    rgb = random.integers(90, 130, (160, 400, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:80, :60] % 20 - 10
    boxes: list[XyxyNorm] = []
    for number in range(4):
        left, top = 20 + 95 * number, int(random.integers(20, 60))
        can = rgb[top : top + 80, left : left + 60]
        can[:] = random.integers(180, 230, 3)
        can[(columns < 0) if number % 2 == 0 else (rows**2 + columns**2 < 40)] = (160, 30, 30)
        boxes.append((left / 400, top / 160, (left + 60) / 400, (top + 80) / 160))
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG")
    return stream.getvalue(), boxes


def add_cans(server: PortalServer, name: str, label: str = "can", pictures: int = 2) -> str:
    """Return the id of a detector with drawn cans."""
    detector_id = server.add_detector(name, [label])
    for seed in range(pictures):
        data, boxes = shelf_of_cans(seed)
        files = {"file": (f"shelf-{seed}.png", data)}
        media_id = server.http.post(f"/detectors/{detector_id}/media", files=files).json()["id"]
        body = {"revision": 0, "boxes": [{"label": label, "box": box} for box in boxes]}
        server.http.put(f"/media/{media_id}/frames/0/labels", json=body).raise_for_status()
    return detector_id


def counts(server: PortalServer, detector_id: str) -> list[tuple[str, int]]:
    (attribute,) = server.get(f"/detectors/{detector_id}/attributes")["attributes"]
    return [(one["name"], one["examples"]) for one in attribute["values"]]


def add_pattern(server: PortalServer, detector_id: str, **more: Any) -> None:  # noqa: ANN401 - JSON
    body = {"name": "pattern", "labels": ["can"], "values": ["striped", "dotted"], **more}
    server.http.post(f"/detectors/{detector_id}/attributes", json=body).raise_for_status()


def test_attribute_is_made_sorted_by_mouse_and_keys_and_learned(
    server: PortalServer, page: Page, complaints: list[str]
) -> None:
    detector_id = add_cans(server, "cans")
    page.goto(f"/detectors/{detector_id}")
    page.get_by_role("link", name="Add an attribute").click()
    page.get_by_role("button", name="New attribute").click()
    page.get_by_label("What is told about them?").fill("pattern")
    page.get_by_label("Value 1").fill("striped")
    page.get_by_label("Value 2").fill("dotted")
    page.get_by_role("button", name="Make attribute").click()
    unsorted = page.get_by_role("region", name="Not sorted yet").locator(".crop")
    expect(unsorted).to_have_count(8)
    for crop in unsorted.locator("img").all():
        expect(crop).to_have_js_property("complete", value=True)
        expect(crop).not_to_have_js_property("naturalWidth", 0)
    learn = page.get_by_role("button", name="Learn", exact=True)
    expect(learn).to_be_disabled()

    unsorted.first.click()  # striped: the value that is chosen
    expect(page.get_by_text("1 of at least 3, better 10")).to_be_visible()
    expect(unsorted).to_have_count(7)
    expect(unsorted.first).to_be_focused()
    for key in ("2", "1", "2", "1", "2"):
        page.keyboard.press(key)
    expect(unsorted).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(unsorted.nth(1)).to_be_focused()
    page.keyboard.press("1")  # it is dotted: a mistake
    expect(unsorted).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(unsorted).to_have_count(2)
    expect(page.get_by_text("3 examples, better 10")).to_have_count(2)

    learn.click()
    expect(page.get_by_text("Each of the 6 examples was left out in turn")).to_be_visible(timeout=_LEARN_MS)
    expect(page.get_by_text("these figures say little")).to_be_visible()
    (learned,) = server.get(f"/detectors/{detector_id}/attributes")["attributes"]
    assert (learned["quality"]["examples"], learned["is_current"]) == (6, True)
    assert learned["quality"]["right"] == 1.0
    page.get_by_role("button", name="Take back example 1 of dotted").click()
    expect(page.get_by_text("The examples changed since it was learned")).to_be_visible()
    assert counts(server, detector_id) == [("striped", 3), ("dotted", 2)]
    assert complaints == []


def test_crop_put_while_the_list_is_on_its_way_does_not_come_back(server: PortalServer, page: Page) -> None:
    detector_id = add_cans(server, "slow", pictures=1)
    add_pattern(server, detector_id)
    page.goto(f"/detectors/{detector_id}/attributes")
    unsorted = page.get_by_role("region", name="Not sorted yet").locator(".crop")
    expect(unsorted).to_have_count(4)
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/unsorted*", lambda route: held.append((route, route.fetch())), times=1)

    page.keyboard.press("1")
    expect(unsorted).to_have_count(3)
    with page.expect_request("**/unsorted*"):
        page.keyboard.press("Control+z")  # asks for the list anew
    page.keyboard.press("2")
    expect(unsorted).to_have_count(2)
    while not held:  # the test's own time limit ends this
        page.wait_for_timeout(50)
    route, response = held[0]
    assert response.json()["total"] == 4
    route.fulfill(response=response)
    expect(unsorted).to_have_count(3)
    assert counts(server, detector_id) == [("striped", 0), ("dotted", 1)]


def test_crop_that_could_not_be_put_comes_back_with_the_reason(server: PortalServer, page: Page) -> None:
    detector_id = add_cans(server, "failing", pictures=1)
    add_pattern(server, detector_id)
    page.goto(f"/detectors/{detector_id}/attributes")
    unsorted = page.get_by_role("region", name="Not sorted yet").locator(".crop")
    expect(unsorted).to_have_count(4)
    page.route(
        "**/examples", lambda route: route.abort() if route.request.method == "POST" else route.continue_()
    )

    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    expect(unsorted).to_have_count(4)
    page.unroute("**/examples")
    page.keyboard.press("1")
    expect(unsorted).to_have_count(3)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_people_are_told_apart_only_with_a_name_that_allows_it(
    server: PortalServer, page: Page, complaints: list[str]
) -> None:
    detector_id = add_cans(server, "walkers", "person", pictures=1)
    page.goto(f"/detectors/{detector_id}/attributes")
    page.get_by_role("button", name="New attribute").click()
    page.get_by_label("What is told about them?").fill("who")
    page.get_by_label("Value 1").fill("Ann")
    page.get_by_label("Value 2").fill("Bob")
    make = page.get_by_role("button", name="Make attribute")
    make.click()  # the browser asks for the tick first
    expect(page.get_by_text("personal data in most laws")).to_be_visible()
    assert server.get(f"/detectors/{detector_id}/attributes")["attributes"] == []

    page.get_by_label("The law and those people allow it").check()
    page.get_by_label("Name of who allows it").fill("Ada Lovelace")
    make.click()
    expect(page.get_by_text("Ada Lovelace allowed that people are told apart here.")).to_be_visible()
    assert complaints == []


def test_values_are_renamed_and_left_out_and_the_attribute_removed(server: PortalServer, page: Page) -> None:
    detector_id = add_cans(server, "renamed", pictures=1)
    add_pattern(server, detector_id, values=["striped", "dotted", "plain"])
    page.goto(f"/detectors/{detector_id}/attributes")
    page.get_by_role("region", name="Not sorted yet").locator(".crop").first.click()
    expect(page.get_by_text("1 of at least 3, better 10")).to_be_visible()

    page.get_by_role("button", name="Change or remove it").click()
    page.get_by_label("Value 1", exact=True).fill("lined")
    page.get_by_role("button", name="Leave out value 3, plain").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Examples of lined")).to_be_visible()
    assert counts(server, detector_id) == [("lined", 1), ("dotted", 0)]

    page.get_by_role("button", name="Change or remove it").click()
    page.get_by_role("button", name="Remove this attribute").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("button", name="New attribute")).to_be_visible()
    assert server.get(f"/detectors/{detector_id}/attributes")["attributes"] == []


@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1280), ("dark", 640)])
def test_page_of_hostile_names_neither_complains_nor_overflows(
    server: PortalServer, browser: Browser, scheme: Literal["light", "dark"], width_px: int
) -> None:
    detector_id = add_cans(server, f"{_HOSTILE}{scheme}", _HOSTILE.strip(), pictures=1)
    names = {"labels": [_HOSTILE.strip()], "values": [f"{_HOSTILE}{number}" for number in range(2)]}
    add_pattern(server, detector_id, name=_HOSTILE, **names)
    context = browser.new_context(
        base_url=server.url, color_scheme=scheme, viewport={"width": width_px, "height": 800}
    )
    page = context.new_page()
    page.goto(f"/detectors/{detector_id}/attributes")
    expect(page.locator(".crop")).to_have_count(4)
    for name in (None, "Change or remove it", "+ Attribute"):
        if name is not None:
            page.get_by_role("button", name=name).click()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert page.evaluate(_UNNAMED) == 0, name
        assert page.evaluate("window.hacked") is None
        if name == "Change or remove it":
            page.get_by_role("button", name="Cancel").click()
    context.close()


def test_page_of_a_detector_that_is_gone_says_so(page: Page) -> None:
    page.goto("/detectors/det_gone/attributes")
    expect(page.get_by_role("alert")).to_contain_text("there is no detector 'det_gone'")
