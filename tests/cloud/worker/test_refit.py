"""Which versions can keep the trunk that cameras have."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.store import bundles
from cloud.store.tables import BundleRow
from cloud.worker.progress import never, to_nobody
from cloud.worker.refit import same_trunk, try_refit
from tests.cloud.detector.examples import small_detector
from tests.cloud.homes import add_detector, make_home


def changed(detector: FullDetector, change: Callable[[AnchorFreeHead], object]) -> FullDetector:
    head = copy.deepcopy(detector.taught_head)
    assert isinstance(head, AnchorFreeHead)
    change(head)
    return replace(detector, taught_head=head)


def test_version_with_a_new_head_keeps_the_trunk() -> None:
    detector = small_detector()
    newer = changed(detector, lambda head: head.scores.weight.data.add_(1.0))
    assert same_trunk(newer, detector)


@pytest.mark.parametrize("part", ["adapters", "size", "subnets"])
def test_version_with_another_trunk_does_not(part: str) -> None:
    detector = small_detector()
    other = {
        "adapters": changed(detector, lambda head: next(head.adapters.parameters()).data.add_(1e-3)),
        "size": replace(detector, spec=detector.spec.model_copy(update={"input_width_px": 256})),
        "subnets": small_detector(subnets=("ssd_mobilenet_v2",)),
    }[part]
    assert not same_trunk(other, detector)


def row(name: str, detector_id: str, created: float, **changes: object) -> BundleRow:
    fields = {
        "id": name,
        "detector_id": detector_id,
        "detector_version": 1,
        "profile": "pi-4",
        "runtime": "litert",
        "path": f"bundles/{name}.zip",
        "sha256": "a" * 64,
        "length_bytes": 1,
        "receipt_path": "receipt.json",
        "created": created,
    }
    return BundleRow(**(fields | changes))


def test_trunk_in_use_is_the_one_published_last_for_that_profile(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    detector_id = add_detector(home)
    with home.database.write() as session:
        assert bundles.trunk_in_use(session, detector_id, "pi-4") is None
        for one in (
            row("old", detector_id, 1.0, release=1),
            row("sent", detector_id, 2.0, release=2),
            row("made", detector_id, 3.0),
            row("elsewhere", detector_id, 4.0, release=9, profile="pi-5"),
        ):
            bundles.add(session, one)
        found = bundles.trunk_in_use(session, detector_id, "pi-4")
        assert found is not None
        assert found.id == "sent"


def test_refit_without_a_sound_base_says_why_and_leaves_the_rest_to_compression(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    detector = small_detector()
    spec = detector.spec.model_copy(
        update={"detector": detector.ref.model_copy(update={"id": add_detector(home)})}
    )
    detector = replace(detector, spec=spec)
    first = try_refit(home, detector, "pi-4", tmp_path / "out", to_nobody, never)
    assert (first.refit, first.why_not) == (None, None), "there is nothing to build on, so nothing to tell"
    with home.database.write() as session:
        bundles.add(session, row("gone", detector.ref.id, 1.0))
    second = try_refit(home, detector, "pi-4", tmp_path / "out", to_nobody, never)
    assert second.refit is None
    assert "gone" in (second.why_not or "")
