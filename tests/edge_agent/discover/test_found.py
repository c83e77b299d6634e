"""What strangers say is made harmless, and leads to no other machine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.discover.found import Login, device_at, harmless, scope_words, service_at, stream_at

HOST = "192.0.2.7"


@pytest.mark.parametrize(
    ("told", "is_asked_at"),
    [
        (["http://192.0.2.7/onvif/device_service"], "http://192.0.2.7/onvif/device_service"),
        (["http://[fe80::1]/a", "http://192.0.2.7:8080/b"], "http://192.0.2.7:8080/b"),
        (["http://10.0.0.1:81/elsewhere"], "http://192.0.2.7:81/elsewhere"),
        (["https://user:secret@10.0.0.1/x?y=1#z"], "https://192.0.2.7/x?y=1"),
        (["http://192.0.2.7"], "http://192.0.2.7/onvif/device_service"),
        (
            ["file:///etc/passwd", "http://a:99999/", "http://a b/", ""],
            "http://192.0.2.7/onvif/device_service",
        ),
        ([], "http://192.0.2.7/onvif/device_service"),
    ],
)
def test_service_at_whatever_is_told_stays_at_the_host_that_answered(
    told: list[str], is_asked_at: str
) -> None:
    assert service_at(HOST, told) == is_asked_at


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("rtsp://10.0.0.1:554/ch0?profile=1", "rtsp://192.0.2.7:554/ch0?profile=1"),
        ("rtsp://admin:secret@192.0.2.7/sub", "rtsp://192.0.2.7/sub"),
        ("rtsps://0.0.0.0/sub", "rtsps://192.0.2.7/sub"),
        ("http://192.0.2.7/video.mjpg", None),
        ("file:///etc/passwd", None),
        ("concat:/a|/b", None),
        ("rtsp://x:0/sub", None),
        ("rtsp://x/a\nb", None),
        ("rtsp://x/" + "a" * 2_000, None),
        ("", None),
    ],
)
def test_stream_at_gives_rtsp_of_the_same_host_or_none(told: str, url: str | None) -> None:
    assert stream_at(HOST, told) == url


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_harmless_of_any_text_is_one_short_line_that_steers_no_terminal(text: str) -> None:
    words = harmless(text)
    assert len(words) <= 60
    assert words.isprintable()


def test_scope_words_are_decoded_and_then_made_harmless() -> None:
    assert scope_words("Front%20door%1b%5b2J") == "Front door?[2J"


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://cam.local:8000", "cam.local"),
        ("https://192.0.2.7/x", HOST),
        ("http://a:b@c", None),
        ("x", None),
    ],
)
def test_device_at_takes_addresses_without_a_login(address: str, host: str | None) -> None:
    device = device_at(address)
    assert (device.host if device is not None else None) == host


def test_login_is_shown_without_its_password() -> None:
    assert "hidden" not in repr(Login("me", "hidden"))
