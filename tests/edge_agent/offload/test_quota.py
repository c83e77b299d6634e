"""The byte quota: counted by day, over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.offload.quota import ByteQuota
from tests.fakes.clock import FakeClock


def open_quota(folder: Path, clock: FakeClock) -> ByteQuota:
    return ByteQuota(folder / "quota.json", daily_bytes=1000, clock=clock)


def test_quota_is_used_up_and_back_the_next_day(tmp_path: Path) -> None:
    clock = FakeClock()
    quota = open_quota(tmp_path, clock)
    quota.spend(990)
    assert quota.allows(10)
    assert not quota.allows(11)
    clock.advance(86_400)
    assert quota.allows(1000)


def test_quota_survives_clean_restart_exactly(tmp_path: Path) -> None:
    quota = open_quota(tmp_path, FakeClock())
    quota.spend(300)
    quota.close()
    again = open_quota(tmp_path, FakeClock())
    assert again.allows(700)
    assert not again.allows(701)


def test_quota_after_crash_gives_back_nothing(tmp_path: Path) -> None:
    quota = open_quota(tmp_path, FakeClock())
    for _ in range(30):
        quota.spend(10)
    again = open_quota(tmp_path, FakeClock())
    assert not again.allows(701)
    assert again.allows(600), "at most a twentieth is lost"


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"day": "x", "used": 1}', '{"day": null, "used": null}']
)
def test_quota_damaged_file_counts_from_zero(tmp_path: Path, content: str) -> None:
    (tmp_path / "quota.json").write_text(content)
    assert open_quota(tmp_path, FakeClock()).allows(1000)


def test_quota_unwritable_folder_still_counts(tmp_path: Path) -> None:
    quota = ByteQuota(tmp_path / "none" / "quota.json", daily_bytes=100, clock=FakeClock())
    quota.spend(100)
    assert not quota.allows(1)


@pytest.mark.parametrize(("days", "free"), [(-1, False), (-400, True)])
def test_quota_clock_set_back_gives_no_second_day(tmp_path: Path, days: int, free: bool) -> None:
    clock = FakeClock()
    quota = open_quota(tmp_path, clock)
    quota.spend(1000)
    clock.jump_wall_clock(days * 86_400)
    assert quota.allows(1000) is free
