"""Key frames: found again, encrypted, bound."""

from __future__ import annotations

import stat
from pathlib import Path
from shutil import rmtree

import pytest

from edge_agent.errors import StorageError
from edge_agent.report.keyframes import KeyFrames
from edge_agent.wire.sync import FrameWanted
from tests.fakes.clock import FakeClock

T = 1_800_000_000.0


def open_ring(folder: Path, clock: FakeClock, max_bytes: int = 10**6, daily_bytes: int = 10**6) -> KeyFrames:
    key_file = folder / "keyframes.key"
    return KeyFrames(folder / "frames", key_file, max_bytes=max_bytes, daily_bytes=daily_bytes, clock=clock)


def of_event(event_id: str) -> FrameWanted:
    return FrameWanted(request_id="r", event_id=event_id)


def at(camera: str, time_s: float) -> FrameWanted:
    return FrameWanted(request_id="r", camera=camera, time=time_s)


@pytest.fixture
def ring(tmp_path: Path) -> KeyFrames:
    return open_ring(tmp_path, FakeClock())


def test_event_frame_is_found_by_id_also_after_restart(tmp_path: Path, ring: KeyFrames) -> None:
    assert ring.add("front", T, b"jpeg", event_id="abc_123")
    assert ring.find(of_event("abc_123")) == b"jpeg"
    assert open_ring(tmp_path, FakeClock()).find(of_event("abc_123")) == b"jpeg"
    assert ring.find(of_event("another")) is None


def test_event_id_cannot_leave_the_folder(tmp_path: Path, ring: KeyFrames) -> None:
    assert ring.add("front", T, b"jpeg", event_id="../../../etc/passwd")
    assert ring.find(of_event("../../../etc/passwd")) == b"jpeg"
    assert {path.parent for path in tmp_path.rglob("*.enc")} == {tmp_path / "frames" / "front"}


@pytest.mark.parametrize(
    ("time_s", "found"),
    [
        (T, b"0"),
        (T + 1.2, b"1"),
        (T + 1.8, b"2"),
        (T - 3, b"0"),
        (T + 8, None),
        (T - 20, None),
        (T + 3.9, b"3"),
    ],
)
def test_missed_at_time_gives_nearest_frame_of_that_camera(
    ring: KeyFrames, time_s: float, found: bytes | None
) -> None:
    for second in range(4):
        assert ring.add("front", T + second, str(second).encode())
    ring.add("back", T + 8, b"other camera")
    assert ring.find(at("front", time_s), tolerance_s=4.5) == found


def test_event_frame_gone_falls_back_to_time(ring: KeyFrames) -> None:
    ring.add("front", T, b"near")
    assert ring.find(FrameWanted(request_id="r", event_id="gone", camera="front", time=T + 1)) == b"near"


def test_frames_of_no_event_are_at_most_one_a_second(ring: KeyFrames) -> None:
    kept = [ring.add("front", T + tenth / 10, b"x") for tenth in range(30)]
    assert sum(kept) == 3
    assert ring.add("back", T, b"x"), "each camera has its own second"


def test_wall_clock_jump_back_does_not_stop_frames(ring: KeyFrames) -> None:
    assert ring.add("front", T, b"x")
    assert ring.add("front", T - 5000, b"y")


def test_on_disk_is_neither_picture_nor_readable_by_others(tmp_path: Path, ring: KeyFrames) -> None:
    ring.add("front", T, b"\xff\xd8secret face" * 10, event_id="e")
    (path,) = tmp_path.rglob("*.enc")
    assert b"secret" not in path.read_bytes()
    assert stat.S_IMODE((tmp_path / "keyframes.key").stat().st_mode) == 0o600


