"""Search, Analytics and Alerts in a real browser, on a real server."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from cloud.ingest.batches import store_batch
from cloud.store.database import open_database
from edge_agent.clock import SystemClock
from edge_agent.wire.event import Zones
from edge_agent.wire.sync import BatchItem, EventBatch
from tests.cloud.notify.receiver import receiving
from tests.fakes.events import make_event
from tests.system.browser import WAIT_MS, has_browser
from tests.system.portal_server import PortalServer, jpeg_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

_HOSTILE = '<img src=x onerror="window.hacked=1"> ' + "long" * 8
_UNNAMED = """[...document.querySelectorAll('button, input, select, a')]
    .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length
        || one.querySelector('img[alt]:not([alt=""])'))).length"""


@pytest.fixture(scope="module", autouse=True)
def seen(server: PortalServer) -> None:
    """Store ten visits: a person, and five seconds later a dog."""
    now_s = SystemClock().now_s()
    items = []
    for number in range(20):
        start_s = now_s - 7200 + 600 * (number // 2) + 5 * (number % 2)
        times = {"start_time": start_s, "frame_time": start_s + 3, "end_time": start_s + 3}
        zones = Zones(entered=("door",) if number % 4 < 2 else ())
        event = make_event(number, event_type="end", label="dog" if number % 2 else "person")
        event = event.model_copy(update={**times, "zones": zones})
        thumbnail = base64.b64encode(jpeg_of(number)).decode()
        items.append(BatchItem(seq=number + 1, event=event, thumbnail_jpeg_base64=thumbnail))
    with open_database(server.home / "elfowl.sqlite").write() as session:
        store_batch(session, EventBatch(device="porch", epoch="epoch-1", items=tuple(items)), now_s=now_s)


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


def test_text_and_chips_edit_one_search_and_its_moments_lead_to_events(
    page: Page, complaints: list[str]
) -> None:
    page.goto("/search")
    page.get_by_label("Search", exact=True).fill("person")
    page.keyboard.press("Enter")
    moments = page.locator(".moment")
    expect(moments).to_have_count(10)

    page.get_by_label("Together with another thing").select_option("near")
    expect(page.get_by_label("Search", exact=True)).to_have_value("person near dog")
    expect(page.get_by_text("None found")).to_be_visible()
    page.get_by_role("link", name="within 5s", exact=True).click()
    expect(moments).to_have_count(10)
    expect(page).to_have_url(re.compile(r"q=person\+near\+dog\+within\+5s"))
    expect(page.get_by_label("Time between them")).to_have_value("5")

    page.get_by_role("group", name="First thing").get_by_label("Zone").select_option("door")
    expect(moments).to_have_count(5)
    page.go_back()
    expect(moments).to_have_count(10)
    expect(moments.first.locator("img").first).not_to_have_js_property("naturalWidth", 0)
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(moments.first).to_have_attribute("aria-current", "true")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events/event-000019")
    assert complaints == []


def test_mistake_is_told_at_its_place_and_what_comes_nearest_is_offered(page: Page) -> None:
    page.goto("/search?q=person+naer+dog")
    expect(page.get_by_role("alert")).to_contain_text("at character 8")
    expect(page.locator(".mistake mark")).to_have_text("naer")
    page.get_by_role("button", name="Go there").click()
    page.keyboard.type("near")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_text("None found")).to_be_visible()
    page.goto("/search?q=cat")
    page.get_by_role("link", name="dog", exact=True).click()
    expect(page.locator(".moment")).to_have_count(10)


def test_search_is_saved_and_an_alert_by_it_is_made_tested_changed_and_removed(
    server: PortalServer, page: Page, complaints: list[str]
) -> None:
    page.goto("/search?q=person+near+dog+within+5s")
    page.get_by_label("Name for this search").fill("visit")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Watch new footage").click()
    page.get_by_label("Name", exact=True).fill("visits")
    with receiving() as receiver:
        page.get_by_label("Address 1").fill("syslog://")
        page.get_by_role("button", name="Make alert").click()
        expect(page.get_by_role("alert")).to_contain_text("its kind is not allowed here")
        page.get_by_label("Address 1").fill(receiver.address)
        page.get_by_role("button", name="Make alert").click()
        card = page.get_by_role("listitem", name="visits")
        expect(card).to_contain_text("in a moment of the search “visit”")
        card.get_by_role("button", name="Send test").click()
        expect(card).to_contain_text("Test message to webhook arrived")
        assert receiver.take(60)["title"] == "visits: test"

        card.get_by_role("button", name="Change").click()
        page.get_by_label("Quiet hours").fill("22:00-06:00")
        page.get_by_role("button", name="Save").click()
        expect(card).to_contain_text("not during 22:00-06:00")
        (alert,) = server.get("/alerts")
        assert (alert["rule"]["quiet"], alert["rule"]["channels"]) == (["22:00-06:00"], ["json://…"])
        page.goto("/search")
        expect(page.get_by_role("link", name="watched by visits")).to_be_visible()
        page.goto("/alerts")
        card.get_by_role("button", name="Remove").click()
        card.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_text("No alerts yet")).to_be_visible()
    assert server.get("/alerts") == []
    # The browser itself notes the answer to the address that was refused.
    assert [one for one in complaints if "422" not in one] == []


def test_figures_follow_the_filter_and_come_as_files(page: Page, complaints: list[str]) -> None:
    page.goto("/analytics")
    expect(page.locator(".plot canvas")).to_be_visible()
    expect(page.get_by_role("region", name="Events by camera")).to_contain_text("front on porch")
    stays = page.get_by_role("region", name="How long they stayed")
    expect(stays.get_by_role("row")).to_have_count(3)
    expect(page.locator(".heat svg rect").first).to_be_visible()
    page.get_by_label("Class").select_option("dog")
    expect(stays.get_by_role("row")).to_have_count(2)
    expect(page).to_have_url(re.compile("label=dog"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.path().read_text().count("dog") == 10
    assert complaints == []


@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1280), ("dark", 640)])
def test_pages_of_hostile_names_neither_complain_nor_overflow(
    server: PortalServer, browser: Browser, scheme: Literal["light", "dark"], width_px: int
) -> None:
    name = f"{_HOSTILE}{scheme}"
    server.http.post("/searches", json={"name": name, "query": "person"}).raise_for_status()
    rule = {"name": name, "labels": [_HOSTILE], "zones": [_HOSTILE], "channels": ["json://127.0.0.1/"]}
    server.http.post("/alerts", json=rule).raise_for_status()
    context = browser.new_context(
        base_url=server.url, color_scheme=scheme, viewport={"width": width_px, "height": 800}
    )
    page = context.new_page()
    for path, there in (("/search?q=person", ".moment"), ("/analytics", ".heat"), ("/alerts", "li.card")):
        page.goto(path)
        page.locator(there).first.wait_for(timeout=WAIT_MS)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.evaluate(_UNNAMED) == 0, path
        assert page.evaluate("window.hacked") is None
    context.close()
