"""A real browser, and what a person does in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from edge_agent.wire.base import XyxyNorm

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 60_000
_AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"


def has_browser() -> bool:
    """Return whether there is a browser to try pages in."""
    return shutil.which("chromium") is not None


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """Open the browser, and close it at the end."""
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


def complaints_of_axe(page: Page) -> list[str]:
    """Return what axe-core finds that shuts people out, with the elements."""
    page.evaluate(_AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run(document).then((all) => all.violations)")
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}" for one in found]


def drag(page: Page, stage: Locator, box: XyxyNorm) -> None:
    """Draw a box on the picture with the mouse."""
    area = stage.bounding_box()
    assert area is not None
    left, top = area["x"], area["y"]
    width, height = area["width"], area["height"]
    page.mouse.move(left + box[0] * width, top + box[1] * height)
    page.mouse.down()
    page.mouse.move(left + box[2] * width, top + box[3] * height, steps=4)
    page.mouse.up()


def picture(page: Page) -> Locator:
    """Wait until the picture is shown and its labels are known, so that boxes can be drawn."""
    stage = page.locator(".stage:not(.still)")
    stage.wait_for()
    expect(stage.locator("img")).to_have_js_property("complete", value=True)
    return stage


def expect_saved(page: Page) -> None:
    """Wait until the page says that the labels are saved."""
    expect(page.get_by_text("✓ Saved")).to_be_visible()
