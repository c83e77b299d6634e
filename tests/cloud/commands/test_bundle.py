"""`elfowl-cloud bundle`: from a bundle file to a camera that has no cloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from cloud.cli import app
from edge_agent.cli import main as agent_main
from edge_agent.clock import SystemClock
from edge_agent.runtime.bundle import open_bundle
from edge_agent.update.kit import open_kit
from tests.cloud.bundle_files import PROFILE, note_version, write_bundle_file
from tests.cloud.homes import add_detector, make_home
from tests.fakes.console import Console


class Desk:
    """A home folder with a bundle that was taken in from a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = make_home(folder / "home")
        detector_id = add_detector(home)
        note_version(home, detector_id, 1)
        made = write_bundle_file(folder / "made", detector_id)
        self.bundle_id = json.loads(self.run("publish", str(made), "--json").stdout)["id"]
        self.kit = folder / "kits" / "porch.zip"
        self.root = folder / "kits" / "root.json"

    def run(self, *arguments: str) -> Result:
        return Console().invoke(app, ["bundle", *arguments], env={"ELFOWL_HOME": str(self.folder / "home")})

    def keys(self, *arguments: str) -> Result:
        return Console().invoke(app, ["keys", *arguments], env={"ELFOWL_HOME": str(self.folder / "home")})

    def export(self, *arguments: str) -> Result:
        return self.run("export", self.bundle_id, "--out", str(self.kit), *arguments)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_kit_and_root_are_all_that_a_camera_needs(desk: Desk) -> None:
    done = desk.export()
    assert done.exit_code == 0
    opened = open_kit(
        desk.kit,
        desk.root.read_text(),
        state_path=desk.folder / "camera",
        clock=SystemClock(),
        profile=PROFILE,
    )
    assert open_bundle(opened).manifest.heads[0].detector.version == 1
    told = [line.strip() for line in done.stdout.splitlines()[-3:]]
    assert told == [f"profile: {PROFILE}", "bundle: porch.zip", "root: root.json"]
    config = desk.kit.with_name("agent.yaml")
    config.write_text(
        "\n".join(
            [
                "device: porch",
                *told,
                "mqtt: {host: home.local}",
                "cameras: [{name: door, source: clip.mp4}]",
                "",
            ]
        )
    )
    assert agent_main(["check-config", str(config)]) == 0


def test_second_kit_keeps_the_root_of_this_elfowl(desk: Desk) -> None:
    desk.export()
    before = desk.root.stat().st_mtime_ns
    assert json.loads(desk.export("--json").stdout)["root_kept"] is True
    assert desk.root.stat().st_mtime_ns == before


def test_root_of_somebody_else_is_never_replaced(desk: Desk) -> None:
    desk.root.parent.mkdir()
    desk.root.write_text("{}")
    refused = desk.export()
    assert refused.exit_code == 1
    assert "--root-out" in str(refused.exception)
    assert (desk.root.read_text(), desk.kit.exists()) == ("{}", False)
    other = desk.folder / "mine.json"
    assert desk.export("--root-out", str(other)).exit_code == 0
    assert json.loads(other.read_text())["signed"]["_type"] == "root"


def test_bundle_file_without_its_receipt_or_its_detector_is_refused(desk: Desk) -> None:
    made = write_bundle_file(desk.folder / "elsewhere", "det_of_another_home")
    assert "no detector 'det_of_another_home'" in str(desk.run("publish", str(made)).exception)
    made.with_name("receipt.json").unlink()
    assert "keep what elfowl-compress writes together" in str(desk.run("publish", str(made)).exception)
    assert len(json.loads(desk.run("list", "--json").stdout)) == 1


def test_withdrawn_bundle_can_be_published_again_under_a_higher_release(desk: Desk) -> None:
    assert desk.run("withdraw", desk.bundle_id).exit_code == 0
    assert "is not published" in str(desk.run("withdraw", desk.bundle_id).exception)
    assert json.loads(desk.run("publish", desk.bundle_id, "--json").stdout)["release"] == 2


def test_keys_are_shown_changed_and_shared_from_the_command_line(desk: Desk) -> None:
    before = {row["role"]: row for row in json.loads(desk.keys("status", "--json").stdout)}
    assert desk.keys("rotate", "timestamp").exit_code == 0
    owners = desk.folder / "owners"
    shared = desk.keys("init", "--root-keys", "3", "--out", str(owners), "--json")
    after = {row["role"]: row for row in json.loads(shared.stdout)}
    assert after["timestamp"]["keyids"] != before["timestamp"]["keyids"]
    assert (after["root"]["threshold"], len(after["root"]["keyids"]), after["root"]["is_here"]) == (
        2,
        3,
        False,
    )
    two = [option for number in (1, 3) for option in ("--root-key", str(owners / f"root-{number}.pem"))]
    assert desk.keys("rotate", "targets", *two).exit_code == 0
    assert desk.export().exit_code == 0
