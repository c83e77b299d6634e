"""The command line: one clear line for each mistake, and a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.cli import main

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


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
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
