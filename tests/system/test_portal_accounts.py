"""First start, login, roles and API tokens in a real browser, on a real server with accounts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.browser import WAIT_MS, has_browser
from tests.system.portal_server import PortalServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

PASSWORD = "correct horse battery"
_HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    server = PortalServer(tmp_path_factory.mktemp("accounts"), accounts="on")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def page(browser: Browser, server: PortalServer) -> Iterator[Page]:
    expect.set_options(timeout=WAIT_MS)
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def _log_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_first_start_people_tokens_and_roles_from_an_empty_server(server: PortalServer, page: Page) -> None:
    # The first start: any page leads to it.
    page.goto("/events")
    page.wait_for_url("**/setup")
    page.get_by_label("Name").fill("Anna")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_label("Password, once more").fill("something else")
    expect(page.get_by_text("not the same yet")).to_be_visible()
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.wait_for_url(f"{server.url}/")
    expect(page.locator("#who")).to_contain_text("Anna")

    # A page of a session may change things; a script without a token may not.
    page.get_by_role("button", name="New detector").first.click()
    page.get_by_label("What shall it see?").fill("cup")
    page.get_by_role("button", name="Make detector").click()
    page.wait_for_url("**/detectors/det_*")
    assert server.http.get("/detectors").status_code == httpx.codes.UNAUTHORIZED

    # People and tokens, on the page Settings.
    page.goto("/settings")
    people = page.get_by_role("region", name="People")
    people.get_by_label("Name", exact=True).fill("Vera")
    people.get_by_label("First password").fill(PASSWORD)
    people.get_by_role("button", name="Add", exact=True).click()
    expect(people.get_by_role("row", name="Vera")).to_be_visible()
    tokens = page.get_by_role("region", name="My API tokens")
    tokens.get_by_label("What is it for?").fill(_HOSTILE)
    tokens.get_by_role("button", name="Make a token").click()
    expect(tokens.get_by_text("shown only once")).to_be_visible()
    token = tokens.locator(".command pre").inner_text()
    expect(tokens.get_by_role("cell", name=_HOSTILE, exact=True)).to_be_visible()
    headers = {"Authorization": f"Bearer {token}"}
    assert server.http.get("/detectors", headers=headers).json()[0]["name"] == "cup"
    tokens.get_by_role("button", name=f"Revoke {_HOSTILE}").click()
    expect(tokens.get_by_text("No token yet.")).to_be_visible()
    assert server.http.get("/detectors", headers=headers).status_code == httpx.codes.UNAUTHORIZED

    # A viewer comes back to the page that she asked for, looks, and is told why she may not change things.
    page.locator("#who").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto("/devices")
    page.wait_for_url("**/login?next=/devices")
    _log_in(page, "vera")
    page.wait_for_url(f"{server.url}/devices")
    page.get_by_role("button", name="Add a camera").click()
    expect(page.get_by_role("alert")).to_contain_text("'Vera' is a viewer; this needs a role of manager")
    page.goto("/settings")
    expect(page.get_by_text("pictures blurred")).to_be_visible()
    expect(page.get_by_role("region", name="People")).to_have_count(0)
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url("**/login")


def test_wrong_password_is_told_in_words_and_says_not_which_of_both(page: Page) -> None:
    page.goto("/login")
    _log_in(page, "nobody")
    expect(page.get_by_role("alert")).to_contain_text("name or password are wrong")
