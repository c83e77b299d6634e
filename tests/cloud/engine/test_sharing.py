"""Detectors that were trained here come to where workers elsewhere find them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import PrivateAttr

from cloud.cache.plan import CachePlan
from cloud.engine.sharing import SharedFolders
from cloud.store.objects import Objects
from edge_agent.errors import LinkError


class Bucket:
    """An object store in memory; away when told so."""

    def __init__(self) -> None:
        self.put: list[str] = []
        self.away = False

    def get(self, path: str, limit_bytes: int) -> bytes:
        raise NotImplementedError

    def put_new(self, path: str, data: bytes) -> bool:
        if self.away:
            message = "the bucket cannot be reached"
            raise LinkError(message)
        assert data
        self.put.append(path)
        return True


class Plan(CachePlan):
    """A plan whose store is a bucket of the test."""

    _bucket: Bucket = PrivateAttr(default_factory=Bucket)

    @property
    def bucket(self) -> Bucket:
        return self._bucket

    def objects(self) -> Objects:
        return self._bucket


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    folder = tmp_path / "detectors" / "d1" / "v1"
    folder.mkdir(parents=True)
    for name in ("spec.json", "detector.safetensors"):
        (folder / name).write_text("some")
    return Plan(home=tmp_path, object_store="s3://owls", ram_bytes=1, disk_bytes=1, gpu_bytes=1)


def test_newest_detectors_are_put_into_the_store_once_with_what_names_them_last(plan: Plan) -> None:
    shared = SharedFolders(plan)
    assert [folder.name for folder in shared.newest()] == ["v1"]
    shared.newest()
    assert plan.bucket.put == ["detectors/d1/v1/detector.safetensors", "detectors/d1/v1/spec.json"]


def test_detector_that_the_store_did_not_take_is_brought_again(plan: Plan) -> None:
    shared, folder = SharedFolders(plan), plan.detectors_path / "d1" / "v1"
    plan.bucket.away = True
    shared.bring(folder)
    assert not shared.is_ready(folder)
    plan.bucket.away = False
    shared.bring(folder)
    assert shared.is_ready(folder)


def test_detector_of_a_shared_home_needs_no_bringing(plan: Plan) -> None:
    at_home = CachePlan.model_validate({**plan.model_dump(), "object_store": None})
    assert SharedFolders(at_home).is_ready(Path("d2") / "v1")
