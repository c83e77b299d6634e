"""Detectors of a worker, out of the model cache."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cloud.cache.plan import CachePlan
from cloud.detector.files import SPEC_FILE, WEIGHTS_FILE, save_detector
from cloud.detector.full import FullDetector
from cloud.detector.spec import DetectorSpec
from cloud.errors import BusyError
from cloud.offload.cached import CachedDetectors
from cloud.settings import Settings
from cloud.store.objects import Mirrored, open_objects
from edge_agent.errors import ArtifactError
from tests.cloud.detector.test_shared import light_detector, renamed

CPU = torch.device("cpu")


def light(name: str, seed: int = 0) -> FullDetector:
    detector = renamed(light_detector(seed, "cat"), name)
    return replace(detector, spec=detector.spec.model_copy(update={"architecture": "light_stride8"}))


def saved(home: Path, name: str, seed: int = 0) -> Path:
    folder = home / "detectors" / name / "v1"
    save_detector(light(name, seed), folder)
    return folder


def detectors_in(home: Path, **settings: object) -> CachedDetectors:
    return CachedDetectors(CachePlan.of(Settings.model_validate({"home": home, **settings})), CPU)


def test_versions_with_the_same_weights_answer_under_their_own_names(tmp_path: Path) -> None:
    folders = [saved(tmp_path, name) for name in ("d1", "d2")]
    first, second = (DetectorSpec.from_json((folder / SPEC_FILE).read_bytes()) for folder in folders)
    shutil.copy(folders[0] / WEIGHTS_FILE, folders[1])
    same = second.model_copy(update={"weights_sha256": first.weights_sha256})
    (folders[1] / SPEC_FILE).write_text(same.model_dump_json())
    detectors = detectors_in(tmp_path)
    for folder in folders:
        with detectors.use(folder) as detector:
            assert detector.ref.name == folder.parent.name


def test_memory_of_detectors_keeps_its_budget_and_is_refused_while_all_is_in_use(tmp_path: Path) -> None:
    folders = [saved(tmp_path, f"d{number}", number) for number in range(12)]
    detectors = detectors_in(tmp_path, model_ram_bytes=1_000_000)
    for folder in folders:
        detectors.bring(folder)
    ram = detectors.figures()[0]
    assert (ram.loads, ram.evictions) == (12, 2)
    with ExitStack() as in_use:
        for folder in folders[:10]:
            in_use.enter_context(detectors.use(folder))
        with pytest.raises(BusyError):
            detectors.bring(folders[10])


def test_weights_that_are_not_those_of_the_spec_are_an_error(tmp_path: Path) -> None:
    folder = saved(tmp_path, "d1")
    weights = (folder / WEIGHTS_FILE).read_bytes()
    (folder / WEIGHTS_FILE).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ArtifactError, match="d1/v1"):
        detectors_in(tmp_path).bring(folder)


def test_object_store_that_lacks_a_detector_gets_it_when_it_is_first_asked_for(tmp_path: Path) -> None:
    there, home = tmp_path / "there", tmp_path / "home"
    folder = saved(home, "d1")
    mirrored = Mirrored(open_objects(None, there), open_objects(None, home))
    for name in (SPEC_FILE, WEIGHTS_FILE):
        assert mirrored.get(f"detectors/d1/v1/{name}", 100_000) == (folder / name).read_bytes()
    shutil.rmtree(home)
    # Another machine has but the object store.
    with detectors_in(there).use(home / "detectors" / "d1" / "v1") as detector:
        assert detector.ref.name == "d1"
