"""Obtaining clips, with a fake apt-get and dpkg, and clips of a few bytes."""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cloud.samples.catalog import SampleTask, find_sample_task
from cloud.samples.footage import CommandOutcome, FootageError, SystemCommandRunner, obtain_clip

CLIP = b"moving pictures " * 1000
OK = CommandOutcome(exit_status=0, last_line="")


def task_with(clip: bytes, name: str) -> SampleTask:
    return replace(find_sample_task(name), clip_sha256=hashlib.sha256(clip).hexdigest())


PERSONS = task_with(CLIP, "persons")
PACKED = task_with(CLIP, "biscuit-box")


def put(root: Path, task: SampleTask, clip: bytes) -> None:
    """Lay a clip where the package has it."""
    path = root / task.clip_member_path_in_package
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(clip) if path.suffix == ".gz" else clip)


@dataclass
class FakeApt:
    """A machine with apt-get and dpkg whose package carries the clips given."""

    clips: dict[SampleTask, bytes] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    failing: str = ""
    interrupted: str = ""
    ran: list[str] = field(default_factory=list)

    def finds(self, program: str) -> bool:
        return program not in self.missing

    def run(self, argv: Sequence[str], *, cwd: Path, limit_s: float) -> CommandOutcome:
        assert limit_s > 0
        verb = next(word for word in argv[1:] if word in ("update", "download", "-x"))
        self.ran.append(verb)
        if verb == self.interrupted:
            (cwd / "half").write_bytes(b"partial")
            raise KeyboardInterrupt
        if verb == self.failing:
            return CommandOutcome(exit_status=100, last_line="E: the network is gone")
        if verb == "download":
            (cwd / "opencv-doc_4.6.0_all.deb").write_bytes(b"deb")
        if verb == "-x":
            assert Path(argv[2]).name == "opencv-doc_4.6.0_all.deb"
            for task, clip in self.clips.items():
                put(cwd / argv[3], task, clip)
        return OK


def obtain(task: SampleTask, tmp_path: Path, runner: FakeApt, reports: list[str] | None = None) -> Path:
    return obtain_clip(
        task,
        cache_dir=tmp_path / "cache",
        runner=runner,
        report=(reports if reports is not None else []).append,
        system_root=tmp_path / "root",
    )


@pytest.mark.parametrize("task", [PERSONS, PACKED], ids=["plain", "gzip"])
def test_obtain_clip_installed_package_is_copied_unpacked(task: SampleTask, tmp_path: Path) -> None:
    put(tmp_path / "root", task, CLIP)
    runner = FakeApt()
    clip = obtain(task, tmp_path, runner)
    assert clip == tmp_path / "cache" / task.clip_file_name
    assert clip.read_bytes() == CLIP
    assert runner.ran == []


def test_obtain_clip_in_cache_is_taken_without_a_word(tmp_path: Path) -> None:
    cached = tmp_path / "cache" / PERSONS.clip_file_name
    cached.parent.mkdir()
    cached.write_bytes(CLIP)
    reports: list[str] = []
    assert obtain(PERSONS, tmp_path, FakeApt(), reports) == cached
    assert reports == []


def test_obtain_clip_damaged_in_cache_is_replaced(tmp_path: Path) -> None:
    cached = tmp_path / "cache" / PERSONS.clip_file_name
    cached.parent.mkdir()
    cached.write_bytes(CLIP[:-1])
    put(tmp_path / "root", PERSONS, CLIP)
    assert obtain(PERSONS, tmp_path, FakeApt()).read_bytes() == CLIP


def test_obtain_clip_damaged_in_cache_and_nothing_better_raises(tmp_path: Path) -> None:
    cached = tmp_path / "cache" / PERSONS.clip_file_name
    cached.parent.mkdir()
    cached.write_bytes(CLIP[:-1])
    with pytest.raises(FootageError, match="--footage FILE"):
        obtain(PERSONS, tmp_path, FakeApt())


def test_obtain_clip_nowhere_is_fetched_with_apt_and_its_folders_removed(tmp_path: Path) -> None:
    runner = FakeApt(clips={PERSONS: CLIP})
    reports: list[str] = []
    clip = obtain(PERSONS, tmp_path, runner, reports)
    assert clip.read_bytes() == CLIP
    assert runner.ran == ["update", "download", "-x"]
    assert list((tmp_path / "cache").iterdir()) == [clip]
    assert any("95 MB" in line for line in reports)
    assert any("nothing is installed" in line for line in reports)