def test_after_sealing_is_told_once_for_each_frame_that_was_kept(tmp_path: Path) -> None:
    told: list[str] = []
    ring = KeyFrames(
        tmp_path / "frames",
        tmp_path / "key",
        max_bytes=10**6,
        daily_bytes=10**6,
        clock=FakeClock(),
        after_sealing=lambda: told.append("sealed"),
    )
    assert ring.add("front", T, b"jpeg")
    assert ring.add("front", T, b"jpeg", event_id="abc")
    assert not ring.add("front", T, b"jpeg")
    assert told == ["sealed"] * 2
    assert ring.find(of_event("abc")) == b"jpeg"


def test_quota_oldest_frames_go_first(tmp_path: Path) -> None:
    ring = open_ring(tmp_path, FakeClock(), max_bytes=10_000)
    for second in range(20):
        ring.add("front" if second % 2 else "back", T + second, bytes(1000), event_id=f"e{second}")
    kept = sorted(tmp_path.rglob("*.enc"))
    assert sum(path.stat().st_size for path in kept) <= 10_000
    assert ring.find(of_event("e19")) == bytes(1000)
    assert ring.find(of_event("e0")) is None


def test_frame_over_the_whole_quota_is_not_kept(tmp_path: Path) -> None:
    ring = open_ring(tmp_path, FakeClock(), max_bytes=100)
    assert not ring.add("front", T, bytes(1000), event_id="e")


def test_daily_budget_leaves_half_of_what_may_be_spent_at_once_to_events(tmp_path: Path) -> None:
    clock = FakeClock()
    ring = open_ring(tmp_path, clock, daily_bytes=800_000)
    kept = 0
    for _ in range(360):
        clock.advance(1.0)
        kept += ring.add("front", clock.now_s(), bytes(1000))
    assert 9 <= kept <= 11, "half of a burst of twenty of two pages, then what trickles in"
    assert ring.quality() == 90, "what is left is for events"
    kept = 0
    while ring.add("front", clock.now_s(), bytes(1000), event_id=f"e{kept}"):
        kept += 1
        assert ring.quality() < 90
    assert 9 <= kept <= 11, "the other half of the burst"
    clock.advance(43_200)
    assert ring.quality() == 90
    assert ring.add("front", clock.now_s(), bytes(1000))


def test_damaged_frame_is_absent_not_fatal(tmp_path: Path, ring: KeyFrames) -> None:
    ring.add("front", T, b"jpeg", event_id="e")
    next(tmp_path.rglob("*.enc")).write_bytes(b"rubbish")
    assert ring.find(of_event("e")) is None


def test_damaged_key_is_replaced_and_old_frames_are_absent(tmp_path: Path, ring: KeyFrames) -> None:
    ring.add("front", T, b"jpeg", event_id="e")
    (tmp_path / "keyframes.key").write_bytes(b"short")
    again = open_ring(tmp_path, FakeClock())
    assert again.find(of_event("e")) is None
    assert again.add("front", T + 9, b"new", event_id="f")
    assert again.find(of_event("f")) == b"new"


def test_unwritable_folder_is_storage_error(tmp_path: Path) -> None:
    (tmp_path / "keyframes.key").mkdir()
    with pytest.raises(StorageError, match="give the agent a folder"):
        open_ring(tmp_path, FakeClock())


def test_disk_that_fails_later_costs_only_the_frame(tmp_path: Path, ring: KeyFrames) -> None:
    (tmp_path / "frames").rmdir()
    (tmp_path / "frames").write_text("in the way")
    assert not ring.add("front", T, b"x", event_id="e")


def test_disk_that_stays_full_does_not_fill_the_log(
    tmp_path: Path, ring: KeyFrames, caplog: pytest.LogCaptureFixture
) -> None:
    rmtree(tmp_path / "frames")
    (tmp_path / "frames").write_text("in the way")
    kept = [ring.add("front", T + 2 * n, b"jpeg", event_id=f"e{n}") for n in range(50)]
    assert not any(kept)
    assert 1 <= len([m for m in caplog.messages if "was not kept" in m]) <= 5
