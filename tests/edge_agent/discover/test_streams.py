"""One camera is asked over real sockets: it answers well, wrongly, or in bad faith."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest

from edge_agent.clock import SystemClock
from edge_agent.discover.found import Device, Login, Stream, device_at
from edge_agent.discover.streams import ask_streams, source_of
from edge_agent.errors import CameraError
from tests.fakes.onvif_device import Answer, OnvifDevice, Profile, give

LOGIN = Login("me", "s3cret-Word")
SUB = Profile("sub", "rtsp://192.0.2.99:554/sub", codec="H264", source="lens")


def ask(camera: OnvifDevice, login: Login | None = LOGIN) -> tuple[str, list[Stream]]:
    device = device_at(f"http://{camera.host}")
    assert isinstance(device, Device)
    return ask_streams(device, login, SystemClock(), 60.0)


def test_ask_streams_tells_model_and_streams_at_the_host_that_was_asked() -> None:
    main = Profile("main", "rtsp://user:pw@192.0.2.99/main", 2560, 1440, 25, "H265")
    with OnvifDevice([main, SUB, Profile("web", "http://192.0.2.99/x")], ("me", "s3cret-Word")) as camera:
        model, streams = ask(camera)
        assert model == "Acme Eye? 5"
        assert streams == [
            Stream("main", "lens", "rtsp://127.0.0.1/main", "H265", 2560, 1440, 25.0),
            Stream("sub", "lens", "rtsp://127.0.0.1:554/sub", "H264", 640, 360, 15.0),
        ]
        assert b"s3cret" not in b"".join(camera.seen)


@pytest.mark.parametrize(
    ("login", "said"), [(None, "wants a user and password"), (Login("me", "x"), "does not accept this user")]
)
def test_ask_streams_with_a_wrong_login_says_what_to_do(login: Login | None, said: str) -> None:
    with (
        OnvifDevice([SUB], ("me", "s3cret-Word")) as camera,
        pytest.raises(CameraError, match=said),
    ):
        ask(camera, login)


def send(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        give(handler, body, status, headers)

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def services(address: str) -> bytes:
    named = "<Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace>"
    return f"<r><Service>{named}<XAddr>{address}</XAddr></Service></r>".encode()


FAULT = b"<r><Body><Fault><Reason><Text>No config</Text></Reason></Fault></Body></r>"
ENDLESS = (
    b'<r><Profiles token="t"><VideoEncoder><RateControl FrameRateLimit="'
    + b"9" * 5_000
    + b'"/></VideoEncoder>'
    b"</Profiles></r>"
)
BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><GetServicesResponse>&b;</GetServicesResponse>'
)
FILE = (
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Profiles token="t"><Name>&a;</Name></Profiles>'
)
BASIC = {"WWW-Authenticate": 'Basic realm="camera"'}


@pytest.mark.parametrize(
    ("operation", "answer", "said"),
    [
        ("GetServices", send(b"\xff\x00" * 500), "has no ONVIF media service"),
        ("GetServices", send(b"<html>login</html>"), "has no ONVIF media service"),
        ("GetServices", send(BOMB), "has no ONVIF media service"),
        ("GetServices", send(b"", 302, Location="http://192.0.2.1/"), "sends us elsewhere"),
        ("GetServices", send(b"<a/>" * 130_000), "more than 500000 bytes"),
        ("GetServices", send(b"", 404), "check its port"),
        ("GetServices", hang_up, "not as ONVIF says"),
        ("GetServices", send(b"", 401, **BASIC), "does not accept this user"),
        ("GetProfiles", send(b"<a>" * 20_000), "names no stream"),
        ("GetProfiles", send(FILE), "names no stream"),
        ("GetProfiles", send(b"", 500), "not as ONVIF says"),
        ("GetServices", send(services("ftp://x/a")), "not as ONVIF says"),
        ("GetServices", send(services("//192.0.2.1/a")), "another machine"),
        ("GetServices", send(services("http://[::1")), "cannot be read"),
        ("GetServices", send(services("http://x/" + "a" * 100_000)), "cannot be read"),
        ("GetProfiles", send(ENDLESS), "cannot be read"),
        ("GetStreamUri", send(b"<Uri>file:///etc/passwd</Uri>"), "names no stream"),
        ("GetStreamUri", send(b"<Uri></Uri>"), "names no stream"),
        ("GetStreamUri", send(FAULT, 500), "names no stream"),
    ],
)
def test_ask_streams_of_a_device_in_bad_faith_is_one_clear_line(
    operation: str, answer: Answer, said: str
) -> None:
    with OnvifDevice([SUB]) as camera:
        camera.answers[operation] = answer
        with pytest.raises(CameraError, match=rf"^127\.0\.0\.1: .*{said}"):
            ask(camera)
        assert b"s3cret" not in b"".join(camera.seen)
        assert b"Basic" not in b"".join(camera.seen)


def test_ask_streams_of_nobody_says_that_it_cannot_be_reached() -> None:
    with OnvifDevice([]) as camera:
        device = device_at(f"http://{camera.host}")
    assert device is not None
    with pytest.raises(CameraError, match="cannot be reached"):
        ask_streams(device, None, SystemClock(), 60.0)


def test_source_of_a_password_with_signs_is_encoded() -> None:
    assert source_of("rtsp://192.0.2.7/s", Login("a b", "p@/#:")) == "rtsp://a%20b:p%40%2F%23%3A@192.0.2.7/s"
    assert source_of("rtsp://192.0.2.7/s", None) == "rtsp://192.0.2.7/s"
