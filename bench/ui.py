"""`ui`: how long the player takes, how often its boxes lie on the right frame, how smooth a live wall is.

A clip shows the number of each frame in blocks of black and white, and the version that watched it saw a box
whose place tells its frame. While the clip plays, and after jumps, the pixels that the browser shows are read
and compared with the box that the page has drawn. Then sixteen cameras are watched for half a minute
(`bench/showing/wall.py`). Chromium runs without a screen and without a GPU.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, expect

from bench.result import Metric, Result, spread
from bench.showing.wall import SECONDS, add_cameras, measure_wall
from cloud.actions.open_home import open_home
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from tests.system.browser import opened_browser
from tests.system.portal_server import PortalServer
from tests.system.watching import WatchedVideo, add_watched_video, seen_always

FRAMES, FPS = 500, 25
_JUMPS, _PRESSES, _LOADS = 60, 40, 5
_GOAL_KEY_MS, _GOAL_READY_MS, _GOAL_RIGHT = 50.0, 1000.0, 0.99
_WAIT_MS = 120_000
_IDLE = "all of it, browser and server too, got only what others left of the machine (SCHED_IDLE)"

_READY = """() => new Promise((done) => {
  const look = () => {
    const video = document.querySelector('.watchstage video');
    if (document.querySelector('.watchstage .tag') && video.readyState >= 2) done(performance.now());
    else requestAnimationFrame(look);
  };
  look();
})"""

_ASKED = """() => {
  const all = performance.getEntriesByType('resource').filter((one) => one.transferSize > 0);
  return [all.length, all.reduce((sum, one) => sum + one.transferSize, 0)];
}"""

_TOOLS = """() => {
  const video = document.querySelector('.watchstage video');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const draw = canvas.getContext('2d', { willReadFrequently: true });
  const block = 16; // in pixels of the clip, which is shown to the page as it is
  window.pixels = () => {
    draw.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 10; bit += 1) {
      const [grey] = draw.getImageData(block * (bit + 0.5), block / 2, 1, 1).data;
      if (grey > 128) number |= 1 << bit;
    }
    return number;
  };
  window.boxed = (count) => {
    const box = document.querySelector('.watchstage rect');
    return box ? Math.round((Number(box.getAttribute('x')) - 0.1) / 0.6 * count) : null;
  };
  window.watchPlaying = (count) => new Promise((resolve) => {
    const rows = [];
    const took = () => {
      rows.push([pixels(), boxed(count)]);
      if (!video.ended) video.requestVideoFrameCallback(took);
    };
    video.requestVideoFrameCallback(took);
    video.addEventListener('ended', () => resolve(rows), { once: true });
  });
  window.timeKey = () => new Promise((resolve) => {
    let began = 0;
    addEventListener('keydown', () => { began = performance.now(); }, { capture: true, once: true });
    const seen = new MutationObserver(() => {
      seen.disconnect();
      requestAnimationFrame(() => resolve(performance.now() - began));
    });
    const whole = { subtree: true, childList: true, attributes: true, characterData: true };
    seen.observe(document.querySelector('.watchstage'), whole);
  });
}"""


def run(*, quick: bool = False) -> Result:
    """Measure; `quick` with a short clip and few presses."""
    frames = 100 if quick else FRAMES
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        server = PortalServer(Path(folder))
        server.start()
        try:
            home = open_home(Settings(home=server.home), SystemClock())
            video = add_watched_video(
                home, Path(folder), count=frames, fps=FPS, seen=seen_always, size_px=(768, 384)
            )
            add_cameras(home.database)
            metrics = _measured(server, video, quick=quick)
        finally:
            server.stop()
    return _result(metrics, load)


def _is_idle_work() -> bool:
    return os.sched_getscheduler(0) == os.SCHED_IDLE


def _result(metrics: dict[str, Metric], load: float) -> Result:
    ratios: dict[str, Metric] = {
        "right_frames": _number(metrics["right_share_playing"]) / _GOAL_RIGHT,
        "ready": _number(metrics["ready_ms"]) / _GOAL_READY_MS,
        "key": _number(metrics["key_to_box_ms"]) / _GOAL_KEY_MS,
    }
    notes = (
        "first visit: in a browser that has just started, its own parts too; empty cache: in one that runs",
        "playing: at each frame that the browser says it shows, its pixels and the page's box are compared",
        "jumps: after each move of the bar of moments the wish, the pixels and the box are compared",
        "key_to_box: from a key press (one frame back) to the first paint with another box, seeking included",
        "wall: a frame is in time when none of 60 a second was left out before it; long: from 50 ms on",
        "wall, waiting: pictures that came and were not drawn yet; growth: after garbage was collected",
        f"load of the machine when it began: {load:.1f}; it was not alone",
        *(() if not _is_idle_work() else (_IDLE,)),
    )
    return Result("ui", "the goals: 99 % of frames, 1 s, 50 ms", metrics, ratios, notes)


def _number(value: Metric) -> float:
    if isinstance(value, dict):
        value = value["median"]
    if not isinstance(value, int | float):
        message = f"{value!r} is no number"
        raise TypeError(message)
    return float(value)


def _measured(server: PortalServer, video: WatchedVideo, *, quick: bool) -> dict[str, Metric]:
    with opened_browser() as browser:
        page = _page_of(browser, server)
        ready = [_ready_ms(page, video)]
        first = page.evaluate(_ASKED)
        ready += [_ready_ms(page, video) for _ in range(1 if quick else _LOADS - 1)]
        again = page.evaluate(_ASKED)
        empty = [_ready_ms(_page_of(browser, server), video) for _ in range(1 if quick else _LOADS)]
        page.evaluate(_TOOLS)
        playing = _played(page, video)
        jumps = [_jump(page, video, number) for number in range(10 if quick else _JUMPS)]
        keys = [_key_ms(page, "ArrowLeft") for _ in range(10 if quick else _PRESSES)]
        says = [_key_ms(page, key) for key in ("b", "b") * (3 if quick else 10)]
        page.close()
        wall = measure_wall(browser, server, 5 if quick else SECONDS)
        browser_version = browser.version
    return {
        "browser": f"Chromium {browser_version}",
        "frames": video.count,
        "frames_drawn_playing": len(playing),
        "right_share_playing": sum(shown == box for shown, box in playing) / max(1, len(playing)),
        "right_share_jumps": sum(jumps) / len(jumps),
        "jumps": len(jumps),
        "ready_ms": spread(ready),
        "first_visit": {"ready_ms": ready[0], "requests": first[0], "bytes": first[1]},
        "empty_cache_ready_ms": spread(empty),
        "later_visit": {"ready_ms": median(ready[1:]), "requests": again[0], "bytes": again[1]},
        "key_to_box_ms": {**spread(keys), "p95": sorted(keys)[int(0.95 * len(keys))]},
        "key_to_hidden_boxes_ms": median(says),
        **wall,
    }


def _page_of(browser: Browser, server: PortalServer) -> Page:
    """Return a page of a visitor who was never here: nothing is kept from other visits."""
    page = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(_WAIT_MS)
    return page


def _ready_ms(page: Page, video: WatchedVideo) -> float:
    """Return the time from the start of the navigation until a box can be judged."""
    page.goto(f"/detectors/{video.detector_id}/watch?video={video.media_id}&version=1", wait_until="commit")
    return float(page.evaluate(_READY))


def _played(page: Page, video: WatchedVideo) -> list[tuple[int, int | None]]:
    page.evaluate("(count) => { window.rows = watchPlaying(count); }", video.count)
    page.keyboard.press("Space")
    rows: list[tuple[int, int | None]] = page.evaluate("window.rows")
    return rows


def _jump(page: Page, video: WatchedVideo, number: int) -> bool:
    """Jump somewhere and tell whether the pixels, the box and the wish agree."""
    wanted = (number * 197 + 31) % video.count
    page.locator(".videobar input").fill(str(wanted))
    expect(page.locator(".watchstage")).to_have_attribute("data-frame", str(wanted), timeout=_WAIT_MS)
    shown, box = page.evaluate(
        "(count) => new Promise((done) => requestAnimationFrame(() => done([pixels(), boxed(count)])))",
        video.count,
    )
    return bool(shown == wanted == box)


def _key_ms(page: Page, key: str) -> float:
    page.evaluate("() => { window.took = timeKey(); }")
    page.keyboard.press(key)
    took_ms = float(page.evaluate("window.took"))
    page.wait_for_timeout(120)
    return took_ms
