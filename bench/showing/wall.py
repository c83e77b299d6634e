"""The live wall with sixteen cameras: does the page stay smooth, and does nothing pile up?

The cameras are threads of ours that send over the broker, each at the rate that the server asks for; broker,
server, WebSocket and page are the real ones.
"""

from __future__ import annotations

import base64
import io
from itertools import pairwise
from statistics import median
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, CDPSession, Page, expect

from bench.result import Metric
from cloud.store import devices
from cloud.store.database import Database
from cloud.store.tables import Device
from edge_agent.clock import SystemClock
from edge_agent.wire.detection import Detection
from edge_agent.wire.live import LivePicture, LookWanted
from edge_agent.wire.sync import CameraSettings, Reported
from tests.system.portal_server import PortalServer
from tests.system.shown_cameras import ShownCameras

TILES: Final = 16
SECONDS: Final = 30
_DEVICE: Final = "tower"
_PICTURES: Final = 12
_TURN_S: Final = 0.01
_WAIT_MS: Final = 120_000
_CLOCK: Final = SystemClock()

# What the page does is told by the browser itself; of the socket is noted what came, and what was shown.
_NOTES: Final = """() => {
  const notes = { frames: [], long: [], ages: [], waiting: 0, most: 0, came: 0 };
  const head = (data) => {
    const bytes = new Uint8Array(data, 4, new DataView(data).getUint32(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  };
  window.notes = notes;
  const tick = (at) => { notes.frames.push(at); requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  const long = (list) => list.getEntries().forEach((one) => notes.long.push(one.duration));
  new PerformanceObserver(long).observe({ type: 'longtask' });
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.times = new Map();
      this.addEventListener('message', (e) => {
        if (!(e.data instanceof ArrayBuffer)) return;
        const { device, camera, frame_time: time } = head(e.data);
        this.times.set(`${device}/${camera}`, time);
        notes.waiting += 1;
        notes.came += 1;
        notes.most = Math.max(notes.most, notes.waiting);
      });
    }
    send(words) {
      super.send(words);
      const { shown } = JSON.parse(words);
      if (!shown) return;
      notes.waiting -= 1;
      notes.ages.push(Date.now() - 1000 * this.times.get(`${shown.device}/${shown.camera}`));
    }
  };
}"""
_DRAWN: Final = "[...document.querySelectorAll('canvas')].map((one) => Number(one.dataset.pictures ?? 0))"
_FORGET: Final = "Object.assign(notes, { frames: [], long: [], ages: [], most: 0, came: 0 })"


class _Cameras(ShownCameras):
    """Cameras that send as often as they are asked to, not all at once."""

    def __init__(self, port: int) -> None:
        self._pictures = [_picture(seed) for seed in range(_PICTURES)]
        self._due_s: dict[str, float] = {}
        self.asked_fps = 0.0
        super().__init__(port, every_s=_TURN_S)

    def picture(self, device: str, wanted: LookWanted) -> LivePicture | None:
        now_s = _CLOCK.monotonic_s()
        if device != _DEVICE or now_s < self._due_s.get(wanted.camera, 0.0):
            return None
        self.asked_fps = wanted.fps
        self._due_s[wanted.camera] = max(now_s, self._due_s.get(wanted.camera, now_s)) + 1.0 / wanted.fps
        left = 0.1 + 0.05 * (self.sent % 10)
        seen = (Detection(label="person", score=0.9, box=(left, 0.2, left + 0.2, 0.8)),)
        return LivePicture(
            camera=wanted.camera, frame_time=_CLOCK.now_s(), blurred=True, detections=seen,
            jpeg_base64=self._pictures[self.sent % _PICTURES],
        )  # fmt: skip


