"""The tiers upon each other, over a folder as the object store."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.cache.key import ModelRef
from cloud.cache.ladder import Budgets, ModelCache
from cloud.cache.origin import DamagedModelError
from cloud.cache.tier import Rise
from cloud.errors import DeniedError, NotFoundError
from cloud.store.objects import Objects, open_objects
from tests.cloud.cache.made_up import body, ref_to

TO_RAM = Rise[bytes, str](len, lambda _, data: f"ram:{len(data)}")
TO_GPU = Rise[str, str](lambda _: 10, lambda _, built: built.replace("ram", "gpu"))


def stored(objects: Objects, data: bytes, scope: str = "home") -> ModelRef:
    ref = ref_to(data, scope)
    objects.put_new(ref.object_path, data)
    return ref


def cache_over(objects: Objects, folder: Path) -> ModelCache[str]:
    return ModelCache(objects, Budgets(1000, folder, 5000, 1000), TO_RAM, TO_GPU)


def test_model_comes_up_through_all_tiers_once(tmp_path: Path) -> None:
    objects = open_objects(None, tmp_path / "objects")
    ref, cache = stored(objects, body("a")), cache_over(objects, tmp_path / "disk")
    for _ in range(3):
        with cache.use(ref, "home") as model:
            assert model == "gpu:100"
    assert [(one.tier, one.hits, one.loads) for one in cache.figures()] == [
        ("gpu", 2, 1),
        ("ram", 0, 1),
        ("disk", 0, 1),
        ("store", 1, 0),
    ]


def test_other_scope_is_denied_a_model_by_its_reference_and_by_its_digest(tmp_path: Path) -> None:
    objects = open_objects(None, tmp_path / "objects")
    theirs, cache = stored(objects, body("secret"), "theirs"), cache_over(objects, tmp_path / "disk")
    cache.prefetch(theirs, "theirs")
    with pytest.raises(DeniedError, match="not of the workspace 'ours'"):
        cache.prefetch(theirs, "ours")
    with pytest.raises(DeniedError):
        cache.holds(theirs, "ours")
    with pytest.raises(NotFoundError):
        cache.prefetch(ModelRef("ours", theirs.sha256, theirs.place), "ours")


def test_digest_of_anothers_model_at_a_place_of_ones_own_is_refused(tmp_path: Path) -> None:
    objects = open_objects(None, tmp_path / "objects")
    theirs, cache = stored(objects, body("secret"), "theirs"), cache_over(objects, tmp_path / "disk")
    ours = stored(objects, body("mine"), "ours")
    cache.prefetch(theirs, "theirs")
    with pytest.raises(DamagedModelError):
        cache.prefetch(ModelRef("ours", theirs.sha256, ours.place), "ours")


def test_damaged_object_is_an_error_and_never_a_model(tmp_path: Path) -> None:
    objects = open_objects(None, tmp_path / "objects")
    ref = ref_to(body("a"))
    objects.put_new(ref.object_path, body("a")[:-1])
    cache = cache_over(objects, tmp_path / "disk")
    with pytest.raises(DamagedModelError, match="the object store"):
        cache.prefetch(ref, "home")
    assert cache.figures()[-1].corrupt == 1


def test_pinned_model_stays_at_the_top(tmp_path: Path) -> None:
    objects = open_objects(None, tmp_path / "objects")
    cache = cache_over(objects, tmp_path / "disk")
    pinned = stored(objects, body("pinned"))
    cache.pin(pinned, "home")
    for name in range(200):
        cache.prefetch(stored(objects, body(name)), "home")
    assert cache.holds(pinned, "home")
    assert cache.figures()[0].pinned_bytes == 10


def test_object_is_written_once(tmp_path: Path) -> None:
    objects = open_objects(None, tmp_path)
    assert objects.put_new("a/b", b"first")
    assert not objects.put_new("a/b", b"second")
    assert objects.get("a/b", 100) == b"first"
