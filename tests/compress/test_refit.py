"""New heads on a finished int8 trunk: learned on its own maps, small to send, judged honestly."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.errors import ExportError
from compress.forms import LITERT_INT8, ONNX_INT8, Form
from compress.map_lessons import HeadPlan, MapLesson, fitted_head, teach_head
from compress.protocol import TwoPartNetwork
from compress.refit import ALLOWED_LOSS, Refit, as_result, refit
from compress.refit_pack import manifest_head
from compress.teacher import LevelAnswer
from edge_agent.clock import SystemClock
from edge_agent.errors import ArtifactError
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import digest_files, open_bundle, write_bundle_zip
from edge_agent.runtime.head_update import compose, trunk_sha256
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import Manifest
from tests.compress.test_parts import TwoPartDetector, export
from tests.compress.tiny import TinyDetector, scene
from tests.edge_agent.wire.examples import EXAMPLES


class _Other(TwoPartDetector):
    """Another version, or another detector, on the same body."""

    def __init__(self, ref: DetectorRef, shift: float) -> None:
        super().__init__(held_out=6, calibration=24)
        self._ref, self._shift = ref, shift

    @property
    def ref(self) -> DetectorRef:
        return self._ref

    def network(self) -> nn.Module:
        network = copy.deepcopy(super().network())
        assert isinstance(network, TwoPartNetwork)
        scores = network.heads[0].get_submodule("scores")
        assert isinstance(scores, nn.Conv2d)
        assert scores.bias is not None
        scores.bias.data += self._shift
        return network.eval()


NEWER = _Other(DetectorRef(id="tiny", name="red squares", version=4), 0.5)
NEIGHBOUR = _Other(DetectorRef(id="other", name="squares too", version=1), 0.6)


def base_zip(folder: Path, form: Form) -> Path:
    bundle = export(TwoPartDetector(), form, folder)
    write_bundle_zip(bundle, folder / "base.zip")
    return folder / "base.zip"


@pytest.mark.slow
@pytest.mark.parametrize("form", [LITERT_INT8, ONNX_INT8], ids=lambda form: form.name)
def test_refit_sends_a_head_that_agrees_with_its_full_detector(form: Form, tmp_path: Path) -> None:
    base = base_zip(tmp_path / "base", form)
    made = refit([NEWER], base, tmp_path / "out", SystemClock(), release=2, plan=HeadPlan(10, 5.0))
    assert made.agreement_f1 > 0.9
    assert not made.wants_new_trunk
    assert made.update_bytes < 100_000
    assert made.update_bytes < made.bundle.stat().st_size / 2
    old, new = open_bundle(base).manifest, open_bundle(made.bundle).manifest
    assert trunk_sha256(new) == trunk_sha256(old) is not None
    assert (new.release, new.heads[0].detector.version) == (2, 4)
    compose(base, made.update, tmp_path / "composed.zip")
    assert (tmp_path / "composed.zip").read_bytes() == made.bundle.read_bytes()


@pytest.mark.slow
def test_two_detectors_share_one_trunk_and_stay_apart(tmp_path: Path) -> None:
    base = base_zip(tmp_path / "base", LITERT_INT8)
    made = refit([NEWER, NEIGHBOUR], base, tmp_path / "out", SystemClock(), release=2, plan=HeadPlan(10, 5.0))
    assert [head.detector.id for head in made.manifest.heads] == ["tiny", "other"]
    detector = BundleDetector.open(made.bundle)
    picture = next(one.rgb for one in map(scene, range(4000, 4050)) if len(one.boxes_px) == 2)
    first, second = detector.detect_heads(picture)
    assert {one.label for one in first.detections} == {"red_square"}
    assert {one.label for one in second.detections} == {"red_square_other"}
    assert (first.detector.id, second.detector.id) == ("tiny", "other")


def test_base_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.zip").write_bytes(b"no zip")
    with pytest.raises(ArtifactError):
        refit([TinyDetector()], tmp_path / "base.zip", tmp_path / "out", SystemClock(), release=2)


@pytest.mark.parametrize(
    ("agreement", "base", "wanted"),
    [(0.95, 0.96, False), (0.95, 0.95 + ALLOWED_LOSS + 0.001, True), (0.1, None, False)],
)
def test_new_trunk_is_wanted_when_the_old_one_cannot_follow(
    agreement: float, base: float | None, wanted: bool, tmp_path: Path
) -> None:
    manifest = open_bundle(_starter()).manifest
    made = Refit(tmp_path, tmp_path, manifest, agreement, base, None, None)
    assert made.wants_new_trunk is wanted
    assert replace(made, agreement_f1=1.0).wants_new_trunk is False


@pytest.mark.parametrize(("of_base", "expected"), [(0.4, 0.4), (0.9, 0.5)])
def test_new_head_takes_boxes_for_one_from_the_overlap_of_its_trunk(of_base: float, expected: float) -> None:
    manifest = open_bundle(_starter()).manifest
    base = manifest.model_copy(update={"heads": (manifest.heads[0].model_copy(update={"nms_iou": of_base}),)})
    assert manifest_head(NEWER, 0, "head_0.tflite", base).nms_iou == expected == min(of_base, NEWER.nms_iou)


def _starter() -> Path:
    from edge_agent.starter.location import starter_bundle_path

    return starter_bundle_path()


class _LinearHead(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scores, self.boxes = nn.Conv2d(channels, 1, 1), nn.Conv2d(channels, 4, 1)

    def forward(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        boxes = torch.relu(self.boxes(mixed))
        return self.scores(mixed).permute(0, 2, 3, 1), boxes.permute(0, 2, 3, 1)


def lessons() -> list[MapLesson]:
    """Return maps whose first channel says where something is."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(24):
        mixed = random.random((1, 6, 8, 3), dtype=np.float32)
        heat = (mixed[0, ..., :1] > 0.8).astype(np.float16)
        sides = np.full((6, 8, 4), 1.5, np.float16)
        made.append(MapLesson(mixed, (LevelAnswer(heat, sides),)))
    return made


