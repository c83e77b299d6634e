"""Every profile that is shipped."""

from __future__ import annotations

import pytest

from edge_agent.runtime.profiles import load_profile, profile_names

FIRST_PROFILES = {"arm64-128mb", "pi-4", "pi-5", "pi-zero-2w", "x86-64"}


def test_first_profiles_are_there() -> None:
    assert set(profile_names()) >= FIRST_PROFILES


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
