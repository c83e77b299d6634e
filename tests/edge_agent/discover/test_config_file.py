"""A camera is added to a file that a person wrote, whatever their style, or the file stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import MainStreamConfig, load_config
from edge_agent.discover.config_file import add_camera, check_room
from edge_agent.errors import ConfigError

HEAD = "device: porch\nprofile: x86-64\nbundle: starter\nmqtt: {host: localhost}\n"
SOURCE = 'rtsp://me:a"\\b%40é@192.0.2.7/sub'
ADDED = '- name: "door"\n'


def write(folder: Path, cameras: str, mode: int = 0o600) -> Path:
    path = folder / "agent.yaml"
    path.write_text(HEAD + cameras)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "cameras",
    [
        "cameras:\n  - name: front\n    source: rtsp://camera/1\n",
        "cameras:\n- name: front\n  source: rtsp://camera/1  # ours\n\n# the rest\nmetrics_port: 9464\n",
        "cameras:\n  - name: front\n    source: rtsp://camera/1\n    rules:\n      look_every_s: 7\n",
        "cameras:\n  - name: front\n    source: >-\n      rtsp://camera/1\nlog: {format: json}\n",
        "cameras:\n  - {name: front, source: rtsp://camera/1}",
        "cameras: [{name: front, source: rtsp://camera/1}]\n",
        "cameras: [\n  {name: front, source: rtsp://camera/1},  # ours\n]\n",
    ],
)
def test_add_camera_keeps_what_stands_there(cameras: str, tmp_path: Path) -> None:
    path = write(tmp_path, cameras)
    before = load_config(path)
    check_room(path, "door")
    add_camera(path, "door", SOURCE)
    add_camera(path, "yard", "x", "rtsp://a:b@192.0.2.8/main")
    after = load_config(path)
    *kept, door, yard = after.cameras
    assert tuple(kept) == before.cameras
    assert (door.name, door.source, door.main_stream) == ("door", SOURCE, None)
    assert yard.main_stream == MainStreamConfig(source="rtsp://a:b@192.0.2.8/main")
    assert after.model_copy(update={"cameras": before.cameras}) == before
    assert all(line in path.read_text() for line in cameras.splitlines() if line.startswith("#"))


@pytest.mark.parametrize(("mode", "then"), [(0o644, 0o600), (0o600, 0o600), (0o640, 0o640), (0o660, 0o640)])
def test_add_camera_lets_strangers_read_no_password(mode: int, then: int, tmp_path: Path) -> None:
    path = write(tmp_path, "cameras: [{name: front, source: rtsp://camera/1}]\n", mode)
    add_camera(path, "door", SOURCE)
    assert path.stat().st_mode & 0o777 == then
    assert [file.name for file in tmp_path.iterdir()] == ["agent.yaml"]


@pytest.mark.parametrize(
    ("name", "cameras", "said"),
    [
        ("front", "cameras: [{name: front, source: x}]\n", "two cameras are named 'front'"),
        ("a b", "cameras: [{name: front, source: x}]\n", "has signs that are not allowed"),
        ("door", "cameras: [{name: front, sauce: x}]\n", "unknown key"),
        (
            "door",
            "cameras:\n  &all\n  - &one\n    name: front\n    source: 'x\n\n      y'\n  - *one\n",
            "two cameras",
        ),
    ],
)
def test_check_room_without_room_says_why_and_nothing_is_written(
    name: str, cameras: str, said: str, tmp_path: Path
) -> None:
    path = write(tmp_path, cameras)
    with pytest.raises(ConfigError, match=said):
        check_room(path, name)
    with pytest.raises(ConfigError, match=said):
        add_camera(path, name, SOURCE)
    assert path.read_text() == HEAD + cameras
