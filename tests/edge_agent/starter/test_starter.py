"""The bundle that comes with the wheel does what its manifest says."""

from __future__ import annotations

import io

import numpy as np
import pytest

from edge_agent.pipeline.detect import BundleDetector
from edge_agent.runtime.bundle import Bundle, open_bundle
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.manifest import GoldenFrame

WANTED = {"person", "car", "bicycle", "dog", "cat", "bottle", "chair", "laptop", "book", "mug", "box"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(starter_bundle_path())


@pytest.fixture(scope="module")
def detector(bundle: Bundle) -> BundleDetector:
    return BundleDetector.open(bundle)


def golden_picture(bundle: Bundle, golden: GoldenFrame) -> Rgb:
    import cv2

    content = np.frombuffer(bundle.read(golden.image_file), np.uint8)
    bgr = cv2.imdecode(content, cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(bgr[:, :, ::-1], np.uint8)


def test_starter_is_small_and_knows_everyday_things(bundle: Bundle) -> None:
    assert starter_bundle_path().stat().st_size <= 4_000_000
    assert {label.slug for label in bundle.manifest.heads[0].labels} >= WANTED


def test_starter_states_sources_licences_and_limits(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert all(subnet.licence == "Apache-2.0" and subnet.sha256 for subnet in manifest.subnets)
    assert b"Apache License" in bundle.read("licenses/Apache-2.0.txt")
    assert manifest.subnets[0].sha256 is not None
    assert manifest.subnets[0].sha256.encode() in bundle.read("licenses/NOTICE.txt")
    assert manifest.measured is not None
    assert manifest.measured.images > 0
    assert manifest.measured.ap50 is not None


def test_starter_answers_its_golden_pictures(bundle: Bundle, detector: BundleDetector) -> None:
    assert bundle.manifest.golden
    for golden in bundle.manifest.golden:
        found = detector.detect(golden_picture(bundle, golden))
        assert [d.label for d in found] == [d.label for d in golden.detections]
        for ours, expected in zip(found, golden.detections, strict=True):
            assert ours.score == pytest.approx(expected.score, abs=0.1)
            assert ours.box == pytest.approx(expected.box, abs=0.05)
    labels = {d.label for golden in bundle.manifest.golden for d in golden.detections}
    assert "person" in labels


def test_starter_sees_nothing_in_plain_grey_and_noise(detector: BundleDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    for picture in (np.full((360, 640, 3), 127, np.uint8), np.zeros((10, 10, 3), np.uint8), noise):
        assert detector.detect(picture) == []


def test_starter_anchors_fit_its_outputs(bundle: Bundle) -> None:
    anchors = np.load(io.BytesIO(bundle.read("anchors.npy")), allow_pickle=False)
    assert anchors.shape == (2178, 4)
    assert anchors.dtype == np.float32
    assert (anchors[:, 2:] > 0).all()
