"""Adding a subnet touches no other file: it lies in the home folder, is listed, tested, used and removed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import Result

from cloud.cli import app
from cloud.errors import ConflictError, InputError
from cloud.subnets import shelf
from cloud.subnets.check import check_subnet
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import all_subnets, built_in, look_in, subnet_by_digest, subnet_by_name
from cloud.subnets.weights import licence_text
from tests.cloud.subnets.networks import write_onnx
from tests.fakes.clock import FakeClock
from tests.fakes.console import Console

LICENSED = ("--licence", "MIT", "--licence-file", "{licence}")
LICENCE = "Do as you like, but leave this text here."


def run(home: Path, *arguments: str) -> Result:
    return Console().invoke(app, ["subnet", *arguments, "--home", str(home)])


def brought(folder: Path, name: str = "tiny", *, operator: str = "Relu") -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    licence = folder / "LICENCE.md"
    licence.write_text(LICENCE)
    return write_onnx(folder / f"{name}.onnx", operator=operator), licence


def said(licence: Path, **more: object) -> shelf.Wanted:
    return shelf.said("tiny.onnx", "MIT", licence, more)


def added(home: Path, folder: Path, **more: object) -> SubnetManifest:
    file, licence = brought(folder)
    return shelf.add(file, said(licence, **more), home)


def test_added_subnet_is_found_by_name_and_digest_and_extracts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    subnet = added(home, tmp_path / "files")
    assert subnet in all_subnets(home)
    assert subnet_by_digest(subnet.sha256, home) == subnet
    maps = shared_extractor(subnet).features(np.zeros((1, 64, 96, 3), np.uint8))
    assert [one.shape for one in maps] == [(1, 8, 12, 12), (1, 4, 6, 16), (1, 2, 3, 20)]
    assert licence_text(subnet) == LICENCE


def test_added_subnet_is_found_without_naming_the_home_once_it_was_opened(tmp_path: Path) -> None:
    subnet = added(tmp_path / "home", tmp_path / "files")
    look_in(tmp_path / "home")
    assert subnet_by_digest(subnet.sha256) == subnet


def test_adding_changes_no_file_of_elfowl(tmp_path: Path) -> None:
    before = built_in()
    subnet = added(tmp_path / "home", tmp_path / "files")
    assert built_in() == before
    written = {path.name for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert written == {"manifest.yaml", "graph.onnx", "LICENSE.txt"}
    assert subnet.folder == tmp_path / "home" / "subnets" / "tiny"


def test_check_finds_nothing_wrong_with_an_added_subnet(tmp_path: Path) -> None:
    findings = check_subnet(added(tmp_path / "home", tmp_path / "files"), FakeClock())
    assert [one.check for one in findings if not one.ok] == []
    assert {"digest", "licence", "levels", "batch", "torch", "translation", "cost"} <= {
        one.check for one in findings
    }


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"macs": 1}, "cost"),
        ({"parameters": 5}, "cost"),
        ({"sha256": "0" * 64}, "digest"),
        ({"licence_file": "gone.txt"}, "licence"),
    ],
)
def test_check_finds_a_manifest_that_is_not_true(
    tmp_path: Path, change: dict[str, object], check: str
) -> None:
    wrong = added(tmp_path / "home", tmp_path / "files").model_copy(update=change)
    assert [one.check for one in check_subnet(wrong, FakeClock()) if not one.ok] == [check]


def test_check_finds_levels_that_are_not_there(tmp_path: Path) -> None:
    subnet = added(tmp_path / "home", tmp_path / "files")
    first = subnet.levels[0].model_copy(update={"channels": 13})
    wrong = subnet.model_copy(update={"levels": (first, *subnet.levels[1:])})
    failed = [one for one in check_subnet(wrong, FakeClock()) if not one.ok]
    assert [one.check for one in failed] == ["levels"]
    assert "12" in failed[0].detail


def test_damaged_graph_is_never_used(tmp_path: Path) -> None:
    subnet = added(tmp_path / "home", tmp_path / "files")
    assert subnet.folder is not None
    with (subnet.folder / "graph.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="not the known ones"):
        shared_extractor(subnet)


def test_same_network_twice_is_refused_by_name_and_by_digest(tmp_path: Path) -> None:
    added(tmp_path / "home", tmp_path / "files")
    with pytest.raises(ConflictError, match="already"):
        added(tmp_path / "home", tmp_path / "files")
    with pytest.raises(ConflictError, match="as subnet 'tiny'"):
        added(tmp_path / "home", tmp_path / "files", name="other")
    assert [one.name for one in all_subnets(tmp_path / "home") if one not in built_in()] == ["tiny"]


def test_other_preprocessing_is_another_subnet(tmp_path: Path) -> None:
    """Its digest is that of what it computes, so cached features cannot be mistaken."""
    first = added(tmp_path / "home", tmp_path / "files")
    second = added(tmp_path / "home", tmp_path / "files", name="scaled", mean=(0, 0, 0), std=(255, 255, 255))
    assert first.sha256 != second.sha256
    assert first.origin == second.origin


@pytest.mark.parametrize("name", ["efficientnet_lite0", "../away", "A B"])
def test_names_that_are_taken_or_unsafe_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises((ConflictError, InputError), match=r"name|already"):
        added(tmp_path / "home", tmp_path / "files", name=name)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("licence", ["", "none", "Unknown", "all rights reserved"])
def test_subnet_needs_a_licence(tmp_path: Path, licence: str) -> None:
    with pytest.raises(InputError, match="licence"):
        shelf.said("tiny.onnx", licence, tmp_path, {})


def test_subnet_needs_its_licence_text(tmp_path: Path) -> None:
    file, licence = brought(tmp_path / "files")
    licence.write_text(" \n")
    with pytest.raises(InputError, match="licence text is missing"):
        shelf.add(file, said(licence), tmp_path / "home")


def write_manifest(folder: Path, **change: object) -> Path:
    brought(folder)
    facts = {"name": "mine", "file": "tiny.onnx", "licence": "MIT", "licence_file": "LICENCE.md", **change}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(facts))
    return path


def test_manifest_says_it_all(tmp_path: Path) -> None:
    levels = [{"tap": "conv2", "stride_px": 8, "channels": 12}, {"tap": "act3"}, {"tap": "act4"}]
    path = write_manifest(tmp_path / "files", levels=levels, source="a test", mean=[1, 2, 3], std=[4, 5, 6])
    made = run(tmp_path / "home", "add", str(path), "--json")
    document = json.loads(made.stdout)
    assert (document["name"], document["source"], document["mean"]) == ("mine", "a test", [1, 2, 3])
    assert [one["tap"] for one in document["levels"]] == ["conv2", "act3", "act4"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"macs": 3}, "macs: 3"),
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"levels": [{"tap": "act2", "channels": 99}, {"tap": "act3"}, {"tap": "act4"}]}, "12 channels"),
        ({"licence": "proprietary"}, "licence"),
        ({"std": [0, 1, 1]}, "std"),
        ({"file": "gone.onnx"}, "gone.onnx: cannot be read"),
    ],
)
def test_manifest_that_is_not_true_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = write_manifest(tmp_path / "files", **change)
    failed = run(tmp_path / "home", "add", str(path))
    assert failed.exit_code != 0
    assert message in str(failed.exception)
    assert [one for one in all_subnets(tmp_path / "home") if one not in built_in()] == []


def test_commands_add_list_test_and_remove(tmp_path: Path) -> None:
    file, licence = brought(tmp_path / "files")
    home = tmp_path / "home"
    options = (
        "--licence",
        "MIT",
        "--licence-file",
        str(licence),
        "--mean",
        "123.7,116.3,103.5",
        "--std",
        "58",
    )
    assert run(home, "add", str(file), *options).exit_code == 0
    listed = json.loads(run(home, "list", "--json").stdout)
    assert [one["name"] for one in listed] == [*(one.name for one in built_in()), "tiny"]
    tested = run(home, "test", "tiny", "--json")
    assert tested.exit_code == 0
    assert json.loads(tested.stdout)["ok"]
    assert run(home, "remove", "tiny").exit_code == 0
    assert len(json.loads(run(home, "list", "--json").stdout)) == len(built_in())


def test_test_of_a_damaged_subnet_fails(tmp_path: Path) -> None:
    subnet = added(tmp_path / "home", tmp_path / "files")
    assert subnet.folder is not None
    (subnet.folder / "graph.onnx").write_bytes(b"")
    failed = run(tmp_path / "home", "test", "tiny", "--json")
    assert failed.exit_code == 1
    assert not json.loads(failed.stdout)["ok"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "{file}"), "--licence"),
        (("add", "{file}", *LICENSED, "--mean", "a,b"), "R,G,B"),
        (("add", "{file}", *LICENSED, "--taps", "a,b,c"), "taps a, b, c"),
        (("add", "{licence}", *LICENSED), "no .onnx"),
        (("test", "tiny"), "no subnet 'tiny'"),
        (("remove", "ssd_mobilenet_v2"), "comes with elfowl"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    file, licence = brought(tmp_path / "files")
    failed = run(tmp_path / "home", *(one.format(file=file, licence=licence) for one in arguments))
    assert failed.exit_code != 0
    assert message in str(failed.exception)


def test_damaged_manifest_is_named_and_hides_no_subnet_of_elfowl(tmp_path: Path) -> None:
    subnet = added(tmp_path / "home", tmp_path / "files")
    assert subnet.folder is not None
    (subnet.folder / "manifest.yaml").write_text("name: [")
    with pytest.raises(InputError, match=r"tiny/manifest\.yaml"):
        all_subnets(tmp_path / "home")
    for one in built_in():
        assert subnet_by_name(one.name, tmp_path / "home") is one
        assert subnet_by_digest(one.sha256, tmp_path / "home") is one


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_network_is_refused_or_read_but_never_crashes(tmp_path: Path, seed: int) -> None:
    file, licence = brought(tmp_path / "files")
    content = bytearray(file.read_bytes())
    random = np.random.default_rng(seed)
    content[random.integers(len(content) // 8)] = random.integers(256)
    content[random.integers(len(content))] = random.integers(256)
    file.write_bytes(content)
    try:
        facts = shelf.inspect(file, said(licence))
    except InputError:
        return
    assert [tap.stride_px for tap in facts.taps] == [8, 16, 32]


def test_remove_keeps_a_subnet_that_a_detector_builds_on(tmp_path: Path) -> None:
    subnet = added(tmp_path / "home", tmp_path / "files")
    version = tmp_path / "home" / "detectors" / "d1" / "v1"
    version.mkdir(parents=True)
    (version / "spec.json").write_text(json.dumps({"subnet": {"sha256": subnet.sha256}}))
    with pytest.raises(ConflictError, match="d1"):
        shelf.remove("tiny", tmp_path / "home")
    (version / "spec.json").unlink()
    shelf.remove("tiny", tmp_path / "home")
    assert subnet not in all_subnets(tmp_path / "home")
