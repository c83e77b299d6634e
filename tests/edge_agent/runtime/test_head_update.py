"""Bundles put together of a base and new heads: byte for byte what they would be as a whole."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from edge_agent.errors import ArtifactError, ConfigError
from edge_agent.runtime.bundle import open_bundle, write_bundle_zip
from edge_agent.runtime.head_update import compose, trunk_sha256, write_head_update
from tests.edge_agent.runtime.tiny_bundle import split_into_parts, write_tiny_bundle

TRUNK = random.Random(1).randbytes(50_000)


def bundle(folder: Path, head: bytes, trunk: bytes = TRUNK) -> Path:
    """Write a bundle in parts as folder and zip; return the zip."""
    write_tiny_bundle(folder, trunk)
    split_into_parts(folder, [head])
    out = folder.with_suffix(".zip")
    write_bundle_zip(folder, out)
    return out


def test_composed_bundle_is_the_whole_one_byte_for_byte(tmp_path: Path) -> None:
    base, whole = bundle(tmp_path / "base", b"old head" * 50), bundle(tmp_path / "new", b"new head" * 70)
    write_head_update(tmp_path / "new", base, tmp_path / "update.zip")
    compose(base, tmp_path / "update.zip", tmp_path / "composed.zip")
    assert (tmp_path / "composed.zip").read_bytes() == whole.read_bytes()
    with zipfile.ZipFile(tmp_path / "update.zip") as update:
        assert update.namelist() == ["manifest.json", "head_0.onnx"]
    assert open_bundle(tmp_path / "composed.zip").read("head_0.onnx") == b"new head" * 70


def test_update_on_an_updated_bundle_gives_the_same_bytes(tmp_path: Path) -> None:
    base = bundle(tmp_path / "base", b"a")
    for name in ("second", "third"):
        whole = bundle(tmp_path / name, name.encode())
        write_head_update(tmp_path / name, base, tmp_path / "update.zip")
        compose(base, tmp_path / "update.zip", tmp_path / f"composed_{name}.zip")
        assert (tmp_path / f"composed_{name}.zip").read_bytes() == whole.read_bytes()
    compose(tmp_path / "composed_second.zip", tmp_path / "update.zip", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "third.zip").read_bytes()


def test_trunk_digest_tells_trunks_apart_and_is_none_in_one_piece(tmp_path: Path) -> None:
    one, other = (open_bundle(bundle(tmp_path / n, b"h", n.encode())).manifest for n in ("t1", "t2"))
    assert trunk_sha256(one) != trunk_sha256(other)
    assert trunk_sha256(write_tiny_bundle(tmp_path / "whole")) is None


def test_no_update_between_different_trunks(tmp_path: Path) -> None:
    base = bundle(tmp_path / "base", b"a", TRUNK[::-1])
    bundle(tmp_path / "new", b"b")
    with pytest.raises(ArtifactError, match="send the whole bundle"):
        write_head_update(tmp_path / "new", base, tmp_path / "update.zip")


def test_base_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    base, other = bundle(tmp_path / "base", b"a"), bundle(tmp_path / "other", b"a", TRUNK[::-1])
    bundle(tmp_path / "new", b"b")
    write_head_update(tmp_path / "new", base, tmp_path / "update.zip")
    with pytest.raises(ArtifactError, match=r"lacks 'model\.onnx'"):
        compose(other, tmp_path / "update.zip", tmp_path / "composed.zip")


@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_cut_update_is_refused(tmp_path: Path, cut: int) -> None:
    base = bundle(tmp_path / "base", b"a")
    bundle(tmp_path / "new", b"b" * 500)
    write_head_update(tmp_path / "new", base, tmp_path / "update.zip")
    (tmp_path / "update.zip").write_bytes((tmp_path / "update.zip").read_bytes()[:cut])
    with pytest.raises((ArtifactError, ConfigError)):
        compose(base, tmp_path / "update.zip", tmp_path / "composed.zip")


def test_zip_without_a_manifest_is_no_update(tmp_path: Path) -> None:
    base = bundle(tmp_path / "base", b"a")
    with zipfile.ZipFile(tmp_path / "update.zip", "w") as archive:
        archive.writestr("head_0.onnx", b"b")
    with pytest.raises(ArtifactError, match="no head update"):
        compose(base, tmp_path / "update.zip", tmp_path / "composed.zip")
