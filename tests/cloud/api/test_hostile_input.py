"""What a stranger could send: refused with a clear message, or kept as the text that it is."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from cloud.datasets.playback import make_playback
from cloud.datasets.video import VideoFacts, probe
from cloud.errors import InputError
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.datasets.footage import write_video
from tests.cloud.homes import add_detector, jpeg

MARKUP = '<svg onload="alert(1)"><script>alert(2)</script>'


@pytest.fixture(scope="module")
def open_cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """Return one cloud for all tests of this file: each adds a detector of its own."""
    return make_cloud(tmp_path_factory.mktemp("hostile"))


def _png_bomb(side_px: int) -> bytes:
    """Return a PNG whose black pixels are all there, packed to some thousandth of their size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side_px // 8 + 1) * side_px), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_picture_that_is_small_packed_and_huge_unpacked_is_refused(open_cloud: Cloud) -> None:
    bomb = _png_bomb(10_000)
    assert len(bomb) < 100_000
    path = f"/api/v1/detectors/{add_detector(open_cloud.home, 'bomb')}/media"
    answer = open_cloud.client.post(path, files={"file": ("bomb.png", bomb)})
    assert answer.status_code == 422
    assert "bomb.png" in answer.json()["detail"]
    assert [file for file in open_cloud.home.settings.media_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize(
    ("box", "offset_bytes", "value"),
    [
        (b"stsz", 12, 0x7FFFFFFF),  # two thousand million frames
        (b"stts", 8, 0),  # a table of times without rows
        (b"avc1", 28, 0xFFFFFFFF),  # 65535 x 65535 pixels
        (b"stco", 8, 0x7FFFFFF0),  # pictures far behind the end of the file
        (b"moov", -4, 0x7FFFFFFF),  # a box larger than the file
    ],
    ids=["count", "times", "size", "place", "length"],
)
def test_video_whose_header_lies_is_refused_or_counted_by_what_is_there(
    tmp_path: Path, box: bytes, offset_bytes: int, value: int
) -> None:
    path = write_video(tmp_path / "clip.mp4", 12)
    data = bytearray(path.read_bytes())
    at = data.index(box) + offset_bytes
    data[at : at + 4] = struct.pack(">I", value)
    path.write_bytes(data)
    facts, refusal = _probed(path)
    if facts is None:
        assert "clip.mp4" in refusal
        assert "\n" not in refusal
    else:
        assert facts.frames <= 12
        assert (facts.width_px, facts.height_px) == (192, 96)


def _probed(path: Path) -> tuple[VideoFacts | None, str]:
    try:
        return probe(path), ""
    except InputError as error:
        return None, str(error)


@pytest.mark.parametrize("name", ["../../evil.jpg", "..\\..\\evil.jpg", "/etc/evil.jpg", f"{MARKUP}.jpg"])
def test_name_of_a_file_leads_nowhere_and_is_kept_as_text(open_cloud: Cloud, name: str) -> None:
    detector_id = add_detector(open_cloud.home, f"names {name[:8]}")
    picture = jpeg(grey=len(name))
    answer = open_cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files={"file": (name, picture)})
    assert answer.status_code == 201
    folder = open_cloud.home.settings.media_path / detector_id
    assert [file.parent for file in folder.rglob("*") if file.is_file()] == [folder]
    assert not list(open_cloud.home.settings.home.parent.glob("evil*"))


@pytest.mark.parametrize(
    "path",
    [
        "/tuf/targets/../../elfowl.sqlite",
        "/tuf/targets/%2e%2e/%2e%2e/elfowl.sqlite",
        "/tuf/metadata/..%2f..%2fkeys/tuf/root.pem",
        "/static/%2e%2e/pages.py",
        "/static/..%2fpages.py",
    ],
)
def test_path_leads_to_no_file_outside(open_cloud: Cloud, path: str) -> None:
    assert open_cloud.client.get(path).status_code == 404


def test_markup_in_a_name_is_text_for_pages_and_no_page_for_browsers(open_cloud: Cloud) -> None:
    made = open_cloud.client.post("/api/v1/detectors", json={"name": MARKUP, "labels": [MARKUP]})
    assert made.json()["name"] == MARKUP
    listed = open_cloud.client.get("/api/v1/detectors")
    assert listed.headers["content-type"] == "application/json"
    page = BeautifulSoup(open_cloud.client.get(f"/detectors/{MARKUP}").text, "html.parser")
    assert page.select("svg, main script") == []


def test_upload_is_never_served_as_a_page(open_cloud: Cloud, tmp_path: Path) -> None:
    detector_id = add_detector(open_cloud.home, "served")
    path = f"/api/v1/detectors/{detector_id}/media"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
    assert open_cloud.client.post(path, files={"file": ("a.svg", svg)}).status_code == 422
    make_playback(write_video(tmp_path / "a.avi", 12, codec="mpeg4"), tmp_path / "copy.mp4")
    disguised = (tmp_path / "copy.mp4").read_bytes() + b"<html><script>alert(1)</script>"
    made = open_cloud.client.post(path, files={"file": ("a.html", disguised)}).json()
    assert made["state"] == "ready"
    answer = open_cloud.client.get(f"/api/v1/media/{made['id']}/playback")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_form_of_another_page_is_not_taken_for_json(open_cloud: Cloud, kind: str) -> None:
    body = '{"name": "forged"}'
    answer = open_cloud.client.post("/api/v1/detectors", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert "forged" not in {one["name"] for one in open_cloud.client.get("/api/v1/detectors").json()}
