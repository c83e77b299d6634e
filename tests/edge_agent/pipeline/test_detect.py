"""A bundle as a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.pipeline.detect import BundleDetector, own_slugs
from edge_agent.pipeline.detector import label_rules
from edge_agent.runtime.bundle import Bundle, digest_files, open_bundle
from edge_agent.vision.arrays import Float32
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import Head, LabelSpec, SsdDecoder
from tests.edge_agent.runtime.tiny_bundle import FakeBackend, split_into_parts, write_tiny_bundle

PICTURE = np.zeros((40, 80, 3), np.uint8)
NO, WEAK, STRONG = -20.0, 1.0, 4.0


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    write_tiny_bundle(tmp_path)
    return open_bundle(tmp_path)


def answers(*rows: tuple[float, float]) -> dict[str, Float32]:
    scores = np.array([[(0.0, *row) for row in rows]], np.float32)
    return {"scores": scores, "boxes": np.zeros((1, len(rows), 4), np.float32)}


def test_boxes_come_back_as_fractions_of_the_picture(bundle: Bundle) -> None:
    backend = FakeBackend(answers((NO, NO), (NO, NO), (STRONG, NO)))
    found = BundleDetector(bundle, backend).detect(PICTURE)
    assert [d.label for d in found] == ["cat"]
    # The 80 x 40 picture fills the middle half of the 8 x 8 input, so heights double.
    assert found[0].box == pytest.approx((0.4, 0.3, 0.6, 0.7), abs=1e-6)
    assert backend.seen[0].shape == (1, 8, 8, 3)


def test_each_label_has_its_own_threshold(bundle: Bundle) -> None:
    detector = BundleDetector(bundle, FakeBackend(answers((NO, NO), (NO, NO), (WEAK, WEAK))))
    assert [d.label for d in detector.detect(PICTURE)] == ["cat"]
    assert [d.label for d in detector.detect(PICTURE, min_score=0.3)] == ["cat", "dog"]
    assert detector.detect(PICTURE, min_score=0.9) == []


def test_best_comes_first(bundle: Bundle) -> None:
    detector = BundleDetector(bundle, FakeBackend(answers((WEAK, NO), (STRONG, NO), (NO, NO))))
    scores = [d.score for d in detector.detect(PICTURE)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 2


def test_box_in_the_padding_alone_is_dropped(bundle: Bundle) -> None:
    outputs = answers((NO, NO), (NO, NO), (STRONG, NO))
    outputs["boxes"][0, 2, 0] = -22.0
    assert BundleDetector(bundle, FakeBackend(outputs)).detect(PICTURE) == []


def test_failure_is_never_an_empty_list(bundle: Bundle) -> None:
    with pytest.raises(BackendError, match="told to"):
        BundleDetector(bundle, FakeBackend(None)).detect(PICTURE)


def test_numbers_that_are_not_finite_are_a_failure(bundle: Bundle) -> None:
    outputs = answers((NO, NO), (NO, float("nan")), (NO, NO))
    with pytest.raises(BackendError, match="not finite"):
        BundleDetector(bundle, FakeBackend(outputs)).detect(PICTURE)


def test_reference_names_precision_and_bundle(bundle: Bundle) -> None:
    detector = BundleDetector(bundle, FakeBackend(answers((NO, NO), (NO, NO), (NO, NO))))
    reference = detector.detector_ref()
    assert (reference.id, reference.precision, reference.bundle_sha256) == ("tiny", "fp32", None)
    heads = detector.detect_heads(PICTURE)
    assert [head.detector for head in heads] == [reference]
    assert detector.inference_ms >= 0.0


def test_close_frees_the_network(bundle: Bundle) -> None:
    backend = FakeBackend(None)
    BundleDetector(bundle, backend).close()
    assert backend.closed


@pytest.mark.parametrize("content", [b"", b"not numpy", b"\x93NUMPY\x01\x00"])
def test_anchors_that_are_no_array_are_refused(tmp_path: Path, content: bytes) -> None:
    manifest = write_tiny_bundle(tmp_path)
    (tmp_path / "anchors.npy").write_bytes(content)
    changed = manifest.model_copy(update={"files": digest_files(tmp_path)})
    (tmp_path / "manifest.json").write_text(changed.to_json())
    with pytest.raises(ArtifactError, match=r"anchors\.npy"):
        BundleDetector(open_bundle(tmp_path), FakeBackend(None))


def test_two_detectors_with_the_same_labels_stay_apart(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path)
    split_into_parts(tmp_path, [b"one", b"two"])
    outputs = answers((NO, NO), (NO, NO), (STRONG, NO))
    other = answers((NO, NO), (STRONG, NO), (NO, STRONG))
    outputs |= {f"{name}1": array for name, array in other.items()}
    backend = FakeBackend(outputs)
    detector = BundleDetector(open_bundle(tmp_path), backend)
    first, second = detector.detect_heads(PICTURE)
    assert [d.label for d in first.detections] == ["cat"]
    assert sorted(d.label for d in second.detections) == ["cat_tiny1", "dog_tiny1"]
    assert (first.detector.id, second.detector.id) == ("tiny", "tiny1")
    assert len(backend.seen) == 1, "one look answers for both"
    rules = label_rules(detector)
    assert {slug: rule.detector.id for slug, rule in rules.items()} == {
        "cat": "tiny",
        "dog": "tiny",
        "cat_tiny1": "tiny1",
        "dog_tiny1": "tiny1",
    }
    assert [rules[slug].name for slug in ("cat", "cat_tiny1")] == ["Cat", "Cat (tiny 1)"]
    assert rules["dog_tiny1"].threshold == 0.8


@pytest.mark.parametrize("slug", ["cat", "c" * 64])
@pytest.mark.parametrize("detector_ids", [("a", "b", "c"), ("a", "b" * 60, "b" * 60), ("a", "!", "?")])
def test_own_slugs_are_slugs_and_never_come_twice(slug: str, detector_ids: tuple[str, ...]) -> None:
    heads = [
        Head(
            detector=DetectorRef(id=one, name=one, version=1),
            labels=(LabelSpec(name="x", slug=slug, threshold=0.5),),
            decoder=SsdDecoder(boxes_output="b", scores_output="s", anchors_file="a.npy"),
        )
        for one in detector_ids
    ]
    found = [own for (own,) in own_slugs(heads)]
    assert found[0] == slug
    assert len(set(found)) == len(found)
    for own in found:
        LabelSpec(name="x", slug=own, threshold=0.5)
