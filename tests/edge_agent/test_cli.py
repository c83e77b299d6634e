"""The command line: one clear line for each mistake, and a quick start."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.settings import SettingsStore
from edge_agent.cli import main
from edge_agent.config import load_config
from edge_agent.report.snapshots import encode_jpeg
from edge_agent.starter.location import starter_bundle_path
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.sync import CameraSettings

GOOD = """\
device: porch
profile: x86-64
bundle: starter
mqtt: {host: localhost}
cameras:
  - {name: front, source: rtsp://camera/1}
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "version")
    assert code == 0
    assert out.startswith("elfowl-agent ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "find cameras and say which stream"), (["tyr"], "there is no 'tyr'; did you mean 'try'?")],
)
def test_who_does_not_know_the_commands_is_helped(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["run"], ["try"], ["enrol", "--cloud", "http://x"], ["detect", "b"]]
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: elfowl-agent" in capsys.readouterr().err


def test_check_config_of_good_file_says_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check-config", str(write(tmp_path, GOOD)))
    assert (code, err) == (0, "")
    assert "ok (device porch, cameras front, home broker localhost:1883, cloud none)" in out


def test_check_config_says_the_rules_of_the_documents_example_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "agent.md"
    (example,) = [b for b in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL) if "rules:" in b]
    code, out, err = run(capsys, "check-config", str(write(tmp_path, example)))
    assert (code, err) == (0, "")
    _, *said = out.splitlines()
    assert said == [
        "camera door:",
        "  looks when something moves, and at least every 10 s",
        "  movement in tree (4 corners, 11.2 % of the picture) counts for nothing",
        "  zone path (4 corners, 45 % of the picture): person, dog; tells when one stays 30 s",
        "  zone drive (4 corners, 12 % of the picture): all labels",
        (
            "  line gate from (0.1, 0.6) to (0.9, 0.6), its right towards the picture's lower edge: "
            "tells when one crosses it towards its right: person"
        ),
        "  person: from a score of 0.55, boxes of 0.2 % to 60 % of the picture",
        "  dog: as the detector recommends",
        "  events begin only in path, drive",
        "  events of dog begin everywhere",
        "  mon, tue, wed, thu, fri 08:00 to 17:30 (Europe/Berlin): things are counted, but no event begins",
        "  every day 23:00 to 05:00 (Europe/Berlin): nothing is looked at",
    ]


