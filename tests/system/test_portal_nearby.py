"""A camera of the network in a real browser: a device finds it, and watches it after one password."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.fakes.onvif_device import OnvifDevice, Profile
from tests.fakes.rtsp_server import RtspServer
from tests.system.browser import WAIT_MS, complaints_of_axe, has_browser
from tests.system.portal_server import PortalServer

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(not has_browser(), reason="chromium is not installed"),
]

LOGIN = ("adm in", "p@ss/wörd:#1")
_AGENT = str(Path(sys.executable).with_name("elfowl-agent"))


@pytest.fixture
def street() -> Iterator[OnvifDevice]:
    """Give a camera that is asked for its password, by ONVIF and by RTSP."""
    with RtspServer(width_px=320, height_px=240, login=LOGIN, digest=True) as stream:
        url = f"rtsp://192.0.2.99:{stream.port}/live"
        with OnvifDevice([Profile("main", url, 2560, 1440), Profile("sub", url)], LOGIN) as camera:
            yield camera


@pytest.fixture
def agent(server: PortalServer, street: OnvifDevice, tmp_path: Path) -> Iterator[Path]:
    """Run a device without a camera; return its state folder."""
    token = server.http.post("/enrolment-tokens").raise_for_status().json()["token"]
    config = {
        "device": "attic", "profile": "x86-64", "bundle": "starter", "state_dir": str(tmp_path / "state"),
        "cloud": {"url": server.url, "enrol_token": token, "poll_s": 5},
        "nearby": {"probe": [street.place]},
    }  # fmt: skip
    file = tmp_path / "agent.yaml"
    file.write_text(yaml.safe_dump(config))
    with (tmp_path / "agent.log").open("wb") as log:
        process = subprocess.Popen([_AGENT, "run", "--config", str(file)], stdout=log, stderr=log)
    yield tmp_path / "state"
    process.terminate()
    assert process.wait(60) == 0, (tmp_path / "agent.log").read_text()[-3000:]


def test_camera_that_a_device_finds_is_added_with_its_password_typed_once(
    server: PortalServer, agent: Path, browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.goto("/devices")

    page.get_by_role("button", name="Find cameras around attic").click()
    dialog = page.get_by_role("dialog", name="Cameras around attic")
    expect(dialog.get_by_text("“Front door”")).to_be_visible()
    assert complaints_of_axe(page) == []
    dialog.get_by_role("button", name="Add this one").click()
    expect(dialog.get_by_label("Call it")).to_have_value("front-door")
    page.get_by_label("User of the camera").fill(LOGIN[0])
    page.get_by_label("Its password").fill("guess")
    page.get_by_role("button", name="Add it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not accept this user and password")
    dialog.get_by_label("Its password").fill(LOGIN[1])
    dialog.get_by_role("button", name="Add it").click()
    expect(dialog.get_by_text("front-door was added")).to_be_visible()
    expect(dialog.get_by_text("added as front-door")).to_be_visible()
    dialog.get_by_role("link", name="Live").click()

    expect(page.locator("canvas[data-pictures]")).to_be_visible()
    assert (agent / "cameras.yaml").stat().st_mode & 0o777 == 0o600
    # The password is nowhere but on the device: not on the wire, not in the database, in no log.
    kept = [one for one in server.home.rglob("*") if one.is_file() and one.stat().st_size < 50_000_000]
    secret = LOGIN[1].encode()
    assert [str(one) for one in kept if secret in one.read_bytes()] == []
    assert not any(LOGIN[1] in body for body in sent)
    assert secret not in (tmp_path / "agent.log").read_bytes()
    context.close()
