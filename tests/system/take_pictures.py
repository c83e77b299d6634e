"""Takes a picture of every page of the portal, dark and light, for the docs: `make pictures`."""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import tempfile
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from cloud.portal import pages
from edge_agent.report.snapshots import encode_jpeg, shrink
from edge_agent.wire.detection import Detection
from edge_agent.wire.live import LivePicture, LookWanted
from tests.system.browser import opened_browser
from tests.system.pictured_home import CAMERAS, CLOCK, PicturedHome, Scene, obtain_footage, scenes
from tests.system.portal_server import PortalServer
from tests.system.shown_cameras import ShownCameras

Theme = Literal["dark", "light"]

THEMES: Final[tuple[Theme, ...]] = ("dark", "light")
FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
_ACCOUNT: Final = {"name": "Anna", "password": "correct horse battery"}
MOST_BYTES: Final = 120_000
_COLOURS: Final = (128, 96, 64, 48, 32)
_WIDTH_PX, _HEIGHT_PX = 1280, 800
_PATIENCE_MS: Final = 400_000.0
_SETTLE_MS: Final = 1000.0
_LOOKS: Final = 60
_PICTURES_CAME: Final = """[...document.images].every((one) => one.complete && one.naturalWidth
    || one.getBoundingClientRect().top > innerHeight)"""
_LATE: Final = ("streams", "watch", "versions")
_BEFORE_LOGIN: Final = ("setup", "login")
_WITH_FEW: Final = {*_BEFORE_LOGIN, "review", "streams"}
"""Pages that need no camera and no bundle: alone they are taken sooner."""
_READY: Final = {
    "detector": ".stage img", "watch": ".watchstage", "wall": "canvas[data-pictures]",
    "search": ".moment img", "event": "main img", "events": "main img", "attributes": ".crop img",
    "review": ".review img", "analytics": ".heat svg rect", "alerts": "li.card", "devices": "li.card",
    "streams": ".state.good",
}  # fmt: skip
"""What is there once a page shows what it has; the others say `Loading` until then."""


def page_names() -> list[str]:
    """Return the names of all pages, in the order of `cloud/portal/pages.py`."""
    return [str(getattr(route, "name", "")) for route in pages.router.routes]


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="what `elfowl-cloud demo` left; it is copied, not changed")
    parser.add_argument("--only", nargs="*", default=page_names(), help="names of pages")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        take_all(Path(folder), asked.home, set(asked.only))


def take_all(folder: Path, home: Path | None, names: set[str]) -> None:
    """Serve a copy of a home with content, and take the pages that are named."""
    server = PortalServer(folder, accounts="on")
    if home is not None:
        shutil.copytree(home, server.home)
    clip = obtain_footage(folder / "footage")
    try:
        server.start()
        with opened_browser() as browser:
            before = [name for name in _BEFORE_LOGIN if name in names]
            take(browser, server, {"setup": "/setup"} if "setup" in before else {})
            token = log_in(server)
            take(browser, server, {"login": "/login"} if "login" in before else {})
            filled = PicturedHome(server, token, clip)
            filled.fill() if names - _WITH_FEW else filled.fill_few()
            cameras = Cameras(server.broker_port, scenes(clip, 12))
            try:
                take(browser, server, _addresses(filled, names), filled)
            finally:
                cameras.close()
    finally:
        server.stop()


def log_in(server: PortalServer) -> str:
    """Make the first account; return a token for programs."""
    me = server.http.post("/setup", json=_ACCOUNT).raise_for_status().json()
    server.http.headers["X-Elfowl-Csrf"] = me["csrf"]
    made = server.http.post("/me/tokens", json={"name": "backup script", "role": "owner", "days": 90})
    return str(made.raise_for_status().json()["token"])