@pytest.mark.slow
def test_teach_head_comes_nearer_to_the_full_detector_and_leaves_the_start_alone() -> None:
    torch.manual_seed(0)
    start = _LinearHead(3).eval()
    kept = copy.deepcopy(start.state_dict())
    told: list[float] = []
    clock = SystemClock()
    taught = teach_head(start, lessons(), HeadPlan(900, 6_000.0), clock.monotonic_s, told.append)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in start.state_dict().items())
    assert told[-1] == 1.0
    probe = lessons()[0]
    maps = torch.from_numpy(probe.mixed).permute(0, 3, 1, 2)
    heat = probe.answer[0].heat[..., 0] > 0
    logits = taught(maps)[0][0, ..., 0].numpy()
    assert logits[heat].mean() > logits[~heat].mean() + 0.1


def test_teach_head_gives_up_on_numbers_that_are_not_finite() -> None:
    bad = [MapLesson(np.full((1, 6, 8, 3), np.nan, np.float32), one.answer) for one in lessons()]
    with pytest.raises(ExportError, match="astray"):
        teach_head(_LinearHead(3), bad, HeadPlan(3, 6_000.0), SystemClock().monotonic_s, lambda _: None)


@pytest.mark.parametrize(("channels", "same"), [(3, True), (5, False)])
def test_fitted_head_takes_the_trunk_s_channels(channels: int, same: bool) -> None:
    head = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    fitted = fitted_head(head, channels)
    assert fitted(torch.zeros(1, channels, 6, 8)).shape == (1, 4, 6, 8)
    before, after = (network.state_dict()["0.weight"] for network in (head, fitted))
    assert (before.shape == after.shape and torch.equal(before, after)) is same


def test_head_without_a_convolution_is_refused() -> None:
    with pytest.raises(ExportError, match="no convolution"):
        fitted_head(nn.Sequential(nn.ReLU()), 3)


@pytest.mark.slow
def test_refit_becomes_a_compression_s_result_with_a_receipt_of_its_own(tmp_path: Path) -> None:
    bundle = export(TwoPartDetector(), LITERT_INT8, tmp_path / "base")
    (bundle / "receipt.json").write_text(EXAMPLES["receipt"].to_json())
    manifest = Manifest.from_json((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").unlink()
    listed = manifest.model_copy(update={"files": digest_files(bundle)})
    (bundle / "manifest.json").write_text(listed.to_json())
    base = tmp_path / "base.zip"
    write_bundle_zip(bundle, base)
    out = tmp_path / "out"
    result = as_result(
        refit([NEWER], base, out / "refit", SystemClock(), release=2, plan=HeadPlan(3, 5.0)), out
    )
    assert result.receipt.detector == NEWER.ref
    assert result.chosen.is_file()
    assert (out / "heads.zip").is_file()
    assert not (out / "refit").exists()
    assert "only the heads are new" in result.receipt.warnings[0]
    assert set(result.receipt.seconds) == {"total"}
    assert f"{NEWER.ref.id}@{NEWER.ref.version}" in result.receipt.reproduce
    (after,) = result.receipt.after
    assert (after.agreement_95, after.ap50_change_95, after.agreement_images) == (None, None, 0)
    assert after.bundle_bytes == result.chosen.stat().st_size
    assert result.to_json_dict()["bundles"]
    assert result.html_file.read_text().startswith("<!")
