"""The preview page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from edge_agent.agent.preview import Preview, PreviewServer, PreviewState
from edge_agent.errors import ConfigError
from edge_agent.wire.detection import Detection

STATE = PreviewState("rtsp://***@cam/live", "pictures are coming", {"Person": 2}, 9.96, 18.04)
BOX = Detection(label="Person", score=0.9, box=(0.1, 0.1, 0.9, 0.9))


def picture(level: int = 120) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.full((90, 160, 3), level, dtype=np.uint8)


@pytest.fixture
def preview() -> Preview:
    return Preview(STATE)


@pytest.fixture
def client(preview: Preview) -> Iterator[httpx.Client]:
    with PreviewServer(preview, 0) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def test_preview_page_needs_nothing_from_outside(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert 'alt="' in page.text


def test_preview_state_is_told_as_json(client: httpx.Client, preview: Preview) -> None:
    preview.tell("first")
    preview.tell("second")
    state = json.loads(client.get("/state.json").text)
    assert state == {
        "source": "rtsp://***@cam/live",
        "status": "pictures are coming",
        "counts": {"Person": 2},
        "fps": 10.0,
        "inference_ms": 18.0,
        "events": ["second", "first"],
    }


def test_preview_picture_has_boxes_drawn_and_leaves_the_frame_alone(
    client: httpx.Client, preview: Preview
) -> None:
    import cv2

    frame = picture()
    preview.show(frame, [BOX], STATE)
    answer = client.get("/picture.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (90, 160, 3)
    assert int(np.ptp(shown)) > 80
    assert int(np.ptp(frame)) == 0


def test_preview_without_a_picture_yet_says_so(client: httpx.Client) -> None:
    assert client.get("/picture.jpg").status_code == 503


def test_preview_stream_gives_each_new_picture(client: httpx.Client, preview: Preview) -> None:
    preview.show(picture(10), [], STATE)
    with client.stream("GET", "/stream.mjpg") as stream:
        assert "multipart/x-mixed-replace" in stream.headers["content-type"]
        chunks = stream.iter_bytes()
        received = b""
        while received.count(b"--frame") < 1:
            received += next(chunks)
        preview.show(picture(200), [], STATE)
        while received.count(b"--frame") < 2:
            received += next(chunks)
    assert received.count(b"Content-Type: image/jpeg") == 2


def test_preview_close_ends_streams(client: httpx.Client, preview: Preview) -> None:
    preview.show(picture(), [], STATE)
    with client.stream("GET", "/stream.mjpg") as stream:
        threading.Timer(0.1, preview.close).start()
        assert b"--frame" in b"".join(stream.iter_bytes())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", ""])
def test_preview_asked_under_another_name_shows_nothing(
    client: httpx.Client, preview: Preview, host: str
) -> None:
    preview.show(picture(), [], STATE)
    for path in ("/", "/state.json", "/picture.jpg", "/stream.mjpg"):
        assert client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8642", "[::1]:8642", "LOCALHOST"])
def test_preview_asked_under_a_loopback_name_answers(client: httpx.Client, host: str) -> None:
    assert client.get("/state.json", headers={"Host": host}).status_code == 200


def test_preview_other_paths_and_methods_are_refused(client: httpx.Client) -> None:
    assert client.get("/../etc/passwd").status_code == 404
    assert client.post("/").status_code == 501


def test_preview_port_in_use_says_what_to_do(preview: Preview) -> None:
    with PreviewServer(preview, 0) as server, pytest.raises(ConfigError, match="choose another"):
        PreviewServer(preview, server.port)
    with pytest.raises(ConfigError, match="choose another"):
        PreviewServer(preview, 99_999)
