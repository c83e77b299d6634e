"""Profiles by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import find_profile, load_profile, parse_profile, profile_names


def test_unknown_name_lists_all_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pi-zero-2w'") as caught:
        load_profile("Pi-Zero-2")
    assert all(name in str(caught.value) for name in profile_names())


@pytest.mark.parametrize("name", ["../pyproject", "", "pi-4.yaml", "zzzzzz"])
def test_odd_name_is_only_unknown(name: str) -> None:
    with pytest.raises(ConfigError, match="no device profile"):
        load_profile(name)


GOOD = """\
schema: 1
name: my-box
title: A box
arch: x86_64
ram_for_us_bytes: 1048576
storage_bytes: 1048576
runtimes: [litert]
input_sizes_px: [[320, 256]]
target_fps: 5
install: {kind: systemd, notes: none}
sources: [my own choice]
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("schema: 1", "a: [", "x.yaml:3: not YAML"),
        ("schema: 1", "schema: 2", "x.yaml:1: schema: "),
        (GOOD, "- 1", "x.yaml:1: the file must be a list of"),
        ("threads", "thread", "did you mean 'threads'?"),
        (
            "ram_for_us_bytes",
            "ram_for_us_mb",
            "x.yaml:5: ram_for_us_mb: unknown key; did you mean 'ram_for_us",
        ),
        (
            "kind: systemd",
            "kind: systemd, note: x",
            "x.yaml:10: install.note: unknown key; did you mean 'notes'?",
        ),
        ("1048576", "128MB", "x.yaml:5: ram_for_us_bytes: "),
        ("target_fps: 5", "target_fps: 5\ntarget_fps: 6", "x.yaml:10: 'target_fps' stands already in line 9"),
        ("title: A box\n", "", "x.yaml:1: title: missing; add it"),
    ],
)
def test_wrong_profile_is_refused_with_line_and_cure(old: str, new: str, words: str) -> None:
    text = (GOOD + "threads: 1\n").replace(old, new, 1)
    with pytest.raises(ConfigError) as caught:
        parse_profile(text, "x.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_profile_is_found_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "box.yaml").write_text(GOOD)
    assert find_profile(str(tmp_path / "box.yaml")).name == "my-box"
    assert find_profile("pi-4") == load_profile("pi-4")


def test_own_profile_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file"):
        find_profile(str(tmp_path / "none.yaml"))


def test_known_profiles_are_never_read_from_a_path(tmp_path: Path) -> None:
    (tmp_path / "box.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match="no device profile"):
        load_profile(str(tmp_path / "box.yaml"))