def test_check_config_tells_rules_that_the_portal_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path, GOOD + "state_dir: .\n")
    store = SettingsStore(tmp_path / "settings.json", load_config(config).cameras)
    store.take_desired({"front": CameraSettings(rules=CameraRules(look_every_s=30.0))})
    _, out, _ = run(capsys, "check-config", str(config))
    assert (
        "camera front (rules set in the portal):\n  looks when something moves, and at least every 30 s"
        in out
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "source: rtsp",
            "rules: {labels: [{label: cow}]}, source: rtsp",
            "starter has no label 'cow'; it has: ",
        ),
        ("source: rtsp", "labels: [person, cow], source: rtsp", "camera front: bundle starter has no label"),
        ("profile: x86-64", "profile: x86-46", "x86-46"),
        ("source: rtsp", "sorce: rtsp", ":6: cameras[0].sorce: unknown key; did you mean 'source'?"),
        ("bundle: starter", "bundle: kit.zip\nroot: root.json", "root.json; check the path"),
        ("{host: localhost}", "{host: localhost, password_file: none.txt}", "password_file"),
        ("{host: localhost}", "{host: localhost, tls: true, ca_file: none.pem}", "mqtt.ca_file: "),
        ("bundle: starter", "cloud: {url: https://c, ca_file: none.pem}", "none.pem: No such file"),
        (
            "bundle: starter",
            "cloud: {url: https://c, ca_file: agent.yaml}",
            "agent.yaml holds no certificate",
        ),
    ],
)
@pytest.mark.parametrize("command", [["check-config"]])
def test_config_mistake_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], old: str, new: str, says: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    code, out, err = run(capsys, *command, str(path))
    assert (code, out) == (1, "")
    assert err.startswith("elfowl-agent: ")
    assert err.count("\n") == 1
    assert says in err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("device:", "devise:", ":1: devise: unknown key; did you mean 'device'?"),
        ("bundle: starter", "bundle: starter\ncolour: red", ":4: colour: unknown key"),
        ("  - {name", "\t- {name", "'\\t' that cannot start any token; use spaces"),
        ("x86-64", "x86-46", "did you mean 'x86-64'?"),
        ("device: porch", "device: porch\nstate_dir: /proc/none", "state_dir /proc/none: "),
    ],
)
def test_run_config_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    assert_one_line(run(capsys, "run", "--config", str(path)), says)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of everything that people give by mistake."""
    folder = tmp_path_factory.mktemp("broken")
    starter = starter_bundle_path().read_bytes()
    (folder / "half.zip").write_bytes(starter[: len(starter) // 2])
    changed = bytearray(starter)
    changed[len(changed) // 2] ^= 1
    (folder / "changed.zip").write_bytes(changed)
    (folder / "text.mp4").write_text("no video\n" * 50)
    (folder / "empty.mp4").touch()
    picture = encode_jpeg(np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8), 90)
    (folder / "good.jpg").write_bytes(picture)
    (folder / "cut.jpg").write_bytes(picture[: len(picture) // 2])
    (folder / "junk.jpg").write_bytes(b"no picture" * 50)
    return folder


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("try {}/none.mp4", "none.mp4: no such file; check the path"),
        ("try {}/text.mp4", "text.mp4: is not a video that can be read; convert it"),
        ("try {}/empty.mp4", "empty.mp4: is not a video that can be read; convert it"),
        ("try {}", "is a folder; name a video or picture in it"),
        ("try rtsp://127.0.0.1:1/x", "rtsp://127.0.0.1:1/x: connection refused; check the address"),
        ("try http://127.0.0.1:1/x", "connection refused; check the address"),
        ("try ftp://x/y", "sources of kind 'ftp:' are not known; use"),
        ("try {}/good.jpg --seconds nan", "nan seconds are no time to look; give a positive number"),
        ("try {}/good.jpg --port 80000", "port must be 0-65535"),
        ("try {}/good.jpg --out /proc/none.jpg", "/proc/none.jpg: cannot be written"),
        ("try {}/good.jpg --bundle {}/none.zip", "none.zip: give a bundle's .zip file or folder"),
        ("try {}/good.jpg --bundle {}/half.zip", "half.zip is no bundle"),
        ("detect {}/half.zip {}/good.jpg", "not a zip file; copy or download it again"),
        ("detect {}/changed.zip {}/good.jpg", "is damaged: Bad CRC-32"),
        ("detect {}/none.zip {}/good.jpg", "none.zip: give a bundle's .zip file or folder"),
        ("detect starter {}/none.jpg", "none.jpg: no such file; name a picture or video"),
        ("detect starter {}", "is a folder; name a picture or video"),
        ("detect starter {}/cut.jpg", "cut.jpg: the picture is cut off; copy or download it again"),
        ("detect starter {}/junk.jpg", "junk.jpg: no picture that can be read; save it anew"),
        ("detect starter {}/text.mp4", "text.mp4: is not a video that can be read; convert it"),
        ("detect starter {}/cut.jpg --json", "cut.jpg: the picture is cut off"),
        ("enrol --cloud nowhere --token abc --profile x86-64 --state-dir {}", "is not like http://"),
        ("enrol --cloud http://x --token abc --profile x86-46 --state-dir {}", "did you mean 'x86-64'?"),
        ("enrol --cloud https://x --token abc --profile x86-64 --ca-file {}/none.pem", "--ca-file: "),
    ],
)
def test_mistake_is_one_line_that_says_what_to_do(
    broken: Path, capsys: pytest.CaptureFixture[str], command: str, says: str
) -> None:
    assert_one_line(run(capsys, *command.replace("{}", str(broken)).split()), says)


def assert_one_line(outcome: tuple[int, str, str], says: str) -> None:
    code, out, err = outcome
    assert code == 1
    assert "{" not in out, "half a JSON document"
    assert err.startswith("elfowl-agent: ")
    assert err.count("\n") == 1
    assert says in err
    assert ";" in err or "give" in err or "Known" in err or "is not like" in err, "no cure"


def test_detect_json_parses(broken: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = main(["detect", "starter", str(broken / "good.jpg"), "--json"]), *capfd.readouterr()
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["source"] == str(broken / "good.jpg")
    assert [frame["frame_index"] for frame in document["frames"]] == [0]


@pytest.mark.parametrize("command", ["run", "check-config", "detect", "try", "enrol", "version"])
def test_help_of_every_command_names_all_it_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: elfowl-agent {command}" in capsys.readouterr().out


def test_run_with_missing_config_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "run", "--config", str(tmp_path / "none.yaml"))
    assert code == 1
    assert "No such file or directory" in err.splitlines()[-1]


def test_enrol_at_a_cloud_that_is_away_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(
        capsys,
        *("enrol", "--cloud", "http://127.0.0.1:9", "--token", "secret-token", "--profile", "x86-64"),
        *("--state-dir", str(tmp_path)),
    )
    assert (code, out) == (1, "")
    assert err.startswith("elfowl-agent: cannot reach the cloud")
    assert "secret-token" not in err


def test_enrol_without_any_cloud_says_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, GOOD)
    code, _, err = run(capsys, "enrol", "--token", "secret-token", "--config", str(path))
    assert code == 1
    assert "--cloud URL" in err


def test_start_imports_nothing_heavy() -> None:
    code = (
        "import sys, json, edge_agent.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr))
    assert loaded.isdisjoint({"numpy", "pydantic", "cv2", "av", "paho", "httpx", "tuf", "yaml"})


def test_check_config_takes_a_profile_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = resources.files("firmware_configs").joinpath("x86-64.yaml").read_text("utf-8")
    (tmp_path / "box.yaml").write_text(known.replace("name: x86-64", "name: box"))
    config = write(tmp_path, GOOD.replace("x86-64", "box.yaml"))
    assert run(capsys, "check-config", str(config))[0] == 0
    (tmp_path / "box.yaml").write_text(known.replace("threads:", "thread:"))
    code, _, err = run(capsys, "check-config", str(config))
    assert code == 1
    assert "box.yaml:" in err
    assert "thread: unknown key; did you mean 'threads'?" in err
