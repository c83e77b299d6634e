"""Hostile addresses: the cloud opens cameras and recordings, and nothing that keeps secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.errors import InputError
from cloud.streams.address import AddressRules

NAMES = {
    "camera.lan": ["192.168.1.20"],
    "rebound.example": ["192.168.1.20", "169.254.169.254"],
    "localhost": ["127.0.0.1"],
}


def resolve(host: str) -> list[str]:
    if host in NAMES:
        return NAMES[host]
    if host.isdigit():
        return ["169.254.169.254"]  # as inet_aton reads 2852039166
    if ":" in host or host.replace(".", "").isdigit():
        return [host]
    raise OSError


@pytest.fixture
def rules(tmp_path: Path) -> AddressRules:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "yard.mp4").write_bytes(b"")
    (tmp_path / "secret.mp4").write_bytes(b"")
    (tmp_path / "recordings" / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    return AddressRules(tmp_path / "recordings", resolve=resolve)


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://user:p@ss/w@camera.lan:554/live",
        "rtsp://192.168.1.20/live",
        "http://camera.lan/video.mjpeg",
        "https://camera.lan/live.m3u8",
        "rtsp://localhost:8554/live",
        "rtsp://not-there-yet.lan/live",
        "yard.mp4",
        "file:yard.mp4",
    ],
)
def test_address_of_a_camera_or_recording_may_be_watched(rules: AddressRules, address: str) -> None:
    assert "p@ss" not in rules.check(address).shown


@pytest.mark.parametrize(
    "address",
    [
        "",
        "rtsp://",
        "http://169.254.169.254/latest/meta-data/",
        "rtsp://169.254.169.254/live",
        "http://2852039166/latest",
        "http://[::ffff:169.254.169.254]/x",
        "http://[64:ff9b::a9fe:a9fe]/x",
        "http://[fd00:ec2::254]/x",
        "http://[fe80::1]/x",
        "http://user:camera.lan@169.254.169.254/x",
        "http://169.254.169.254#@camera.lan/x",
        "http://169.254.169.254?@camera.lan/x",
        "http://169.254.169.254\\@camera.lan/x",
        "http://rebound.example/x",
        "http://localhost:8420/api/v1/devices",
        "http://127.0.0.1:1883/",
        "http://0.0.0.0/",
        "http://camera.lan\r\nX-Evil: 1/",
        "tcp://camera.lan:22",
        "udp://camera.lan:5000",
        "rtmp://camera.lan/live",
        "concat:yard.mp4|/etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "../secret.mp4",
        "link.mp4",
        "gone.mp4",
        "/dev/video0",
        "webcam:0",
        "0",
    ],
)
def test_hostile_address_is_refused_in_words(rules: AddressRules, address: str) -> None:
    with pytest.raises(InputError) as refused:
        rules.check(address)
    assert len(str(refused.value)) > 20


def test_operator_can_allow_a_host_by_name(tmp_path: Path) -> None:
    rules = AddressRules(tmp_path, hosts=["127.0.0.1"], resolve=resolve)
    assert rules.check("http://127.0.0.1:8080/live.m3u8").kind == "network"
