"""A detector on disk: small, complete, checked, and never a pickle."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cloud.detector.files import SPEC_FILE, WEIGHTS_FILE, load_detector, save_detector
from cloud.detector.full import FullDetector, new_head
from cloud.detector.head import AnchorFreeHead
from cloud.errors import InputError
from tests.cloud.detector.examples import small_detector, small_spec


def test_save_then_load_detects_the_same(tmp_path: Path) -> None:
    detector = small_detector()
    rgb = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    save_detector(detector, tmp_path / "v1")
    loaded = load_detector(tmp_path / "v1")
    assert loaded.detect_many([rgb], score_floor=0.005) == detector.detect_many([rgb], score_floor=0.005)
    assert loaded.ref == detector.ref
    assert loaded.labels == detector.labels


def test_save_writes_little_and_names_its_subnet(tmp_path: Path) -> None:
    spec = save_detector(small_detector(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [WEIGHTS_FILE, SPEC_FILE]
    assert (tmp_path / WEIGHTS_FILE).stat().st_size < 2_000_000
    written = json.loads((tmp_path / SPEC_FILE).read_text())
    assert [use["ref"]["sha256"] for use in written["subnets"]] == [use.ref.sha256 for use in spec.subnets]
    assert written["weights_sha256"] == spec.weights_sha256


def _cut(folder: Path) -> None:
    data = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(data[:-100])


def _flip(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS_FILE).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(data)


def _pickle(folder: Path) -> None:
    (folder / WEIGHTS_FILE).write_bytes(pickle.dumps({"a": 1}))


def _other_weights(folder: Path) -> None:
    other = folder / "other"
    save_detector(small_detector(seed=5), other)
    (other / WEIGHTS_FILE).replace(folder / WEIGHTS_FILE)


def _spec(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / SPEC_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _flip,
        _pickle,
        _other_weights,
        lambda folder: (folder / WEIGHTS_FILE).unlink(),
        lambda folder: (folder / SPEC_FILE).unlink(),
        lambda folder: (folder / SPEC_FILE).write_text("{"),
        _spec(labels=[]),
        _spec(labels=[{"name": "cat", "slug": "cat", "threshold": 0.3}]),
        _spec(head_channels=32),
        _spec(input_width_px=100),
        _spec(schema=3),
        _spec(block="dense3_separable5"),
        _spec(subnets=[]),
        _spec(subnets=[{"ref": {"name": "x", "source": "y", "licence": "z", "sha256": "0" * 64}}]),
    ],
)
def test_load_damaged_detector_is_refused_in_one_line(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    save_detector(small_detector(), tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError) as caught:
        load_detector(tmp_path)
    assert "\n" not in str(caught.value)


def test_load_reads_files_of_schema_1(tmp_path: Path) -> None:
    spec = small_spec().model_copy(update={"block": "dense3_separable5"})
    head = new_head(spec)
    assert isinstance(head, AnchorFreeHead)
    head.start_from([2.0, 2.0, 2.0, 2.0], torch.Generator().manual_seed(0))
    save_detector(FullDetector(spec, head.eval()), tmp_path)
    now = json.loads((tmp_path / SPEC_FILE).read_text())
    use = now.pop("subnets")[0]
    del now["block"]
    (tmp_path / SPEC_FILE).write_text(json.dumps({**now, "schema": 1, "subnet": use["ref"]}))
    assert load_detector(tmp_path).spec.block == "dense3_separable5"
    assert load_detector(tmp_path).subnets == FullDetector(spec, head).subnets


def test_save_cocktail_keeps_below_two_megabytes(tmp_path: Path) -> None:
    detector = small_detector(subnets=("efficientnet_lite0", "ssd_mobilenet_v2"))
    save_detector(detector, tmp_path)
    assert (tmp_path / WEIGHTS_FILE).stat().st_size < 2_000_000
    assert load_detector(tmp_path).subnets == detector.subnets
