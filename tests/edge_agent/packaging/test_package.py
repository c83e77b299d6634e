"""What `elfowl-agent package` writes for each device."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest
import yaml

from edge_agent.agent.progress import LATE_S, STUCK_S
from edge_agent.cli import main
from edge_agent.config import load_config
from edge_agent.errors import ConfigError
from edge_agent.packaging.folder import RECORD_FILE, write_package
from edge_agent.packaging.make import make_package
from edge_agent.packaging.request import PackageRequest
from edge_agent.packaging.templates import fill, runtime_extras
from edge_agent.runtime.profiles import is_small, load_profile, profile_names

CONFIG = """\
device: porch
profile: pi-4
state_dir: /var/lib/elfowl
bundle: starter
mqtt: {host: broker}
cameras:
  - {name: front, source: rtsp://camera/1}
"""
SYSTEMD = [name for name in profile_names() if load_profile(name).install.kind == "systemd"]
CONTAINERS = [name for name in profile_names() if not load_profile(name).install.system_packages]


def make(folder: Path, profile: str = "pi-4", config: str | None = None, **more: str) -> dict[str, str]:
    """Make a package and return its files as text."""
    if config is not None:
        (folder / "mine.yaml").write_text(config)
    request = PackageRequest(
        profile,
        folder / "out",
        folder / "mine.yaml" if config is not None else None,
        kit=folder / more["kit"] if "kit" in more else None,
        wheel=folder / more["wheel"] if "wheel" in more else None,
        kind=more.get("kind"),
    )
    return {path.name: path.read_bytes().decode("utf-8", "replace") for path in make_package(request)}


def unit_settings(text: str) -> list[tuple[str, str, str]]:
    """Parse a unit strictly: section, key, value; anything else fails."""
    section, settings = "", []
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(Unit|Service|Install)\]", line):
            section = header[1]
        elif line and not line.startswith("#"):
            pair = re.fullmatch(r"([A-Z][A-Za-z0-9]+)=(.*)", line)
            assert pair is not None, f"no setting: {line!r}"
            assert section
            settings.append((section, pair[1], pair[2]))
    return settings


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_gives_a_whole_package(tmp_path: Path, profile: str) -> None:
    files = make(tmp_path, profile)
    assert {"README.md", "agent.yaml"} <= set(files)
    assert not [name for name, text in files.items() if re.search(r"@[A-Z][A-Z_]*@", text)]
    assert load_profile(profile).install.notes in files["README.md"]
    commands = files["README.md"].split("```sh\n")[1].split("```")[0].strip().splitlines()
    assert len(commands) == 3
    assert load_config(tmp_path / "out" / "agent.yaml").profile == profile


@pytest.mark.parametrize("profile", SYSTEMD)
def test_unit_is_hardened_and_keeps_to_the_profile(tmp_path: Path, profile: str) -> None:
    settings = unit_settings(make(tmp_path, profile)["elfowl-agent.service"])
    values = {key: value for section, key, value in settings if section == "Service"}
    assert values["MemoryMax"] == str(load_profile(profile).ram_for_us_bytes)
    assert int(values["MemoryHigh"]) < int(values["MemoryMax"])
    assert values["User"] == "elfowl"
    assert values["ProtectSystem"] == "strict"
    assert values["NoNewPrivileges"] == values["PrivateDevices"] == "yes"
    assert values["CapabilityBoundingSet"] == ""
    assert values["StateDirectory"] == "elfowl"
    assert values["Restart"] == "always"
    assert values["Type"] == "notify"
    # A thread that stands still starves the watchdog before the agent itself gives up.
    assert LATE_S < int(values["WatchdogSec"]) < STUCK_S


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("config", [None, CONFIG.replace("rtsp://camera/1", "0")])
def test_unit_is_understood_by_systemd(tmp_path: Path, config: str | None) -> None:
    unit = tmp_path / "elfowl-agent.service"
    text = make(tmp_path, config=config)["elfowl-agent.service"]
    # The agent is not installed here; everything else is verified as it is.
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "elfowl-agent" in line] == []


@pytest.mark.parametrize("profile", SYSTEMD)
def test_install_script_is_sound_shell_for_its_device(tmp_path: Path, profile: str) -> None:
    script = make(tmp_path, profile)["install.sh"]
    for shell in ("bash", "sh"):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert load_profile(profile).arch in script
    assert (tmp_path / "out" / "install.sh").stat().st_mode & 0o111


@pytest.mark.parametrize("profile", profile_names())
def test_package_of_a_small_device_alone_leaves_explanations_out_of_code(
    tmp_path: Path, profile: str
) -> None:
    files = make(tmp_path, profile, CONFIG.replace("pi-4", profile))
    is_lean = any("PYTHONOPTIMIZE=2 elfowl-venv/bin/elfowl-agent run" in text for text in files.values())
    assert is_lean == is_small(load_profile(profile).ram_for_us_bytes)


def test_install_script_refuses_a_foreign_machine_before_it_changes_anything(tmp_path: Path) -> None:
    make(tmp_path)
    script = tmp_path / "out" / "install.sh"
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name, answer in (("id", "0"), ("uname", "riscv64")):
        (fakes / name).write_text(f"#!/bin/sh\necho {answer}\n")
        (fakes / name).chmod(0o755)
    env = {"PATH": f"{fakes}:/usr/bin:/bin"}
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert "is for aarch64, this machine is riscv64" in done.stderr
    (fakes / "uname").write_text("#!/bin/sh\necho aarch64\n")
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, env=env, check=False)
    assert "names no camera yet" in done.stderr


@pytest.mark.parametrize("profile", CONTAINERS)
def test_container_runs_without_root_and_writes_only_its_state(tmp_path: Path, profile: str) -> None:
    files = make(tmp_path, profile, kind="container")
    service = yaml.safe_load(files["compose.yaml"])["services"]["elfowl-agent"]
    assert service["read_only"]
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["mem_limit"] == load_profile(profile).ram_for_us_bytes
    assert "ports" not in service
    assert "\nUSER 10001:10001\n" in files["Containerfile"]


def test_container_for_an_architecture_without_wheels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use --kind systemd"):
        make(tmp_path, "armv7l", kind="container")


@pytest.mark.parametrize(
    ("profile", "extras"),
    [("pi-4", ("litert",)), ("x86-64", ("onnx", "litert")), ("armv7l", ("tflite",)), ("rv1126", ("litert",))],
)
def test_extras_are_the_preferred_runtime_and_what_the_starter_needs(
    profile: str, extras: tuple[str, ...]
) -> None:
    loaded = load_profile(profile)
    assert runtime_extras(loaded, loaded.install.kind) == extras


def test_axis_outline_is_json(tmp_path: Path) -> None:
    outline = json.loads(make(tmp_path, "axis-artpec-8")["manifest.json"])
    assert outline["acapPackageConf"]["setup"]["appName"] == "elfowl"


def test_settings_of_ones_own_travel_unchanged_and_unreadable_for_others(tmp_path: Path) -> None:
    assert make(tmp_path, config=CONFIG)["agent.yaml"] == CONFIG
    assert (tmp_path / "out" / "agent.yaml").stat().st_mode & 0o777 == 0o600


def test_webcam_gets_its_device_and_no_other(tmp_path: Path) -> None:
    config = CONFIG.replace("rtsp://camera/1", "0")
    unit = make(tmp_path, config=config)["elfowl-agent.service"]
    assert ("Service", "DeviceAllow", "char-video4linux rw") in unit_settings(unit)
    assert "PrivateDevices" not in unit
    (tmp_path / "box").mkdir()
    compose = make(tmp_path / "box", config=config, kind="container")["compose.yaml"]
    assert yaml.safe_load(compose)["services"]["elfowl-agent"]["devices"] == ["/dev/video0"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("profile: pi-4", "profile: pi-5", "its profile is pi-5, but --profile is pi-4"),
        ("state_dir: /var/lib/elfowl\n", "", "write state_dir: /var/lib/elfowl"),
        ("bundle: starter", "bundle: k.zip\nroot: root.json", "give that file with --kit"),
        ("device: porch", "devise: porch", "mine.yaml:1: devise: unknown key; did you mean 'device'?"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        make(tmp_path, config=CONFIG.replace(old, new))
    assert not (tmp_path / "out").exists()


def test_kit_root_and_wheel_travel_and_are_installed(tmp_path: Path) -> None:
    names = ("porch.zip", "root.json", "elfowl-0.1.0-py3-none-any.whl")
    for name in names:
        (tmp_path / name).write_text(name)
    files = make(tmp_path, kit="porch.zip", wheel=names[2])
    assert {name: files[name] for name in names} == {name: name for name in names}
    assert "for file in README.md porch.zip root.json; do" in files["install.sh"]
    assert "requirement='./elfowl-0.1.0-py3-none-any.whl[litert,onvif]'" in files["install.sh"]
    config = load_config(tmp_path / "out" / "agent.yaml")
    assert config.bundle == str(tmp_path / "out" / "porch.zip")


@pytest.mark.parametrize(
    ("kit", "words"),
    [("none.zip", "--kit"), ("$(reboot).zip", "rename this file"), ("install.sh", "rename yours")],
)
def test_odd_kits_are_refused(tmp_path: Path, kit: str, words: str) -> None:
    (tmp_path / "root.json").write_text("{}")
    if kit != "none.zip":
        (tmp_path / kit).write_text("kit")
    with pytest.raises(ConfigError, match=re.escape(words)):
        make(tmp_path, kit=kit)


def test_profile_of_ones_own_travels_with_the_package(tmp_path: Path) -> None:
    known = resources.files("firmware_configs").joinpath("pi-4.yaml").read_text("utf-8")
    (tmp_path / "box.yaml").write_text(known.replace("name: pi-4", "name: box"))
    files = make(tmp_path, str(tmp_path / "box.yaml"))
    assert "for file in README.md box.yaml; do" in files["install.sh"]
    assert load_config(tmp_path / "out" / "agent.yaml").profile == str(tmp_path / "out" / "box.yaml")


def test_same_request_gives_the_same_bytes_and_may_be_repeated(tmp_path: Path) -> None:
    first = make(tmp_path)
    assert make(tmp_path) == first
    (tmp_path / "else").mkdir()
    assert make(tmp_path / "else") == first


def test_files_of_an_earlier_kind_go_and_foreign_ones_stay(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    make(tmp_path, kind="container")
    there = {path.name for path in (tmp_path / "out").iterdir()}
    written = {"Containerfile", "README.md", "agent.yaml", "compose.yaml", RECORD_FILE}
    assert there == written | {"notes.txt"}


@pytest.mark.parametrize("changed", ["README.md", "agent.yaml"])
def test_changed_file_is_not_overwritten_and_nothing_else_is_written(tmp_path: Path, changed: str) -> None:
    make(tmp_path)
    (tmp_path / "out" / changed).write_text("mine")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(ConfigError, match="was not written by this command, or was changed since"):
        make(tmp_path, kind="container")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_run_that_was_cut_off_may_be_repeated(tmp_path: Path) -> None:
    write_package(tmp_path, {"a": b"old", "b": b"old"})
    (tmp_path / "a").write_bytes(b"new")
    write_package(tmp_path, {"a": b"new", "b": b"new"})
    assert (tmp_path / "b").read_bytes() == b"new"


def test_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    with pytest.raises(ConfigError, match="not written by this command"):
        write_package(tmp_path, {"README.md": b"x"})


def test_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "target").write_text("mine")
    (tmp_path / "out" / "README.md").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigError, match="not written by this command"):
        write_package(tmp_path / "out", {"README.md": b"x"})
    assert (tmp_path / "target").read_text() == "mine"


def test_mark_without_a_value_is_a_bug() -> None:
    assert fill("@A@ ~@privileged user@host", {"A": "1"}) == "1 ~@privileged user@host"
    with pytest.raises(KeyError):
        fill("@B@", {"A": "1"})


def test_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["package", "--profile", "pi-4", "--out", str(tmp_path / "p")]) == 0
    out = capsys.readouterr().out
    assert all(f"wrote {tmp_path / 'p' / name}" in out for name in ("install.sh", "elfowl-agent.service"))
    assert main(["package", "--profile", "pi4", "--out", str(tmp_path / "q")]) == 1
    assert "did you mean 'pi-4'?" in capsys.readouterr().err
