"""Files, folders and archives of strangers: what is good comes out, what is not is told, nothing gets out."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from cloud.datasets.gather import Gathered, gather
from cloud.errors import InputError


def zipped(folder: Path, files: dict[str, bytes], name: str = "a.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in files.items():
            archive.writestr(entry, data)
    return path


def gathered(folder: Path, *paths: Path) -> Gathered:
    return gather(paths, folder / "work")


def test_zip_gives_media_and_labels_by_their_names(tmp_path: Path) -> None:
    files = {"images/a.jpg": b"jpeg", "clip.MP4": b"video", "labels/a.txt": b"", "data.yaml": b"names: [cat]"}
    found = gathered(tmp_path, zipped(tmp_path, files))
    assert set(found.media) == {"images/a.jpg", "clip.MP4"}
    assert set(found.labels) == {"labels/a.txt", "data.yaml"}
    assert found.media["images/a.jpg"].read_bytes() == b"jpeg"
    assert found.refusals == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.jpg", "out of the archive"),
        ("a/../../evil.jpg", "out of the archive"),
        ("/etc/evil.jpg", "out of the archive"),
        ("..\\evil.jpg", "out of the archive"),
        ("C:\\evil.jpg", "out of the archive"),
        ("inner.zip", "unpack it first"),
        ("run.exe", "neither a picture"),
        ("empty.jpg", "is empty"),
    ],
)
def test_zip_entry_that_is_no_good_is_refused_and_the_rest_goes_in(
    tmp_path: Path, name: str, reason: str
) -> None:
    found = gathered(tmp_path, zipped(tmp_path, {name: b"" if "empty" in name else b"x", "good.jpg": b"y"}))
    assert list(found.media) == ["good.jpg"]
    assert [reason in refusal.reason for refusal in found.refusals] == [True]
    outside = [path for path in tmp_path.rglob("*evil*") if path.is_file()]
    assert outside == []


def test_zip_bomb_is_refused_without_being_written(tmp_path: Path) -> None:
    bomb = zipped(tmp_path, {"bomb.jpg": bytes(40_000_000), "good.jpg": b"y"})
    found = gathered(tmp_path, bomb)
    assert list(found.media) == ["good.jpg"]
    assert "times its size" in found.refusals[0].reason
    assert sum(path.stat().st_size for path in (tmp_path / "work").rglob("*") if path.is_file()) == 1


def test_zip_hidden_files_of_systems_are_counted_in_one_line(tmp_path: Path) -> None:
    files = {"__MACOSX/._a.jpg": b"x", ".DS_Store": b"x", "Thumbs.db": b"x", "a.jpg": b"y"}
    found = gathered(tmp_path, zipped(tmp_path, files))
    assert list(found.media) == ["a.jpg"]
    assert [refusal.reason for refusal in found.refusals] == [
        "3 hidden files of an operating system left out"
    ]


def test_zip_link_and_second_of_a_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.jpg", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.jpg", b"second")
    found = gathered(tmp_path, path)
    assert {name: path.read_bytes() for name, path in found.media.items()} == {"a.jpg": b"first"}
    assert [refusal.name for refusal in found.refusals] == ["link.jpg", "a.jpg"]


def test_zip_damaged_entry_is_refused_and_the_rest_goes_in(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"first picture")
        archive.writestr("b.jpg", b"second picture")
    path.write_bytes(path.read_bytes().replace(b"first picture", b"xxxxx picture"))
    found = gathered(tmp_path, path)
    assert list(found.media) == ["b.jpg"]
    assert "damaged" in found.refusals[0].reason


def test_folder_is_walked_and_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("a/b.jpg", ".git/c.jpg", "d.pdf", "e.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    found = gathered(tmp_path, folder)
    assert (list(found.media), list(found.labels)) == (["a/b.jpg"], ["e.txt"])
    assert [refusal.name for refusal in found.refusals] == ["d.pdf"]


def test_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        gathered(tmp_path, tmp_path / "nowhere")