def test_obtain_clip_fetched_brings_the_other_sample_clips_too(tmp_path: Path) -> None:
    reports: list[str] = []
    obtain(PERSONS, tmp_path, FakeApt(clips={PERSONS: CLIP, PACKED: CLIP}), reports)
    # The fake box.mp4 is not the real one: it is seen, judged by its digest, and left alone.
    assert any("box.mp4" in line and "not the clip" in line for line in reports)


def test_obtain_clip_installed_copy_is_another_clip_falls_back_to_apt(tmp_path: Path) -> None:
    put(tmp_path / "root", PERSONS, b"another clip")
    runner = FakeApt(clips={PERSONS: CLIP})
    assert obtain(PERSONS, tmp_path, runner).read_bytes() == CLIP
    assert runner.ran == ["update", "download", "-x"]


@pytest.mark.parametrize("verb", ["update", "download", "-x"])
def test_obtain_clip_command_fails_says_why_and_asks_for_a_file(verb: str, tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"the network is gone.*--footage FILE"):
        obtain(PERSONS, tmp_path, FakeApt(clips={PERSONS: CLIP}, failing=verb))
    assert not (tmp_path / "cache" / PERSONS.clip_file_name).exists()


@pytest.mark.parametrize("program", ["apt-get", "dpkg"])
def test_obtain_clip_without_the_program_asks_for_a_file(program: str, tmp_path: Path) -> None:
    runner = FakeApt(missing=frozenset({program}))
    with pytest.raises(FootageError, match=rf"no {program} here.*--footage FILE"):
        obtain(PERSONS, tmp_path, runner)
    assert runner.ran == []


def test_obtain_clip_package_carries_another_clip_raises(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="does not carry"):
        obtain(PERSONS, tmp_path, FakeApt(clips={PERSONS: b"another clip"}))
    assert not (tmp_path / "cache" / PERSONS.clip_file_name).exists()


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x1f\x8b\x08\x00", gzip.compress(CLIP, mtime=0)[:-40]],
    ids=["empty", "header", "cut off"],
)
def test_obtain_clip_damaged_gzip_raises_and_leaves_nothing(damage: bytes, tmp_path: Path) -> None:
    source = tmp_path / "root" / PACKED.clip_member_path_in_package
    source.parent.mkdir(parents=True)
    source.write_bytes(damage)
    with pytest.raises(FootageError, match="apt-get"):
        obtain(PACKED, tmp_path, FakeApt(missing=frozenset({"apt-get"})))
    assert list((tmp_path / "cache").iterdir()) == []


def test_obtain_clip_interrupted_keeps_what_apt_has_and_goes_on_later(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        obtain(PERSONS, tmp_path, FakeApt(interrupted="download"))
    assert not (tmp_path / "cache" / PERSONS.clip_file_name).exists()
    assert list((tmp_path / "cache").rglob("half"))
    assert obtain(PERSONS, tmp_path, FakeApt(clips={PERSONS: CLIP})).read_bytes() == CLIP


def test_obtain_clip_cache_is_a_file_raises_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(FootageError, match="cache"):
        obtain(PERSONS, tmp_path, FakeApt())


class TestSystemCommandRunner:
    def test_finds_programs_that_there_are(self) -> None:
        assert SystemCommandRunner().finds(sys.executable)
        assert not SystemCommandRunner().finds("no-such-program-here")

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("pass", CommandOutcome(exit_status=0, last_line="")),
            (
                "import sys; print('one\\ntwo', file=sys.stderr); sys.exit(3)",
                CommandOutcome(exit_status=3, last_line="two"),
            ),
        ],
    )
    def test_run_gives_status_and_last_line(
        self, code: str, expected: CommandOutcome, tmp_path: Path
    ) -> None:
        assert SystemCommandRunner().run((sys.executable, "-c", code), cwd=tmp_path, limit_s=30) == expected

    def test_run_too_long_is_stopped(self, tmp_path: Path) -> None:
        argv = (sys.executable, "-c", "import time; time.sleep(60)")
        outcome = SystemCommandRunner().run(argv, cwd=tmp_path, limit_s=0.2)
        assert outcome.exit_status != 0
        assert "stopped" in outcome.last_line

    def test_run_program_missing_is_an_outcome_not_a_crash(self, tmp_path: Path) -> None:
        outcome = SystemCommandRunner().run(("no-such-program-here",), cwd=tmp_path, limit_s=1)
        assert outcome.exit_status != 0
        assert "no-such-program-here" in outcome.last_line
