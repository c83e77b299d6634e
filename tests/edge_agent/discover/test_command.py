"""The whole command, against a camera that speaks ONVIF and RTSP on loopback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.config import load_config
from edge_agent.discover.command import Wishes, choose
from edge_agent.discover.found import Device, Login
from edge_agent.discover.login import PASSWORD_VARIABLE, find_login
from edge_agent.discover.survey import Report
from edge_agent.errors import ConfigError
from tests.fakes.onvif_device import OnvifDevice, Profile
from tests.fakes.rtsp_server import RtspServer

LOGIN = ("adm in", "p@ss/wörd:#1")
CONFIG = """\
device: porch
profile: x86-64
bundle: starter
mqtt: {host: localhost}
cameras:
  - {name: front, source: rtsp://camera/1}
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["discover", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.slow
def test_discover_finds_a_camera_and_adds_its_smaller_stream_once_it_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, secret = tmp_path / "agent.yaml", tmp_path / "password"
    config.write_text(CONFIG)
    secret.write_text(LOGIN[1] + "\n")
    who = ("--user", LOGIN[0], "--password-file", str(secret), "--seconds", "60")
    with RtspServer(login=LOGIN, digest=True) as stream:
        url = f"rtsp://192.0.2.99:{stream.port}/live"
        profiles = [Profile("main", url, 2560, 1440, 25, "H265"), Profile("sub", url)]
        with OnvifDevice(profiles, LOGIN) as camera:
            code, out, err = run(capsys, "--probe", camera.place, *who)
            assert (code, LOGIN[1] in out + err) == (0, False)
            assert f"look at:     640x360 H264 15 pictures/s  rtsp://127.0.0.1:{stream.port}/live" in out
            wish = ("--add", "door", "--clips", "--config", str(config))
            code, out, err = run(capsys, "--host", camera.host, *who, *wish)
            assert code == 0, err
            assert "It gives pictures of 160x120." in err
            assert LOGIN[1] not in out + err
            stream.lock(("other", "login"))
            code, _, err = run(capsys, "--host", camera.host, *who, "--add", "yard", "--config", str(config))
            assert (code, "wrong user name or password" in err) == (1, True)
    front, door = load_config(config).cameras
    assert (front.name, door.name) == ("front", "door")
    assert door.main_stream is not None
    assert door.main_stream.source == door.source  # the server has but one
    assert door.source == f"rtsp://adm%20in:p%40ss%2Fw%C3%B6rd%3A%231@127.0.0.1:{stream.port}/live"


def test_discover_as_json_tells_all_streams_and_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with OnvifDevice(
        [Profile("one", "rtsp://a/1", source="l1"), Profile("two", "rtsp://a/2", source="l2")]
    ) as camera:
        code, out, _ = run(capsys, "--host", camera.host, "--json")
        (found,) = json.loads(out)["cameras"]
        assert (code, found["model"], found["error"]) == (0, "Acme Eye? 5", None)
        assert [channel["detect"]["url"] for channel in found["channels"]] == [
            "rtsp://127.0.0.1/1",
            "rtsp://127.0.0.1/2",
        ]
    code, out, _ = run(capsys, "--host", camera.host, "--json")
    (found,) = json.loads(out)["cameras"]
    assert (code, found["channels"]) == (1, [])
    assert "cannot be reached" in found["error"]


def test_discover_of_a_recorder_wants_to_know_which_channel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(CONFIG)
    wish = ("--add", "door", "--config", str(config))
    with OnvifDevice(
        [Profile("one", "rtsp://a/1", source="l1"), Profile("two", "rtsp://a/2", source="l2")]
    ) as camera:
        code, _, err = run(capsys, "--host", camera.host, *wish)
        assert (code, "has 2 channels; say which one to add: --channel N" in err) == (1, True)
        code, _, err = run(capsys, "--host", camera.host, *wish, "--channel", "3")
        assert (code, "has channels 1 to 2" in err) == (1, True)
    assert config.read_text() == CONFIG


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--add", "door"), "--add NAME and --config FILE belong together"),
        (("--host", "http://me:secret@192.0.2.7/"), "is no address; write HOST"),
        (("--probe", "x:y"), "is no address; write HOST or HOST:PORT"),
        (("--probe", "127.0.0.1:9", "--seconds", "0.2"), "no camera answered within 0.2 s; switch ONVIF on"),
        (("--password-file", "x"), "--password-file needs --user NAME"),
        (("--user", "me"), f"no password for me: name --password-file FILE, or set {PASSWORD_VARIABLE}"),
    ],
)
def test_discover_mistakes_are_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert said in err.splitlines()[-1]
    assert "secret" not in err


def test_discover_without_its_extra_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onveef", None)
    code, _, err = run(capsys)
    assert (code, "pip install 'elfowl[onvif]'" in err) == (1, True)


def test_find_login_looks_into_file_then_environment_then_asks(tmp_path: Path) -> None:
    file, around = tmp_path / "password", {PASSWORD_VARIABLE: "around"}
    file.write_text("in file\n")
    assert find_login("me", file, around, lambda _: "typed") == Login("me", "in file")
    assert find_login("me", None, around, lambda _: "typed") == Login("me", "around")
    assert find_login("me", None, {}, lambda _: "typed") == Login("me", "typed")
    assert find_login(None, None, around, None) is None
    with pytest.raises(ConfigError, match="cannot be read"):
        find_login("me", tmp_path / "none", around, None)


def test_discover_of_several_cameras_wants_to_know_which_one() -> None:
    devices = [Device("192.0.2.7", f"http://192.0.2.7:{port}/onvif/device_service") for port in (80, 8080)]
    with pytest.raises(
        ConfigError, match=r"2 cameras answered; .*: --host, one of http://192\.0\.2\.7:80/.*:8080"
    ):
        choose([Report(device) for device in devices], Wishes(add="door"))
