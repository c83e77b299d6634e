"""From an empty portal to a detector of one's own on a camera: what a person does, in eight clicks.

A real browser, server, broker, training, compression and agent. Only clicks on buttons and links of fixed
places count; drawing and typing are the person's own work, and take what they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from cloud.demo.stack import CameraPlan
from cloud.settings import Settings
from edge_agent.wire.base import XyxyNorm
from tests.system.browser import drag, expect_saved, has_browser, opened_browser, picture
from tests.system.loop import CLOCK, StarterStack, wait_until
from tests.system.mosquitto import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not has_browser(), reason="needs Chromium"),
]

CLICKS = 8
_WIDTH_PX, _HEIGHT_PX, _FRAMES, _FPS = 320, 240, 80, 10
_SIDE_PX = 64
_PATIENCE_MS = 600_000.0
_TAUGHT_FRAMES = 4


def left_px(index: int) -> int:
    """Return where the red square of a frame begins: it walks to the right and comes again."""
    return 16 + 3 * index % (_WIDTH_PX - _SIDE_PX - 32)


def box_of(index: int) -> XyxyNorm:
    left, top = left_px(index), 96
    return (
        left / _WIDTH_PX,
        top / _HEIGHT_PX,
        (left + _SIDE_PX) / _WIDTH_PX,
        (top + _SIDE_PX) / _HEIGHT_PX,
    )


def write_clip(path: Path) -> None:
    """Film a red square before a wall of bricks."""
    rng = np.random.default_rng(3)
    wall = np.repeat(np.repeat(rng.integers(70, 130, (15, 20, 3), np.uint8), 16, axis=0), 16, axis=1)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = _WIDTH_PX, _HEIGHT_PX, "yuv420p"
        stream.time_base = Fraction(1, _FPS)
        for index in range(_FRAMES):
            rgb = wall.copy()
            rgb[96 : 96 + _SIDE_PX, left_px(index) : left_px(index) + _SIDE_PX] = (220, 30, 30)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        file.mux(stream.encode())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "yard.mp4"
    write_clip(path)
    return path


@pytest.fixture
def stack(tmp_path: Path, clip: Path) -> Iterator[StarterStack]:
    settings = Settings(home=tmp_path / "home", port=free_port(), broker_port=free_port())
    stack = StarterStack(settings, CLOCK)
    try:
        stack.start_server_side()
        token = httpx.post(f"{stack.url}/api/v1/enrolment-tokens", timeout=30.0).json()["token"]
        (tmp_path / "token").write_text(token)
        stack.start_camera(CameraPlan("porch", "x86-64", clip, tmp_path / "token"))
        wait_until(lambda: bool(httpx.get(f"{stack.url}/api/v1/devices", timeout=30.0).json()), 120.0)
        yield stack
    finally:
        stack.stop()


class Clicks:
    """Clicks for a person, and counts."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(self, what: Locator, words: str) -> None:
        expect(what).to_be_enabled(timeout=_PATIENCE_MS)
        what.click()
        self.done.append(words)


def draw_what_is_there(page: Page) -> None:
    """Draw the box of the frame that is shown, by the number that the page says it has."""
    stage = picture(page)
    said = stage.locator("img").get_attribute("alt") or ""
    index = re.search(r"Frame (\d+) ", said)
    assert index is not None, said
    drag(page, stage, box_of(int(index[1])))
    expect_saved(page)


def test_detector_of_ones_own_runs_on_a_camera_after_eight_clicks(stack: StarterStack, clip: Path) -> None:
    click = Clicks()
    with opened_browser() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(stack.url)
        click(page.get_by_role("button", name="New detector").first, "New detector")
        page.locator("dialog input[type=file]").first.set_input_files(clip)
        page.get_by_label("What shall it see?").fill("red square")
        page.keyboard.press("Enter")
        page.wait_for_url("**/detectors/*", timeout=_PATIENCE_MS)
        expect(page.locator(".stage:not(.still)")).to_be_visible(timeout=_PATIENCE_MS)
        for number in range(_TAUGHT_FRAMES):
            if number:
                page.keyboard.press("n")
                expect(page.locator(".stage .tag:not(.proposal)")).to_have_count(0)
            draw_what_is_there(page)

        click(page.get_by_role("button", name="Train", exact=True), "Train")
        click(page.get_by_role("link", name="Watch a video with it"), "Watch")
        expect(page.locator("#events-title + * button").first).to_be_visible(timeout=_PATIENCE_MS)
        page.keyboard.press("n")
        expect(page.locator(".watchstage .tag").first).to_be_visible()
        page.keyboard.press("r")
        click(page.get_by_role("button", name="Retrain"), "Retrain")
        use = page.get_by_role("button", name="Use this version")
        in_use = page.get_by_text("is trained and in use")
        expect(use.or_(in_use).first).to_be_visible(timeout=_PATIENCE_MS)
        if use.is_visible():
            click(use, "Use this version")
            expect(in_use).to_be_visible()
        click(page.get_by_role("link", name="Shrink and send"), "Shrink and send")
        click(page.get_by_role("button", name="Shrink", exact=True), "Shrink")
        click(page.get_by_role("button", name="Sign and send"), "Sign and send")
        expect(page.get_by_text("runs red square v2")).to_be_visible(timeout=_PATIENCE_MS)
    assert len(click.done) <= CLICKS, click.done
    installed = httpx.get(f"{stack.url}/api/v1/devices/porch", timeout=30.0).json()["reported"]["installed"]
    assert (installed["detector_name"], installed["detector_version"]) == ("red square", 2)
