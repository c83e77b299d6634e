"""Camera settings: changed by several people, kept over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.agent.settings import SettingsStore, merge_desired
from edge_agent.config import CameraConfig
from edge_agent.wire.rules import CameraRules, ZoneRule
from edge_agent.wire.sync import CameraSettings
from tests.edge_agent.update.faulty_disk import FaultyDisk, PowerCut
from tests.edge_agent.update.forgetful_disk import WORLDS, ForgetfulDisk, World

CAMERAS = (CameraConfig(name="front", source="a", threshold=0.4), CameraConfig(name="back", source="b"))
NONE = CameraRules()
PATH = CameraRules(zones=(ZoneRule(name="path", corners=((0.0, 0.0), (1.0, 0.0), (0.5, 1.0))),))
OFTEN = CameraRules(look_every_s=2.0)


def open_store(folder: Path) -> SettingsStore:
    return SettingsStore(folder / "settings.json", CAMERAS)


def test_settings_start_from_the_config(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.get("front") == CameraSettings(threshold=0.4, rules=NONE)
    assert store.get("back").threshold is None


def test_change_is_told_and_kept_over_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    told: list[tuple[str, CameraSettings]] = []
    store.on_change = lambda camera, settings: told.append((camera, settings))
    store.change("front", detect=False, threshold=0.7)
    changed = CameraSettings(detect=False, threshold=0.7, rules=NONE)
    assert told == [("front", changed)]
    assert open_store(tmp_path).get("front") == changed


def test_cloud_changes_only_what_it_touched(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.change("front", detect=False)
    store.take_desired({"front": CameraSettings(offload=False)})
    assert store.get("front") == CameraSettings(detect=False, offload=False, threshold=0.4, rules=NONE)
    store.change("front", offload=True)
    store.take_desired({"front": CameraSettings(offload=False)})
    assert store.get("front").offload is True, "the same wish again is no new wish"
    again = open_store(tmp_path)
    again.take_desired({"front": CameraSettings(offload=False)})
    assert again.get("front").offload is True
    again.take_desired({"front": CameraSettings(offload=False, threshold=0.9)})
    assert again.get("front").threshold == 0.9


def test_cloud_naming_unknown_camera_changes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.take_desired({"garage": CameraSettings(detect=False)})
    assert set(store.all()) == {"front", "back"}


def test_merge_takes_only_differences() -> None:
    own = CameraSettings(detect=False, threshold=0.3)
    merged = merge_desired(own, CameraSettings(), CameraSettings(snapshots=False))
    assert merged == CameraSettings(detect=False, snapshots=False, threshold=0.3)


def with_rules(rules: CameraRules) -> tuple[CameraConfig, ...]:
    return (CameraConfig(name="front", source="a", rules=rules),)


def test_rules_of_the_config_file_hold_after_it_was_edited(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    SettingsStore(file, with_rules(OFTEN)).change("front", detect=False)
    edited = SettingsStore(file, with_rules(PATH))
    assert edited.get("front") == CameraSettings(detect=False, rules=PATH)
    assert edited.are_own_rules("front")


def test_rules_of_the_cloud_come_before_the_config_file_until_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    store = SettingsStore(file, with_rules(OFTEN))
    told: list[CameraSettings] = []
    store.on_change = lambda _camera, settings: told.append(settings)
    store.take_desired({"front": CameraSettings(rules=PATH)})
    again = SettingsStore(file, with_rules(OFTEN))
    assert again.all()["front"].rules == PATH
    assert not again.are_own_rules("front")
    store.take_desired({"front": CameraSettings()})
    assert [settings.rules for settings in told] == [PATH, OFTEN]


def test_rules_of_the_cloud_may_be_none_at_all(tmp_path: Path) -> None:
    store = SettingsStore(tmp_path / "settings.json", with_rules(PATH))
    store.take_desired({"front": CameraSettings(rules=NONE)})
    assert store.get("front").rules == NONE


@pytest.mark.parametrize(
    "content", ["", "[]", '{"cameras": 3}', '{"cameras": {"front": {"detect": "maybe"}}}']
)
def test_damaged_file_starts_from_the_config(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    assert open_store(tmp_path).get("front").threshold == 0.4


@pytest.mark.parametrize("world", WORLDS)
def test_privacy_switch_that_was_turned_holds_after_a_power_cut(tmp_path: Path, world: World) -> None:
    disk = ForgetfulDisk(tmp_path)
    store = SettingsStore(tmp_path / "settings.json", CAMERAS, disk)
    store.change("front", detect=False)
    disk.lose_power(world)
    assert open_store(tmp_path).get("front").detect is False


@pytest.mark.parametrize("step", range(3))
def test_power_cut_while_settings_are_written_leaves_the_old_or_the_new_ones(
    tmp_path: Path, step: int
) -> None:
    open_store(tmp_path).change("front", threshold=0.6)
    memory = ForgetfulDisk(tmp_path)
    store = SettingsStore(tmp_path / "settings.json", CAMERAS, FaultyDisk(step, disk=memory))
    with pytest.raises(PowerCut):
        store.change("front", detect=False)
    memory.lose_power()
    after = open_store(tmp_path).get("front")
    assert after.threshold == 0.6, "nothing starts from the config file again"
    assert after.detect is (step < 2) or step == 2, "a new name may or may not last without a sync"
