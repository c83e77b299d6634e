"""deploy/k8s-scaled is what Kubernetes allows, and scales by what elfowl tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.cloud.api.conftest import make_cloud
from tests.deploy.test_grown_deployment import MANIFESTS, _lost, _model_of

FOLDER = Path(__file__).parents[2] / "deploy" / "k8s-scaled"
SCALER = yaml.safe_load((FOLDER / "workers.yaml").read_text())
METRIC = SCALER["spec"]["metrics"][0]["external"]


def whole() -> dict[str, Any]:
    """Return the autoscaler with the patch on it: of what is not its own, it says nothing."""
    (plain,) = [one for one in MANIFESTS if one["kind"] == SCALER["kind"]]
    assert plain["metadata"]["name"] == SCALER["metadata"]["name"]
    return {**plain, "spec": {**plain["spec"], **SCALER["spec"]}}


@pytest.mark.slow  # Kubernetes' models take seconds to import
def test_autoscaler_is_what_kubernetes_allows() -> None:
    parsed = _model_of(whole()).model_validate(whole())
    assert list(_lost(whole(), parsed.model_dump(mode="json", by_alias=True, exclude_unset=True))) == []


def test_autoscaler_asks_for_what_elfowl_tells_and_adapter_passes_on(tmp_path: Path) -> None:
    told = make_cloud(tmp_path).client.get("/api/v1/metrics").text
    names = {family.name for family in text_string_to_metric_families(told)}
    assert METRIC["metric"]["name"] in names
    (rule,) = yaml.safe_load((FOLDER / "adapter.yaml").read_text())["rules"]["external"]
    passed_on = {name for name in names if re.fullmatch(rule["seriesQuery"].split('"')[1], name)}
    assert passed_on == {"elfowl_stream_workers_wanted", "elfowl_offload_workers_wanted"}


def test_each_pod_counts_for_as_many_workers_as_it_runs() -> None:
    (workers,) = [one for one in MANIFESTS if one["kind"] == "Deployment"]
    arguments = workers["spec"]["template"]["spec"]["containers"][0]["args"]
    assert METRIC["target"]["averageValue"] == arguments[arguments.index("--processes") + 1]


def test_kustomization_names_what_there_is() -> None:
    document = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert document["resources"] == ["../k8s"]
    assert [one["path"] for one in document["patches"]] == ["workers.yaml"]
