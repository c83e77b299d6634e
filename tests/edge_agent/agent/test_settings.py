"""Camera settings: changed by several people, kept over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.agent.settings import SettingsStore, merge_desired
from edge_agent.config import CameraConfig
from edge_agent.wire.sync import CameraSettings

CAMERAS = (CameraConfig(name="front", source="a", threshold=0.4), CameraConfig(name="back", source="b"))


def open_store(folder: Path) -> SettingsStore:
    return SettingsStore(folder / "settings.json", CAMERAS)


def test_settings_start_from_the_config(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert store.get("front") == CameraSettings(threshold=0.4)
    assert store.get("back").threshold is None


def test_change_is_told_and_kept_over_restart(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    told: list[tuple[str, CameraSettings]] = []
    store.on_change = lambda camera, settings: told.append((camera, settings))
    store.change("front", detect=False, threshold=0.7)
    assert told == [("front", CameraSettings(detect=False, threshold=0.7))]
    assert open_store(tmp_path).get("front") == CameraSettings(detect=False, threshold=0.7)


def test_cloud_changes_only_what_it_touched(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.change("front", detect=False)
    store.take_desired({"front": CameraSettings(offload=False)})
    assert store.get("front") == CameraSettings(detect=False, offload=False, threshold=0.4)
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


@pytest.mark.parametrize(
    "content", ["", "[]", '{"cameras": 3}', '{"cameras": {"front": {"detect": "maybe"}}}']
)
def test_damaged_file_starts_from_the_config(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    assert open_store(tmp_path).get("front").threshold == 0.4