def _addresses(home: PicturedHome, names: set[str]) -> dict[str, str]:
    """Return where the pages with content are; those whose jobs take long come last."""
    label = home.detector["labels"][0]
    special = {
        "event": f"/events/{home.event_id}", "bundle": f"/bundles/{home.bundle_id}",
        "search": f"/search?q={label}+in+zone+door", "detector": home.path,
        **{name: f"{home.path}/{name}" for name in ("attributes", "watch", "versions", "review")},
        "home": "/",
    }  # fmt: skip
    ordered = sorted((name for name in page_names() if name in names), key=lambda name: name in _LATE)
    return {name: special.get(name, f"/{name}") for name in ordered if name not in _BEFORE_LOGIN}


def take(
    browser: Browser, server: PortalServer, addresses: dict[str, str], home: PicturedHome | None = None
) -> None:
    """Take pages in both themes; as somebody who is logged in, when there is a filled home."""
    contexts = [_context(browser, server, theme, logged_in=home is not None) for theme in THEMES]
    for name, address in addresses.items():
        if home is not None and name in _LATE:
            home.add_streams() if name == "streams" else home.wait_for_jobs()
        for theme, context in zip(THEMES, contexts, strict=True):
            page = context.new_page()
            page.goto(address)
            _settle(page, name)
            if name == "detector" and home is not None:
                _show_labels(page, home.labelled_frame)
            if name == "streams":
                page.get_by_text("When it was not watched").first.click()
                page.get_by_role("columnheader", name="Not watched").wait_for()
            if name == "rollouts":
                page.get_by_role("button", name="Show the cameras").click()
                page.get_by_role("button", name="Hide the cameras").wait_for()
                _settle(page, name)
            write_small(page.screenshot(), FOLDER / f"{name}-{theme}.png")
            page.close()
    for context in contexts:
        context.close()


def _context(browser: Browser, server: PortalServer, theme: Theme, *, logged_in: bool) -> BrowserContext:
    context = browser.new_context(
        base_url=server.url, color_scheme=theme, viewport={"width": _WIDTH_PX, "height": _HEIGHT_PX},
        device_scale_factor=1, reduced_motion="reduce", timezone_id="UTC", locale="en-GB",
    )  # fmt: skip
    context.set_default_timeout(_PATIENCE_MS)
    if logged_in:
        context.request.post("/api/v1/login", data=_ACCOUNT)
    return context


def _settle(page: Page, name: str) -> None:
    """Wait until a page shows what it has, and its pictures are there."""
    if name in _READY:
        page.locator(_READY[name]).first.wait_for()
    expect(page.get_by_text("Loading", exact=False)).to_have_count(0, timeout=_PATIENCE_MS)
    if name == "watch":
        page.keyboard.press("n")
    for _ in range(_LOOKS):
        page.wait_for_timeout(_SETTLE_MS)
        if page.evaluate(_PICTURES_CAME):
            return


def _show_labels(page: Page, frame: int) -> None:
    """Go to a frame that somebody labelled."""
    field = page.get_by_role("spinbutton", name="Frame")
    field.fill(str(frame))
    field.press("Enter")
    page.locator(".stage .tag").first.wait_for()
    field.blur()
    # The boxes come before the picture.
    page.wait_for_timeout(2 * _SETTLE_MS)
    _settle(page, "detector")


def write_small(png: bytes, path: Path) -> None:
    """Write a picture in few colours, which pages do well with; in fewer when it is still large."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return


class Cameras(ShownCameras):
    """Sends frames of the clip, with the boxes that people drew on them, while somebody looks."""

    def __init__(self, port: int, shown: list[Scene]) -> None:
        self._shown = shown
        super().__init__(port, every_s=0.5)

    def picture(self, device: str, wanted: LookWanted) -> LivePicture | None:
        if device not in CAMERAS or device == "barn":
            return None
        number = self.turn + 4 * list(CAMERAS).index(device)
        rgb, image = self._shown[number // 8 % len(self._shown)]
        seen = tuple(Detection(label=box.label, score=0.9, box=box.box_xyxy_norm) for box in image.boxes)
        jpeg = base64.b64encode(encode_jpeg(shrink(rgb, wanted.max_px), 80)).decode()
        return LivePicture(
            camera=wanted.camera, frame_time=CLOCK.now_s(), blurred=False, detections=seen, jpeg_base64=jpeg
        )


if __name__ == "__main__":
    main()