def _picture(seed: int) -> str:
    """Return a picture with edges and grain, as large as cameras send for a small tile."""
    random = np.random.default_rng(seed)
    rgb = np.repeat(np.repeat(random.integers(0, 255, (27, 48, 3), np.uint8), 10, axis=0), 10, axis=1)
    grain = random.integers(0, 24, rgb.shape, np.uint8)
    picture = Image.fromarray((rgb // 2 + grain).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=80)
    return base64.b64encode(stream.getvalue()).decode()


def add_cameras(database: Database) -> None:
    """Let a device with sixteen cameras have joined."""
    now_s = _CLOCK.now_s()
    cameras = {f"cam{number:02d}": CameraSettings() for number in range(TILES)}
    reported = Reported(
        device=_DEVICE, desired_version=0, agent_version="0.1.0", profile="pi-4", cameras=cameras
    )
    with database.write() as session:
        device = Device(
            name=_DEVICE, public_key_pem="none", profile="pi-4", arch="aarch64", agent_version="0.1.0",
            state="enrolled", enrolled=now_s, online=True, last_seen=now_s,
        )  # fmt: skip
        devices.enrol(session, device)
        devices.put_reported(session, reported, now_s=now_s)


def measure_wall(browser: Browser, server: PortalServer, seconds: int) -> dict[str, Metric]:
    """Watch sixteen tiles for some seconds."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1920, "height": 1600})
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    page.add_init_script(f"({_NOTES})()")
    cameras = _Cameras(server.broker_port)
    try:
        page.goto("/wall")
        expect(page.locator("canvas[data-pictures]")).to_have_count(TILES, timeout=_WAIT_MS)
        devtools = context.new_cdp_session(page)
        # Seconds of processor, not of the clock: these a busy machine does not change much.
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        return _watched(page, devtools, server, cameras, seconds)
    finally:
        cameras.close()
        context.close()


def _watched(
    page: Page, devtools: CDPSession, server: PortalServer, cameras: _Cameras, seconds: int
) -> dict[str, Metric]:
    before, resident, drawn = _browser_now(devtools), server.resident_bytes(), page.evaluate(_DRAWN)
    page.evaluate(_FORGET)
    page.wait_for_timeout(1000.0 * seconds)
    notes: dict[str, Any] = page.evaluate("notes")
    drawn = [after - first for first, after in zip(drawn, page.evaluate(_DRAWN), strict=True)]
    after = _browser_now(devtools)
    busy_ms = 1000.0 * (after["TaskDuration"] - before["TaskDuration"])
    took_s = (notes["frames"][-1] - notes["frames"][0]) / 1000.0
    return {
        "wall_tiles": len(drawn),
        "wall_seconds": took_s,
        "wall_asked_pictures_a_second": cameras.asked_fps,
        "wall_drawn_pictures_a_second": sum(drawn) / len(drawn) / took_s,
        "wall_drawn_pictures_a_second_least": min(drawn) / took_s,
        **frame_figures(notes["frames"]),
        "wall_long_tasks_a_minute": 60.0 * len(notes["long"]) / took_s,
        "wall_longest_task_ms": max(notes["long"], default=0.0),
        "wall_main_thread_ms_a_picture": busy_ms / sum(drawn),
        "wall_waiting_most": notes["most"],
        **age_figures(notes["ages"]),
        "wall_heap_growth_bytes": round(after["JSHeapUsedSize"] - before["JSHeapUsedSize"]),
        "wall_nodes_growth": round(after["Nodes"] - before["Nodes"]),
        "wall_server_growth_bytes": server.resident_bytes() - resident,
    }


def _browser_now(devtools: CDPSession) -> dict[str, float]:
    """Return the browser's own figures, after it threw away what nobody needs."""
    devtools.send("HeapProfiler.collectGarbage")
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}


def frame_figures(times_ms: list[float]) -> dict[str, Metric]:
    """Return how evenly a page was painted, by the times at which it was asked for a frame."""
    gaps = sorted(later - earlier for earlier, later in pairwise(times_ms))
    usual_ms = median(gaps)
    return {
        "wall_frame_ms": usual_ms,
        "wall_frame_p95_ms": gaps[int(0.95 * len(gaps))],
        # A frame is in time when none was left out before it.
        "wall_frames_in_time_share": sum(gap < 1.5 * 1000.0 / 60.0 for gap in gaps) / len(gaps),
    }


def age_figures(ages_ms: list[float]) -> dict[str, Metric]:
    """Return how old pictures were when they were drawn, in the first third and in the last one."""
    third = max(1, len(ages_ms) // 3)
    return {"wall_age_ms_first": median(ages_ms[:third]), "wall_age_ms_last": median(ages_ms[-third:])}
