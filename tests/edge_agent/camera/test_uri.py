"""Names of sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.uri import parse_source, redact
from edge_agent.errors import ConfigError


@pytest.mark.parametrize(
    ("uri", "kind", "location"),
    [
        ("rtsp://cam/live", "network", "rtsp://cam/live"),
        ("RTSPS://cam/live", "network", "RTSPS://cam/live"),
        ("http://cam/video.mjpg", "network", "http://cam/video.mjpg"),
        ("http://cam/now.jpg?size=1", "snapshot", "http://cam/now.jpg?size=1"),
        ("webcam:0", "webcam", "/dev/video0"),
        ("webcam:2", "webcam", "/dev/video2"),
        ("/dev/video1", "webcam", "/dev/video1"),
        ("/dev/shm/clip.mp4", "video", "/dev/shm/clip.mp4"),
        ("clip.mp4", "video", "clip.mp4"),
        ("file:///tmp/clip.avi", "video", "/tmp/clip.avi"),
        ("file:clip.avi", "video", "clip.avi"),
        ("a folder/picture.JPG", "image", "a folder/picture.JPG"),
        ("odd:name.mp4", "video", "odd:name.mp4"),
        ("0", "webcam", "/dev/video0"),
    ],
)
def test_parse_source_tells_kinds_apart(uri: str, kind: str, location: str) -> None:
    address = parse_source(uri)
    assert (address.kind, address.location) == (kind, location)


@pytest.mark.parametrize(
    ("uri", "says"), [("", "empty"), ("  ", "empty"), ("webcam:x", "number"), ("rtps://x", "not known")]
)
def test_parse_source_refuses_in_one_line(uri: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse_source(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://me:secret@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://me:se@cret@cam/live", "rtsp://***@cam/live"),
        ("rtsp://me:se/cret#1@cam/live", "rtsp://***@cam/live"),
        ("http://cam/x?user=me&password=secret&n=1", "http://cam/x?user=***&password=***&n=1"),
        ("http://cam/x?token=secret#a", "http://cam/x?token=***#a"),
        ("rtsp://cam/live", "rtsp://cam/live"),
    ],
)
def test_redact_hides_logins(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1))
def test_source_address_never_shows_the_password(secret: str) -> None:
    address = parse_source(f"rtsp://me:9{secret}9@cam/live")
    assert f"9{secret}9" not in address.shown
    assert f"9{secret}9" not in repr(address)
