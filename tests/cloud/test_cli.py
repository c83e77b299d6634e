"""The command line: results on stdout, one clear line for every mistake."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import Result

from cloud.cli import app
from cloud.commands.options import duration_s, read_settings
from cloud.commands.terminal import bar_line, plain_line
from cloud.jobs.progress import ProgressLine
from edge_agent.errors import ConfigError
from tests.cloud.homes import add_detector, add_device, jpeg, make_home, with_tables
from tests.fakes.console import Console


def run(home: Path, *arguments: str) -> Result:
    return Console().invoke(app, list(arguments), env={"ELFOWL_HOME": str(home)})


def write_examples(folder: Path, bbox: tuple[float, ...] = (6, 6, 20, 20), name: str = "a.jpg") -> Path:
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "pictures" / name).write_bytes(jpeg())
    document = {
        "images": [{"id": 1, "file_name": name, "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox}],
    }
    (folder / "labels.json").write_text(json.dumps(document))
    return folder / "labels.json"


def create(home: Path, labels: Path, *more: str) -> Result:
    pictures = str(labels.parent / "pictures")
    return run(home, "detector", "create", "persons", "--images", pictures, "--labels", str(labels), *more)


def test_detector_created_is_json_only_and_listed(tmp_path: Path) -> None:
    made = create(tmp_path / "home", write_examples(tmp_path), "--json")
    document = json.loads(made.stdout)
    assert (document["name"], document["labels"], document["frames"], document["boxes"]) == (
        "persons", ["person"], 1, 1,
    )  # fmt: skip
    listed = json.loads(run(tmp_path / "home", "detector", "list", "--json").stdout)
    assert [one["counts"]["labelled_frames"] for one in listed] == [1]


def test_detector_whose_labels_reach_outside_leaves_nothing_behind(tmp_path: Path) -> None:
    failed = create(with_tables(tmp_path / "home"), write_examples(tmp_path, (50, 40, 30, 30)))
    assert "outside" in str(failed.exception)
    assert json.loads(run(tmp_path / "home", "detector", "list", "--json").stdout) == []
    assert not (tmp_path / "home" / "media").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["detector", "create", "x", "--labels", "l.json"], "either --images DIR or --video FILE"),
        (["detector", "create", "x", "--video", "nowhere.mp4"], "no such file"),
        (["detector", "train", "nix"], "no detector 'nix'"),
        (["detector", "train", "persons"], "no boxes to learn from"),
        (["detector", "train", "persons", "--budget", "soon"], "no duration"),
        (["detector", "evaluate", "persons", "--images", "."], "--labels"),
        (["detector", "compress", "persons", "--profile", "toaster"], "toaster"),
        (["detector", "compress", "nix", "--profile", "pi-4"], "no detector 'nix'"),
        (["detector", "delete", "persons"], "--yes"),
        (["bundle", "publish", "bun_nix"], "no bundle 'bun_nix'"),
        (["bundle", "publish", "nowhere.zip"], "nowhere.zip"),
        (["device", "assign", "porch"], "--none"),
        (["device", "assign", "nix", "--none"], "no device 'nix'"),
        (["detector", "list", "--url", "http://127.0.0.1:9"], "elfowl-cloud serve"),
        (["serve", "--broker", "nonsense", "--port", "0"], "mqtt://HOST:PORT"),
        (["serve", "--port", "99999"], "'port' is 99999"),
        (["serve", "--host", "0.0.0.0"], "ELFOWL_ACCESS_TOKEN"),
    ],
)
def test_mistake_is_one_line_that_says_what_to_do(tmp_path: Path, arguments: list[str], words: str) -> None:
    home = make_home(tmp_path / "home")
    add_detector(home)
    failed = run(tmp_path / "home", *arguments)
    assert failed.exit_code == 1
    assert words in str(failed.exception)
    assert failed.stdout == ""


@pytest.mark.parametrize(
    ("labelled", "words"), [(True, "detector train det_"), (False, "elfowl-cloud serve")]
)
def test_next_step_after_creating_is_one_that_works(tmp_path: Path, labelled: bool, words: str) -> None:
    labels = write_examples(tmp_path)
    more = ["--labels", str(labels)] if labelled else []
    home, pictures = with_tables(tmp_path / "home"), str(labels.parent / "pictures")
    made = run(home, "detector", "create", "x", "--images", pictures, *more)
    assert made.stdout.splitlines()[-1].startswith("next: ")
    assert words in made.stdout.splitlines()[-1]


def test_token_and_assignment_work_without_a_server(tmp_path: Path) -> None:
    add_device(make_home(tmp_path))
    token = json.loads(run(tmp_path, "device", "token", "--json").stdout)
    assert token["token"] in token["command"]
    listed = json.loads(run(tmp_path, "device", "list", "--json").stdout)
    assert [device["name"] for device in listed] == ["porch"]
    assert run(tmp_path, "device", "assign", "porch", "--none").exit_code == 0


@pytest.mark.slow
def test_broken_video_is_one_line_on_stderr_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"this is no video" * 100)
    done = subprocess.run(
        [sys.executable, "-c", "from cloud.cli import main; main()",
         "detector", "create", "x", "--video", str(tmp_path / "clip.mp4"), "--json"],
        env={**os.environ, "ELFOWL_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("elfowl-cloud: clip.mp4: ")
    assert done.stderr.count("\n") == 1


def test_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = run(tmp_path, "serve", "--port", str(port))
    assert f"port {port} of 127.0.0.1" in str(failed.exception)
    assert "--port" in str(failed.exception)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("60s", 60), ("2m", 120), ("1h", 3600), (None, None)]
)
def test_duration(text: str | None, seconds: float | None) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "0", "nan", "inf", "1d"])
def test_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        duration_s(text)


def test_option_wins_over_the_environment(tmp_path: Path) -> None:
    settings = read_settings(tmp_path / "given", port=1234)
    assert (settings.home, settings.port) == (tmp_path / "given", 1234)


def test_progress_shows_share_and_time_left() -> None:
    progress = ProgressLine(progress=0.25, stage="learning", message="Learning", seconds_left=12.4)
    assert plain_line(progress) == " 25%  Learning, about 12 s left"
    assert bar_line(progress).count("█") == 7
