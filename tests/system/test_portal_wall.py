"""The live wall in a real browser: a real camera while it is on the screen, and many tiles at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from cloud.demo.stack import CameraPlan
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.settings import Settings
from edge_agent.report.snapshots import encode_jpeg
from edge_agent.wire.detection import Detection
from edge_agent.wire.live import LivePicture, LookWanted
from tests.system.browser import WAIT_MS, has_browser, opened_browser
from tests.system.loop import CLOCK, Ear, StarterStack, wait_until
from tests.system.mosquitto import free_port
from tests.system.shown_cameras import ShownCameras

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="needs Chromium"),
]

_LOOK = "elfowl/porch/up/look"
_TILES = 16


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StarterStack]:
    home = tmp_path_factory.mktemp("wall")
    settings = Settings(home=home, port=free_port(), broker_port=free_port())
    clip = obtain_clip(
        find_sample_task("persons"),
        cache_dir=settings.cache_path / "footage",
        runner=SystemCommandRunner(),
        report=lambda _line: None,
    )
    stack = StarterStack(settings, CLOCK)
    try:
        stack.start_server_side()
        token = httpx.post(f"{stack.url}/api/v1/enrolment-tokens").raise_for_status().json()["token"]
        token_file = home / "token"
        token_file.write_text(token)
        stack.start_camera(CameraPlan("porch", "x86-64", clip, token_file))
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as browser:
        yield browser


def drawn(page: Page, index: int = 0) -> int:
    return int(page.locator("canvas").nth(index).get_attribute("data-pictures") or 0)


def draw_zone(page: Page, name: str) -> None:
    """Draw a zone of four corners, the last click closes it, and give it a name."""
    page.keyboard.press("z")
    layer = page.locator(".zones")
    layer.scroll_into_view_if_needed()
    area = layer.bounding_box()
    assert area is not None
    for x, y in ((0.2, 0.3), (0.7, 0.3), (0.7, 0.8), (0.2, 0.8), (0.2, 0.3)):
        page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])
    field = page.get_by_label("Name of the zone")
    expect(field).to_have_value("zone")
    field.fill(name)
    field.press("Tab")


def zones_of(reported: dict[str, Any]) -> list[tuple[str, int]]:
    rules = reported["cameras"]["yard"].get("rules") or {}
    return [(zone["name"], len(zone["corners"])) for zone in rules.get("zones", ())]


def test_wall_shows_a_camera_in_step_while_it_is_on_the_screen(stack: StarterStack, browser: Browser) -> None:
    ear = Ear(stack.broker_port)
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        has_joined = f"{stack.url}/api/v1/devices/porch"
        wait_until(
            lambda: "yard" in ((httpx.get(has_joined).json().get("reported") or {}).get("cameras") or {}),
            90.0,
        )
        assert not [one for one in ear.heard if one.topic == _LOOK], "nobody looked yet"
        page.goto(f"{stack.url}/wall")
        wait_until(lambda: page.locator("canvas").count() == 1 and drawn(page) > 5, 60.0)
        expect(page.locator(".tile")).to_contain_text("blurred")
        page.get_by_role("link", name="yard on porch").click()
        wait_until(lambda: drawn(page) > 5, 60.0)
        draw_zone(page, "Einfahrt")
        rules = f"{stack.url}/api/v1/devices/porch"
        wait_until(
            lambda: zones_of(httpx.get(rules).json()["reported"]) == [("Einfahrt", 4)],
            60.0,
            lambda: (httpx.get(rules).json(), page.locator(".tile").inner_text()),
        )
        assert complaints == []
        page.close()
        sent = len([one for one in ear.heard if one.topic == _LOOK])
        assert sent > 10

        def came_lately() -> int:
            before = len([one for one in ear.heard if one.topic == _LOOK])
            CLOCK.sleep(3.0)
            return len([one for one in ear.heard if one.topic == _LOOK]) - before

        # The camera stops by itself, at the latest when the last wish is over.
        wait_until(lambda: came_lately() == 0, 60.0)
    finally:
        ear.close()


def test_wall_mjpeg_of_a_camera_is_a_stream_of_pictures(stack: StarterStack) -> None:
    address = f"{stack.url}/api/v1/devices/porch/cameras/yard/live.mjpeg"
    with httpx.stream("GET", address, timeout=60.0) as answer:
        assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
        text = b""
        for part in answer.iter_bytes():
            text += part
            if text.count(b"Content-Type: image/jpeg") >= 3:
                break
    assert text.count(b"\xff\xd8") >= 2
    assert httpx.get(address.replace("porch", "nobody")).status_code == httpx.codes.NOT_FOUND


class ManyCameras(ShownCameras):
    """Devices whose cameras all send the same picture."""

    def __init__(self, port: int) -> None:
        rng = np.random.default_rng(1)
        rgb = np.repeat(np.repeat(rng.integers(0, 255, (27, 48, 3), np.uint8), 10, axis=0), 10, axis=1)
        self._jpeg = base64.b64encode(encode_jpeg(rgb, 80)).decode()
        super().__init__(port, every_s=1.0 / 3.0)

    def picture(self, device: str, wanted: LookWanted) -> LivePicture | None:
        if device != "tower":
            return None
        seen = (Detection(label="person", score=0.9, box=(0.2, 0.2, 0.5, 0.8)),)
        return LivePicture(
            camera=wanted.camera,
            frame_time=CLOCK.now_s(),
            blurred=True,
            detections=seen,
            jpeg_base64=self._jpeg,
        )


def test_wall_draws_sixteen_tiles_as_quickly_as_they_come(stack: StarterStack, browser: Browser) -> None:
    tower = {"name": "tower", "state": "enrolled", "online": True, "last_seen": 1.0}
    tower["reported"] = {"cameras": {f"cam{number:02d}": {} for number in range(_TILES)}}
    page = browser.new_page(viewport={"width": 1600, "height": 2400})
    page.route(
        "**/api/v1/devices",
        lambda route: route.fulfill(body=json.dumps([tower]), content_type="application/json"),
    )
    cameras = ManyCameras(stack.broker_port)
    try:
        page.goto(f"{stack.url}/wall")
        expect(page.locator("canvas")).to_have_count(_TILES, timeout=WAIT_MS)
        wait_until(lambda: all(drawn(page, number) > 0 for number in range(_TILES)), 60.0)
        before = [drawn(page, number) for number in range(_TILES)]
        sent = cameras.sent
        wait_until(lambda: cameras.sent >= sent + 10 * _TILES, 60.0)
        after = [drawn(page, number) for number in range(_TILES)]
        assert min(b - a for a, b in zip(before, after, strict=True)) >= 3, (
            "no tile is forgotten for the others"
        )
    finally:
        cameras.close()
        page.close()
