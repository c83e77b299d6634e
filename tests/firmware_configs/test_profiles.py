"""Every profile that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.runtime.profiles import load_profile, profile_names

PROFILES = {
    "arm64-128mb",
    "armv7l",
    "axis-artpec-8",
    "coral-dev-board",
    "intel-n100",
    "jetson-orin-nano",
    "pi-4",
    "pi-5",
    "pi-zero-2w",
    "rk3588",
    "rv1126",
    "x86-64",
}


def test_named_devices_are_there() -> None:
    assert set(profile_names()) == PROFILES


@pytest.mark.parametrize("name", profile_names())
def test_profile_is_sound(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.model_extra in (None, {})
    assert len(set(profile.runtimes)) == len(profile.runtimes)
    # Networks have strides up to 32, and the largest input is the best.
    assert all(side % 32 == 0 for size in profile.input_sizes_px for side in size)
    areas = [width * height for width, height in profile.input_sizes_px]
    assert areas == sorted(areas, reverse=True)


@pytest.mark.parametrize("name", profile_names())
def test_profile_says_where_its_numbers_come_from(name: str) -> None:
    profile = load_profile(name)
    assert all(len(source) > 20 for source in profile.sources)
    assert profile.install.notes.strip()
    speed = any("ms" in source or "target_fps" in source for source in profile.sources)
    assert speed, "the profile names a target_fps without saying what it rests on"


def test_small_camera_keeps_to_its_memory() -> None:
    assert load_profile("arm64-128mb").ram_for_us_bytes == 128 * 1024 * 1024


def test_every_accelerator_says_what_it_takes_and_none_is_claimed() -> None:
    found = {name: accelerator for name in profile_names() if (accelerator := load_profile(name).accelerator)}
    assert set(found) == {"axis-artpec-8", "coral-dev-board", "jetson-orin-nano", "rk3588", "rv1126"}
    # No runtime of ours asks for an accelerator: a profile that says otherwise would be a lie.
    assert [name for name, accelerator in found.items() if accelerator.used] == []
    assert all(len(accelerator.needs) > 20 for accelerator in found.values())


@pytest.mark.parametrize("name", profile_names())
def test_32_bit_profile_has_only_the_runtime_that_exists_there(name: str) -> None:
    profile = load_profile(name)
    assert profile.arch != "armv7l" or profile.runtimes == ("tflite",)


def test_devices_page_has_a_row_for_every_profile() -> None:
    page = (Path(__file__).parents[2] / "docs" / "devices.md").read_text("utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert rows == set(profile_names())
