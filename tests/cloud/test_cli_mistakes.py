"""Bad input of every kind: one clear line on stderr, exit code 1, nothing on stdout, nothing lost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from cloud.cli import app, main
from tests.cloud.bundle_files import note_version
from tests.cloud.datasets.footage import write_video
from tests.cloud.homes import add_detector, jpeg, make_home

IMAGE: dict[str, Any] = {"id": 1, "file_name": "a.jpg", "width": 192, "height": 96}
BOX: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [6, 6, 20, 20]}


def coco(image: dict[str, Any] | None = None, box: dict[str, Any] | None = None) -> str:
    return json.dumps(
        {
            "images": [{**IMAGE, **(image or {})}],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [{**BOX, **(box or {})}],
        }
    )


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sound and broken files, and a home with one detector that counts as trained."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.jpg").write_bytes(jpeg(192, 96))
    (folder / "broken").mkdir()
    (folder / "broken" / "a.jpg").write_bytes(jpeg(192, 96)[:200])
    (folder / "empty").mkdir()
    good = write_video(folder / "good.mp4", 12)
    (folder / "cut.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "file").write_text("a file, where a folder should be")
    documents = {
        "good": coco(),
        "frame": coco({"frame_index": 3}),
        "not_json": "images: none",
        "outside": coco(box={"bbox": [180, 6, 40, 20]}),
        "zero": coco(box={"bbox": [6, 6, 0, 20]}),
        "category": coco(box={"category_id": 7}),
        "beyond": coco({"frame_index": 12}),
        "shape": coco({"width": 96, "frame_index": 3}),
        "no_images": json.dumps({"images": [], "categories": []}),
        "missing": coco({"file_name": "b.jpg"}),
    }
    for name, text in documents.items():
        (folder / f"{name}.json").write_text(text)
    home = make_home(folder / "home")
    note_version(home, add_detector(home, "trained"), 1)
    add_detector(home, "raw")
    return folder


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(shelf: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a runner of the whole command line, in the shelf's folder; gives exit code, stdout, stderr."""
    monkeypatch.chdir(shelf)
    monkeypatch.delenv("ELFOWL_ACCESS_TOKEN", raising=False)

    def run(line: str, home: str = "home") -> tuple[int, str, str]:
        monkeypatch.setenv("ELFOWL_HOME", str(shelf / home))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(line.split())
        out, err = capfd.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


CREATE = "detector create new --json "
MISTAKES = {
    "text as video": (CREATE + "--video text.mp4", ["text.mp4", "re-export"]),
    "cut video": (CREATE + "--video cut.mp4", ["cut.mp4", "re-export"]),
    "empty video": (CREATE + "--video empty.mp4", ["empty.mp4", "re-export"]),
    "no such video": (CREATE + "--video nix.mp4", ["nix.mp4: no such file"]),
    "folder as video": (CREATE + "--video pictures", ["pictures", "no such file"]),
    "labels that are not JSON": (CREATE + "--video good.mp4 --labels not_json.json", ["not_json", "COCO"]),
    "no such labels": (CREATE + "--video good.mp4 --labels nix.json", ["nix.json", "No such file"]),
    "box outside": (CREATE + "--images pictures --labels outside.json", ["annotation 1", "outside"]),
    "box without size": (CREATE + "--images pictures --labels zero.json", ["annotation 1", "no size"]),
    "unknown category": (CREATE + "--images pictures --labels category.json", ["category 7", "categories"]),
    "frame beyond the end": (CREATE + "--video good.mp4 --labels beyond.json", ["frame 12", "has 12"]),
    "no frame_index": (CREATE + "--video good.mp4 --labels good.json", ["image 1", "frame_index"]),
    "other shape": (CREATE + "--video good.mp4 --labels shape.json", ["96x96", "192x96"]),
    "labels without images": (CREATE + "--images pictures --labels no_images.json", ["has no images"]),
    "labelled picture missing": (CREATE + "--images pictures --labels missing.json", ["b.jpg", "pictures"]),
    "broken picture": (CREATE + "--images broken --labels good.json", ["a.jpg"]),
    "folder without pictures": (CREATE + "--images empty", ["empty", "no pictures"]),
    "no such folder": (CREATE + "--images nix", ["nix: no such folder"]),
    "broken test video": (
        CREATE + "--images pictures --labels good.json --test-video cut.mp4 --test-labels frame.json",
        ["cut.mp4", "re-export"],
    ),
    "test material without labels": (CREATE + "--images pictures --test-video good.mp4", ["--test-labels"]),
    "name taken": ("detector create raw --images pictures", ["'raw' exists already", "another name"]),
    "name with @": ("detector create a@1 --images pictures", ["'a@1'", "no '@'"]),
    "train an unknown detector": ("detector train nix --json", ["no detector 'nix'", "detector list"]),
    "train without examples": ("detector train raw --json", ["'raw'", "--labels"]),
    "evaluate before train": (
        "detector evaluate raw --video good.mp4 --labels frame.json --json",
        ["'raw' is not trained yet", "detector train raw"],
    ),
    "evaluate a version that is not": (
        "detector evaluate trained@9 --video good.mp4 --labels frame.json",
        ["'trained' has no version 9"],
    ),
    "evaluate a version that is none": (
        "detector evaluate trained@x --video good.mp4 --labels frame.json", ["trained@2"],
    ),
    "evaluate without frame_index": (
        "detector evaluate trained --video good.mp4 --labels good.json", ["image 1", "frame_index"],
    ),
    "compress before train": ("detector compress raw --profile pi-4", ["not trained yet", "train raw"]),
    "nearly a profile": ("detector compress trained --profile pi4", ["did you mean 'pi-4'?"]),
    "unknown bundle": ("bundle export bun_nix --out kit.zip", ["no bundle 'bun_nix'", "bundle list"]),
    "file that is no bundle": ("bundle publish file.zip", ["file.zip"]),
    "bundle file to a server": ("bundle publish a.zip --url http://127.0.0.1:9", ["with --url", "id"]),
    "unknown camera": ("device assign nix --none", ["no device 'nix'"]),
    "nobody there": ("detector list --json --url http://127.0.0.1:9", ["elfowl-cloud serve"]),
    "no address": ("detector list --url nix", ["--url nix", "http://"]),
    "no address either": ("detector list --url http://127.0.0.1:http", ["--url", "http://127.0.0.1:8420"]),
    "delete without --yes": ("detector delete raw", ["--yes"]),
}  # fmt: skip


