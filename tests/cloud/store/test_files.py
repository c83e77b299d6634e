"""Files: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.errors import InputError
from cloud.store.files import copy_file, sha256_of, storing, write_file, write_stream
from edge_agent.errors import StorageError


def test_written_file_has_its_content_and_digest(tmp_path: Path) -> None:
    stored = write_file(tmp_path / "deep" / "file", b"content")
    assert stored.path.read_bytes() == b"content"
    assert stored.sha256 == hashlib.sha256(b"content").hexdigest() == sha256_of(stored.path)
    assert stored.length_bytes == 7


def test_stream_over_the_limit_leaves_nothing_and_keeps_the_old_file(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"old")
    with pytest.raises(InputError, match="larger than the limit"):
        write_stream(tmp_path / "file", [b"x" * 600, b"y" * 600], limit_bytes=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_stream_that_meets_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"part"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match="no space left"):
        write_stream(tmp_path / "file", chunks(), limit_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_copy_of_a_missing_file_blames_the_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jpg: No such file"):
        copy_file(tmp_path / "nowhere.jpg", tmp_path / "copy.jpg")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EROFS, "read-only"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "denied"),
    ],
)
def test_error_of_the_disk_is_one_clear_line(tmp_path: Path, code: int, words: str) -> None:
    def fail() -> None:
        with storing(tmp_path):
            raise OSError(code, "Permission denied")

    with pytest.raises(StorageError, match=words):
        fail()
