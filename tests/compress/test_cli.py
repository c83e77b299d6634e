"""The command line: mistakes are told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.cli import app
from tests.cloud.bundle_files import note_version
from tests.cloud.homes import add_detector, make_home
from tests.fakes.console import Console

RUNNER = Console()


class Run:
    """What a command line left behind."""

    def __init__(self, folder: Path, detector: str, profile: str = "pi-4", *more: str) -> None:
        arguments = ["run", detector, "--profile", profile, "--out", str(folder / "o"), "--json", *more]
        self.done = RUNNER.invoke(app, arguments, env={"ELFOWL_HOME": str(folder / "home")})

    def is_one_line_with(self, *words: str) -> bool:
        """Return whether it failed with one line on stderr that has these words, and nothing on stdout."""
        err = self.done.stderr
        assert (self.done.exit_code, self.done.stdout) == (1, "")
        assert err.startswith("elfowl-compress: ")
        assert err.count("\n") == 1
        return all(word in err for word in words)


@pytest.mark.parametrize(
    ("profile", "words"),
    [("pi4", ["'pi4'", "did you mean 'pi-4'?"]), ("toaster", ["'toaster'", "Known profiles: "])],
)
def test_unknown_profile_names_the_nearest_and_all(tmp_path: Path, profile: str, words: list[str]) -> None:
    assert Run(tmp_path, "tiny", profile).is_one_line_with(*words)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--max-ram", "64", ["--max-ram '64' is no size", "such as 64MB"]),
        ("--max-bytes", "2 megs", ["--max-bytes '2 megs'"]),
        ("--max-ms", "soon", ["--max-ms 'soon' is no time"]),
        ("--min-ap", "85", ["--min-ap '85' is no share", "0.85"]),
        ("--classes", "a,,b", ["--classes", "empty name"]),
        ("--forms", "tflite", ["no form 'tflite'", "tflite-int8"]),
    ],
)
def test_wrong_limit_is_told_before_anything_is_loaded(
    tmp_path: Path, option: str, value: str, words: list[str]
) -> None:
    assert Run(tmp_path, "tiny", "pi-4", option, value).is_one_line_with(*words)
    assert not (tmp_path / "o").exists()


def test_profile_named_twice_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    assert Run(tmp_path, "tiny", "pi-4", "--profile", "pi-4").is_one_line_with("pi-4 is named twice")
    assert not (tmp_path / "o").exists()


def test_several_detectors_for_several_devices_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    run = Run(tmp_path, "tiny", "pi-4", "--profile", "pi-5", "other")
    assert run.is_one_line_with("one device at a time")
    assert not (tmp_path / "o").exists()


def test_file_where_the_folder_should_be_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("mine")
    assert Run(tmp_path, "tiny").is_one_line_with("--out", "is a file")
    assert (tmp_path / "o").read_text() == "mine"


@pytest.mark.slow  # torch is imported
def test_unknown_or_untrained_detector_is_told_apart(tmp_path: Path) -> None:
    asked = "no trained detector 'nix'", f"in the home folder {tmp_path / 'home'}"
    assert Run(tmp_path, "nix").is_one_line_with(*asked, "where nothing is yet", "ELFOWL_HOME=DIR")
    home = make_home(tmp_path / "home")
    add_detector(home, "raw")
    assert Run(tmp_path, "nix").is_one_line_with(*asked, "`elfowl-cloud detector list` shows")
    note_version(home, add_detector(home, "trained"), 1)
    assert Run(tmp_path, "raw").is_one_line_with("'raw' is not trained yet", "detector train raw")
    assert Run(tmp_path, "trained@7").is_one_line_with("'trained' has no version 7")
    assert Run(tmp_path, "trained").is_one_line_with("spec.json", "cannot be read")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "tiny", "--profile", "pi-4"], ["walk"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
