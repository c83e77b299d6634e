"""Files of the cache: damaged ones are found out, and a disk that fails is no reason not to answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.cache.book import Book
from cloud.cache.disk import Disk, claim_folder
from cloud.cache.key import ModelRef
from tests.cloud.cache.made_up import Shelf, body, ref_to

Damage = Callable[[Path], object]


def disk_on(shelf: Shelf, folder: Path, budget_bytes: int = 1000) -> Disk:
    return Disk(folder, Book("disk", budget_bytes, keys=64), shelf)


def use(disk: Disk, ref: ModelRef) -> bytes:
    with disk.use(ref) as data:
        return data


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Damage] = {
    "flipped byte": flip,
    "short file": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty after a power cut": lambda path: path.write_bytes(b""),
    "removed": Path.unlink,
}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_found_out_reported_and_fetched_again(
    tmp_path: Path, damage: Damage, restarted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf()
    ref, disk = shelf.put(body("a")), disk_on(shelf, tmp_path)
    use(disk, ref)
    damage(*files_in(tmp_path))
    if restarted:
        disk = disk_on(shelf, tmp_path)
    with caplog.at_level(logging.ERROR):
        assert use(disk, ref) == body("a")
    assert len(shelf.loads) == 2
    assert use(disk, ref) == body("a")
    assert len(shelf.loads) == 2
    if files_were_known := not (restarted and damage is Path.unlink):
        assert "fetching it again" in caplog.text
    assert disk.figures().corrupt == int(files_were_known)


def test_models_outlive_the_process(tmp_path: Path) -> None:
    shelf = Shelf()
    refs = [shelf.put(body(name)) for name in range(5)]
    first = disk_on(shelf, tmp_path)
    for ref in refs:
        use(first, ref)
    second = disk_on(shelf, tmp_path)
    assert [use(second, ref) for ref in refs] == [body(name) for name in range(5)]
    assert len(shelf.loads) == 5


def test_start_with_a_smaller_budget_removes_what_is_too_much_and_what_is_strange(tmp_path: Path) -> None:
    shelf = Shelf()
    first = disk_on(shelf, tmp_path)
    for name in range(5):
        use(first, shelf.put(body(name)))
    (tmp_path / "home" / "ab").mkdir(exist_ok=True)
    (tmp_path / "home" / "ab" / f"{'ab' * 32}.00000000.part").write_bytes(b"half")
    second = disk_on(shelf, tmp_path, 250)
    assert (second.figures().models, len(files_in(tmp_path))) == (2, 2)


def test_files_are_those_of_the_budget(tmp_path: Path) -> None:
    shelf = Shelf()
    disk = disk_on(shelf, tmp_path, 500)
    for name in range(40):
        use(disk, shelf.put(body(name)))
        assert sum(path.stat().st_size for path in files_in(tmp_path)) <= 500
    assert disk.figures().used_bytes == sum(path.stat().st_size for path in files_in(tmp_path))


def test_disk_that_cannot_be_written_is_passed_by(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    disk = disk_on(shelf, tmp_path)
    (tmp_path / "home").write_bytes(b"in the way of the folder")
    assert use(disk, shelf.put(body("a"))) == body("a")
    assert "passed by" in caplog.text


def test_model_larger_than_the_disk_is_passed_by(tmp_path: Path) -> None:
    shelf = Shelf()
    large = body("large", 2000)
    assert use(disk_on(shelf, tmp_path), shelf.put(large)) == large


def test_same_bytes_of_two_scopes_are_two_files(tmp_path: Path) -> None:
    shelf = Shelf()
    disk = disk_on(shelf, tmp_path)
    for scope in ("home", "theirs"):
        use(disk, shelf.put(body("a"), scope))
    assert len(files_in(tmp_path)) == 2
    assert not disk_on(shelf, tmp_path).figures().misses
    assert len(shelf.loads) == 2


def test_two_processes_get_folders_of_their_own(tmp_path: Path) -> None:
    # Locks of one file are told apart by the descriptor, so one process can play two.
    assert claim_folder(tmp_path) != claim_folder(tmp_path)


def test_objects_of_other_scopes_lie_in_folders_of_their_own() -> None:
    assert ref_to(body("a")).object_path.startswith("detectors/")
    assert ref_to(body("a"), "theirs").object_path.startswith("workspaces/theirs/detectors/")
