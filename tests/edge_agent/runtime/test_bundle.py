"""Bundles from outside: sound ones open, all others are refused with one line."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.errors import ArtifactError, ConfigError
from edge_agent.runtime.bundle import bundle_sha256, open_bundle, write_bundle_zip
from tests.edge_agent.runtime.tiny_bundle import write_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def zipped(folder: Path, tmp_path: Path) -> Path:
    write_bundle_zip(folder, tmp_path / "bundle.zip")
    return tmp_path / "bundle.zip"


def test_folder_and_its_zip_read_the_same(folder: Path, zipped: Path) -> None:
    from_folder, from_zip = open_bundle(folder), open_bundle(zipped)
    assert from_folder.manifest == from_zip.manifest
    assert from_folder.read("model.onnx") == from_zip.read("model.onnx") == b"model"
    assert from_folder.sha256 is None
    assert from_zip.sha256 == hashlib.sha256(zipped.read_bytes()).hexdigest()


def test_same_files_give_the_same_zip(folder: Path, zipped: Path, tmp_path: Path) -> None:
    os.utime(folder / "model.onnx", (1, 1))
    (folder / "model.onnx").chmod(0o600)
    digest = write_bundle_zip(folder, tmp_path / "again.zip")
    assert digest == bundle_sha256(zipped)
    assert not list(tmp_path.glob(".*.part"))


def test_no_bundle_at_the_path_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no bundle at"):
        open_bundle(tmp_path / "nowhere.zip")


def _flip_a_byte(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"modem")


def _remove_model(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def _add_unlisted(folder: Path) -> None:
    (folder / "licenses" / "extra.txt").write_text("x")


def _remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def _unknown_runtime(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(document | {"runtime": "abacus"}))


def _long_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text(" " * 2_000_000)


def _link_to_outside(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("/etc/hostname")


def _linked_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder / "licenses")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _many_files(folder: Path) -> None:
    for number in range(501):
        (folder / f"f{number}").write_bytes(b"")


def _huge_sparse_file(folder: Path) -> None:
    with (folder / "model.onnx").open("wb") as file:
        file.truncate(300 * 1024 * 1024)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_flip_a_byte, "model.onnx is damaged"),
        (_remove_model, "'model.onnx' is missing"),
        (_add_unlisted, "does not list: 'licenses/extra.txt'"),
        (_remove_manifest, r"no manifest\.json"),
        (_break_manifest, r"manifest\.json is wrong"),
        (_unknown_runtime, "wrong at runtime"),
        (_long_manifest, "over its limit"),
        (_link_to_outside, "link or a special file"),
        (_linked_folder, "link or a special file"),
        (_pipe, "link or a special file"),
        (_many_files, "files of"),
        (_huge_sparse_file, "files of"),
    ],
)
def test_damaged_folder_is_refused(folder: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(folder)
    with pytest.raises(ArtifactError, match=words) as caught:
        open_bundle(folder)
    assert "\n" not in str(caught.value)


def test_file_changed_after_opening_is_refused(folder: Path) -> None:
    bundle = open_bundle(folder)
    _flip_a_byte(folder)
    with pytest.raises(ArtifactError, match="damaged"):
        bundle.read("model.onnx")


@pytest.mark.parametrize("name", ["manifest.json", "../secret", "/etc/passwd", "nothing"])
def test_read_of_what_is_not_listed_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="does not list"):
        open_bundle(folder).read(name)


def _with_entry(zipped: Path, name: str, mode: int = stat.S_IFREG | 0o644, content: bytes = b"x") -> None:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("name", ["../../evil.txt", "/tmp/evil.txt", "a/../../evil", "..\\evil"])
def test_zip_with_a_way_out_is_refused(zipped: Path, name: str) -> None:
    _with_entry(zipped, name)
    with pytest.raises(ArtifactError, match="does not list"):
        open_bundle(zipped)


def test_zip_with_a_link_is_refused(zipped: Path) -> None:
    _with_entry(zipped, "link", stat.S_IFLNK | 0o777, b"/etc/passwd")
    with pytest.raises(ArtifactError, match="a link"):
        open_bundle(zipped)


def test_zip_bomb_is_refused_before_it_inflates(zipped: Path) -> None:
    _with_entry(zipped, "bomb", content=bytes(300 * 1024 * 1024))
    assert zipped.stat().st_size < 1024 * 1024
    with pytest.raises(ArtifactError, match="at most"):
        open_bundle(zipped)


def test_zip_whose_directory_understates_a_size_is_refused(zipped: Path) -> None:
    content = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        entry = archive.getinfo("licenses/NOTICE.txt")
    size, smaller = entry.file_size.to_bytes(4, "little"), (3).to_bytes(4, "little")
    at = content.rindex(size, 0, content.rindex(b"licenses/NOTICE.txt"))
    zipped.write_bytes(content[:at] + smaller + content[at + 4 :])
    with pytest.raises(ArtifactError):
        open_bundle(zipped)


def test_zip_with_a_doubled_name_is_refused(zipped: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        _with_entry(zipped, "model.onnx")
    with pytest.raises(ArtifactError, match="two files of the same name"):
        open_bundle(zipped)


@pytest.mark.parametrize("cut", [0, 10, 100, 400])
def test_cut_zip_is_refused(zipped: Path, cut: int) -> None:
    zipped.write_bytes(zipped.read_bytes()[:cut])
    with pytest.raises(ArtifactError, match="no bundle"):
        open_bundle(zipped)


def test_zip_with_any_flipped_byte_is_refused_or_reads_the_same(zipped: Path) -> None:
    content = zipped.read_bytes()
    whole = open_bundle(zipped).manifest
    # Every byte of the directory at the end, and a sample of the rest.
    directory = content.index(b"PK\x01\x02")
    for at in [*range(0, directory, 7), *range(directory, len(content))]:
        zipped.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            found = open_bundle(zipped).manifest
        except ArtifactError:
            continue
        assert found == whole


def test_unsound_folder_is_not_zipped(folder: Path, tmp_path: Path) -> None:
    _flip_a_byte(folder)
    with pytest.raises(ArtifactError):
        write_bundle_zip(folder, tmp_path / "bundle.zip")
    assert not (tmp_path / "bundle.zip").exists()
