"""The object store over S3's protocol, spoken by moto."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import torch
from moto.server import ThreadedMotoServer

from cloud.cache.key import ModelRef
from cloud.cache.ladder import Budgets, ModelCache
from cloud.cache.plan import CachePlan
from cloud.cache.tier import Rise
from cloud.detector.files import save_detector
from cloud.errors import InputError, NotFoundError
from cloud.offload.cached import CachedDetectors
from cloud.settings import Settings
from cloud.store.objects import Objects, open_objects
from edge_agent.errors import LinkError
from tests.cloud.cache.made_up import body, ref_to
from tests.cloud.detector.examples import small_detector

pytestmark = pytest.mark.system

BUCKET = "owls"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def address(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}/{secrets.token_hex(4)}"


@pytest.fixture
def objects(address: str, tmp_path: Path) -> Objects:
    return open_objects(address, tmp_path / "not used")


def test_object_in_s3_is_written_once(objects: Objects) -> None:
    assert objects.put_new("a/b", b"first")
    assert not objects.put_new("a/b", b"second")
    assert objects.get("a/b", 100) == b"first"


def test_object_that_s3_lacks_is_not_found(objects: Objects) -> None:
    with pytest.raises(NotFoundError, match="has no a/c"):
        objects.get("a/c", 100)


def test_object_in_s3_over_the_limit_is_refused(objects: Objects) -> None:
    objects.put_new("large", bytes(101))
    with pytest.raises(InputError, match="101 bytes"):
        objects.get("large", 100)


def test_models_come_from_s3_and_then_from_the_disk(objects: Objects, tmp_path: Path) -> None:
    ref = ref_to(body("a"))
    objects.put_new(ref.object_path, body("a"))
    for fetched in (1, 0):
        budgets = Budgets(1000, tmp_path / "disk", 1000)
        cache = ModelCache(objects, budgets, Rise[bytes, bytes](len, lambda _, data: data))
        with cache.use(ref, "home") as data:
            assert data == body("a")
        assert cache.figures()[-1].hits == fetched


def test_scope_in_s3_does_not_get_anothers_model(objects: Objects) -> None:
    theirs = ref_to(body("secret"), "theirs")
    objects.put_new(theirs.object_path, body("secret"))
    cache = ModelCache(objects, Budgets(1000), Rise[bytes, bytes](len, lambda _, data: data))
    with pytest.raises(NotFoundError):
        cache.prefetch(ModelRef("ours", theirs.sha256, theirs.place), "ours")


def test_bucket_that_is_not_there_is_an_error_of_the_link(objects: Objects, tmp_path: Path) -> None:
    assert objects
    with pytest.raises((LinkError, NotFoundError)):
        open_objects("s3://nobodys", tmp_path).put_new("a", b"x")


def test_detector_trained_on_one_machine_answers_on_another_by_way_of_s3(
    address: str, tmp_path: Path
) -> None:
    homes = [tmp_path / name for name in ("one", "other")]
    save_detector(small_detector(), homes[0] / "detectors" / "d1" / "v1")
    for home in homes:
        plan = CachePlan.of(Settings(home=home, object_store=address))
        detectors = CachedDetectors.of_this_process(plan, torch.device("cpu"))
        with detectors.use(home / "detectors" / "d1" / "v1") as detector:
            assert detector.labels == small_detector().labels
        assert [tier.tier for tier in detectors.figures()] == ["ram", "disk", "store"]
    assert not (homes[1] / "detectors").exists()
