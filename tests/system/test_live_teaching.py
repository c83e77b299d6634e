"""Teaching while somebody draws: real server, real teaching worker, real browser."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from cloud.datasets.frames import LabelledFrame
from tests.cloud.training.scenes import draw_scene
from tests.system.browser import WAIT_MS, drag, expect_saved, has_browser, opened_browser, picture
from tests.system.loop import wait_until
from tests.system.portal_server import PortalServer

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

# An update takes seconds; on a busy machine that has to load torch first, minutes.
_PATIENCE_S = 400.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    server = PortalServer(tmp_path_factory.mktemp("live"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def scenes(tmp_path: Path) -> list[LabelledFrame]:
    return [draw_scene(tmp_path, number) for number in range(4)]


def add_detector(server: PortalServer, name: str, scenes: list[LabelledFrame]) -> tuple[str, list[str]]:
    detector_id = server.add_detector(name, ["red"])
    media_ids = []
    for scene in scenes:
        files = {"file": (scene.source.name, scene.source.path.read_bytes())}
        made = server.http.post(f"/detectors/{detector_id}/media", files=files).raise_for_status().json()
        media_ids.append(made["id"])
    return detector_id, media_ids


def label(server: PortalServer, media_id: str, scene: LabelledFrame) -> None:
    boxes = [{"label": box.label, "box": box.box_xyxy_norm} for box in scene.boxes]
    said = {"revision": 0, "boxes": boxes}
    server.http.put(f"/media/{media_id}/frames/0/labels", json=said).raise_for_status()


class Watched:
    """Live teaching of one detector, as the API tells it."""

    def __init__(self, server: PortalServer, detector_id: str) -> None:
        self._server = server
        self._path = f"/detectors/{detector_id}/teaching"

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._server.get(self._path)
        return state

    def wait_for_frames(self, frames: int, *, after: float = 0.0) -> dict[str, Any]:
        """Wait until a detector learned later than `after` knows so many frames."""

        def is_there() -> bool:
            state = self.state
            assert state["stage"] != "failed", state
            return bool(state["stage"] == "ready" and state["frames"] == frames and state["learned"] > after)

        wait_until(is_there, _PATIENCE_S, lambda: self.state)
        return self.state


def worker_id(server: PortalServer) -> int | None:
    found: int | None = server.get("/health")["teaching"]["process_id"]
    return found


def test_killed_worker_comes_back_and_goes_on_with_what_was_labelled(
    server: PortalServer, scenes: list[LabelledFrame]
) -> None:
    detector_id, media_ids = add_detector(server, "killed", scenes)
    for media_id, scene in zip(media_ids[:2], scenes[:2], strict=True):
        label(server, media_id, scene)
    server.http.post(f"/detectors/{detector_id}/teaching").raise_for_status()
    watched = Watched(server, detector_id)
    first = watched.wait_for_frames(2)
    before = worker_id(server)
    assert before is not None

    os.kill(before, signal.SIGKILL)
    wait_until(lambda: worker_id(server) not in {None, before}, _PATIENCE_S, lambda: watched.state)
    again = watched.wait_for_frames(2, after=first["learned"])
    label(server, media_ids[2], scenes[2])
    watched.wait_for_frames(3, after=again["learned"])

    answer = server.http.get(f"/media/{media_ids[3]}/frames/0/live")
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["frames"] == 3
    known = {point["frames"] for point in first["curve"]}
    assert known <= {point["frames"] for point in watched.state["curve"]}, "the curve outlives the worker"


@pytest.mark.skipif(not has_browser(), reason="chromium is not installed")
def test_boxes_drawn_are_learned_and_what_is_seen_elsewhere_can_be_taken(
    server: PortalServer, scenes: list[LabelledFrame]
) -> None:
    detector_id, media_ids = add_detector(server, "drawn", scenes)
    watched = Watched(server, detector_id)
    with opened_browser() as browser:
        page = browser.new_context(base_url=server.url).new_page()
        page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        page.goto(f"/detectors/{detector_id}")
        for scene in scenes[:3]:
            stage = picture(page)
            for box in scene.boxes:
                drag(page, stage, box.box_xyxy_norm)
            expect_saved(page)
            page.keyboard.press("n")
        watched.wait_for_frames(3)
        expect(page.locator(".live")).to_contain_text("Learned from 3 frames")
        expect(page.locator(".stage rect.proposal").first).to_be_attached()
        page.keyboard.press("t")
        expect(page.locator(".boxes li").first).to_be_attached()
        expect_saved(page)
        watched.wait_for_frames(4)

    taken = server.get(f"/media/{media_ids[3]}/frames/0/labels")["boxes"]
    assert {box["label"] for box in taken} == {"red"}