@pytest.mark.parametrize(("line", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_one_line_and_nothing_is_lost(run: Run, shelf: Path, line: str, words: list[str]) -> None:
    code, out, err = run(line)
    assert (code, out) == (1, "")
    assert err.startswith("elfowl-cloud: ")
    assert err.count("\n") == 1, err
    assert [word for word in words if word not in err] == [], err
    left = json.loads(run("detector list --json")[1])
    assert [(one["name"], len(one["versions"])) for one in left] == [("trained", 1), ("raw", 0)]
    assert not list((shelf / "home").glob("media/*/*"))


@pytest.mark.parametrize("home", ["file", "file/home", "/proc/elfowl"])
@pytest.mark.parametrize("line", ["detector list", "serve --port 0 --broker-port 0"])
def test_home_that_cannot_be_made_is_one_line(run: Run, home: str, line: str) -> None:
    code, out, err = run(line, home)
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert "ELFOWL_HOME" in err


@pytest.mark.parametrize("line", ["serve --broker-port 0 --port {}", "demo --once --broker-port 0 --port {}"])
def test_port_in_use_is_one_line(run: Run, line: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run(line.format(port))
    assert (code, out) == (1, "")
    last = err.splitlines()[-1]
    assert f"port {port} of 127.0.0.1" in last
    assert "--port" in last


def test_broker_port_in_use_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run(f"serve --port 0 --broker-port {port}")
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert f"--broker mqtt://127.0.0.1:{port}" in err
    assert "--broker-port" in err


@pytest.mark.parametrize(
    "line",
    [
        "nix",
        "detector create",
        "detector compress trained",
        "bundle export b",
        "serve --port http",
        "device assign",
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_how(run: Run, line: str) -> None:
    code, out, err = run(line)
    assert (code, out) == (2, "")
    assert "--help" in err


ANSWERS = [
    "profiles --json",
    "detector list --json",
    "detector create one --video good.mp4 --labels frame.json --json",
    "detector add one --images pictures --labels good.json --test --json",
    "detector delete one --yes --json",
    "bundle list --json",
    "device list --json",
    "device token --json",
]


def test_answers_are_json_only(run: Run) -> None:
    for line in ANSWERS:
        code, out, err = run(line, "other-home")
        assert code == 0, (line, err)
        json.loads(out)
        assert err == "", line


def all_commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - click, as typer bundles it
    yield path, command
    if isinstance(command, TyperGroup):
        context = typer.Context(command)
        for name in command.list_commands(context):
            yield from all_commands(command.get_command(context, name), f"{path} {name}")


def test_every_command_argument_and_option_is_explained() -> None:
    found = list(all_commands(typer.main.get_command(app), "elfowl-cloud"))
    assert len(found) > 60
    silent = [path for path, command in found if not command.help]
    silent += [f"{path} {one.name}" for path, command in found for one in command.params if not one.help]
    assert silent == []


def test_command_that_is_misspelt_is_guessed_among_all() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cloud.cli import main; main(['serch'])"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Did you mean 'search'" in " ".join(done.stderr.split())
