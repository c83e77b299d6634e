"""Profiles of machines at hand, and the table of the known ones."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from compress.cli import app
from compress.profile_measure import _arch, cgroup_limit_bytes
from compress.profile_new import MachineFacts, RuntimeFacts, measured_profile, name_of, profile_yaml
from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import find_profile, load_profile, parse_profile, profile_names
from tests.fakes.console import Console

RUNNER = Console()
MIB = 1 << 20
FACTS = MachineFacts(
    processor="A board",
    arch="aarch64",
    cores=4,
    memory_available_bytes=401 * MIB,
    memory_total_bytes=512 * MIB,
    cgroup_limit_bytes=None,
    storage_free_bytes=1000 * MIB,
    has_systemd=True,
    python="3.11.2",
    runtimes=(RuntimeFacts("onnx", "1.31"), RuntimeFacts("litert", "2.3", 80.0, 90 * MIB)),
)


def test_measured_profile_says_when_and_on_what_it_was_measured() -> None:
    profile = measured_profile(FACTS, "attic", "2026-11-29")
    assert profile.name == "attic"
    assert "2026-11-29" in profile.sources[0]
    assert "A board, aarch64, 4 cores" in profile.sources[0]
    assert any("litert 2.3: 80.0 ms" in source and "90 MiB" in source for source in profile.sources)
    assert any("onnx 1.31 is installed; not timed" in source for source in profile.sources)
    assert profile.install.kind == "systemd"


def test_timed_runtime_comes_before_one_that_was_not_timed() -> None:
    runtimes = (*FACTS.runtimes, RuntimeFacts("tflite", "2.14", 70.0))
    profile = measured_profile(replace(FACTS, runtimes=runtimes), "attic", "2026-11-29")
    assert profile.runtimes == ("tflite", "litert", "onnx")


@pytest.mark.parametrize(
    ("available", "cgroup", "expected"),
    [(401, None, 200), (401, 128, 64), (401, 9000, 200), (9000, None, 1024), (1, None, 1)],
)
def test_memory_is_half_of_what_is_free_and_allowed(
    available: int, cgroup: int | None, expected: int
) -> None:
    limit_bytes = None if cgroup is None else cgroup * MIB
    facts = replace(FACTS, memory_available_bytes=available * MIB, cgroup_limit_bytes=limit_bytes)
    assert measured_profile(facts, "attic", "2026-11-29").ram_for_us_bytes == expected * MIB


@pytest.mark.parametrize(
    ("starter_ms", "fps", "largest"),
    [(15.0, 15.0, (512, 384)), (33.0, 15.0, (384, 288)), (80.0, 5.0, (384, 288)), (9999.0, 2.0, (224, 160))],
)
def test_goal_is_what_half_a_core_can_do(starter_ms: float, fps: float, largest: tuple[int, int]) -> None:
    facts = replace(FACTS, runtimes=(RuntimeFacts("litert", "2.3", starter_ms),))
    profile = measured_profile(facts, "attic", "2026-11-29")
    assert (profile.target_fps, profile.input_sizes_px[0]) == (fps, largest)


@pytest.mark.parametrize(
    ("facts", "words"),
    [(replace(FACTS, runtimes=()), "pip install 'elfowl"), (replace(FACTS, arch="riscv64"), "riscv64")],
)
def test_machine_that_cannot_run_elfowl_is_told_why(facts: MachineFacts, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        measured_profile(facts, "attic", "2026-11-29")


@pytest.mark.parametrize("name", profile_names())
def test_yaml_of_a_profile_reads_back_as_the_same(name: str) -> None:
    profile = load_profile(name)
    assert parse_profile(profile_yaml(profile), name) == profile


@pytest.mark.parametrize(
    ("host", "name"), [("Pi.Attic_2", "pi-attic-2"), ("--", "my-device"), ("x" * 80, "x" * 64)]
)
def test_name_is_made_of_the_host(host: str, name: str) -> None:
    assert name_of(host) == name


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({}, "", None),
        ({"a/b/memory.max": "max", "a/memory.max": "300", "memory.max": "500"}, "0::/a/b\n", 300),
        ({"a/memory.max": "max"}, "0::/a\n", None),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, "5:memory:/x\n", None),
        ({"memory/memory.limit_in_bytes": "128"}, "5:memory:/x\n", 128),
    ],
)
def test_cgroup_limit_is_the_smallest_on_the_way_up(
    tmp_path: Path, files: dict[str, str], membership: str, expected: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(text + "\n")
    (tmp_path / "cgroup").write_text(membership)
    assert cgroup_limit_bytes(tmp_path / "fs", tmp_path / "cgroup") == expected


@pytest.mark.parametrize(
    ("machine", "is_64_bit", "arch"),
    [("aarch64", True, "aarch64"), ("aarch64", False, "armv7l"), ("x86_64", True, "x86_64")],
)
def test_32_bit_system_on_a_64_bit_kernel_is_32_bit(machine: str, arch: str, *, is_64_bit: bool) -> None:
    assert _arch(machine, is_64_bit=is_64_bit) == arch


@pytest.mark.slow  # runs the starter network in a process of its own
def test_new_measures_this_machine_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    done = RUNNER.invoke(app, ["profile", "new", "--name", "box", "--out", str(path)])
    assert done.exit_code == 0, done.stderr
    profile = find_profile(str(path))
    assert profile.name == "box"
    assert any(" ms (median)" in source for source in profile.sources)
    again = RUNNER.invoke(app, ["profile", "new", "--name", "box", "--out", str(path)])
    assert again.exit_code == 1
    assert "give the name of a new .yaml file" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "--name", "My Box", "--out", "x.yaml"], "for example 'my-box'"),
        (["new", "--name", "box", "--out", "x.json"], "new .yaml file"),
        (["show", "pi4"], "did you mean 'pi-4'?"),
        (["show", "none.yaml"], "none.yaml: No such file"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], words: str) -> None:
    done = RUNNER.invoke(app, ["profile", *arguments])
    assert (done.exit_code, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_run_takes_a_profile_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "box.yaml").write_text("schema: 1\nnaim: box\n")
    arguments = ["run", "tiny", "--profile", str(tmp_path / "box.yaml"), "--out", str(tmp_path / "o")]
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 1
    assert "box.yaml:2: naim: unknown key; did you mean 'name'?" in done.stderr


def test_list_shows_every_profile_in_a_row_and_as_json() -> None:
    lines = RUNNER.invoke(app, ["profile", "list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(profile_names())
    listed = json.loads(RUNNER.invoke(app, ["profile", "list", "--json"]).stdout)
    assert [profile["name"] for profile in listed] == list(profile_names())


def test_show_prints_what_can_be_read_again() -> None:
    shown = RUNNER.invoke(app, ["profile", "show", "pi-4"]).stdout
    assert parse_profile(shown, "shown") == load_profile("pi-4")


@pytest.mark.slow  # a fresh interpreter
def test_profile_commands_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from compress import cli, profile_measure\n"
        "sys.exit(bool({'torch', 'litert_torch', 'onnx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
