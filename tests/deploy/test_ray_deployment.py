"""deploy/k8s-ray is what KubeRay and Kubernetes allow, and what elfowl reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from cloud.settings import Settings, settings_from
from tests.deploy.test_grown_deployment import _lost, _model_of

FOLDER = Path(__file__).parents[2] / "deploy" / "k8s-ray"
SCHEMA = json.loads((Path(__file__).parent / "raycluster.schema.json").read_text())


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


CLUSTER = read("cluster.yaml")[0]
CLOUD = read("cloud.yaml")[0]["spec"]["template"]["spec"]
REDIS = read("redis.yaml")
REDIS_POD = next(one["spec"]["template"]["spec"] for one in REDIS if one["kind"] == "StatefulSet")
GROUPS = [CLUSTER["spec"]["headGroupSpec"], *CLUSTER["spec"]["workerGroupSpecs"]]


def test_cluster_is_what_kuberay_allows() -> None:
    validator = Draft7Validator(SCHEMA)
    assert list(validator.iter_errors(CLUSTER)) == []
    misspelt = {**CLUSTER, "spec": {**CLUSTER["spec"], "workerGroupSpec": []}}
    assert len(list(validator.iter_errors(misspelt))) == 1


@pytest.mark.slow  # Kubernetes' models take seconds to import
@pytest.mark.parametrize("pod", [*(group["template"]["spec"] for group in GROUPS), CLOUD, REDIS_POD])
def test_pod_is_what_kubernetes_allows(pod: dict[str, Any]) -> None:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": pod}
    parsed = _model_of(manifest).model_validate(manifest)
    understood = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert list(_lost(manifest, understood)) == []


@pytest.mark.slow
@pytest.mark.parametrize("manifest", REDIS, ids=lambda one: one["kind"])
def test_what_keeps_what_the_head_knows_is_what_kubernetes_allows(manifest: dict[str, Any]) -> None:
    parsed = _model_of(manifest).model_validate(manifest)
    understood = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert list(_lost(manifest, understood)) == []


def test_head_finds_again_what_it_knew_and_all_wait_for_it() -> None:
    options = CLUSTER["spec"]["gcsFaultToleranceOptions"]
    (service,) = [one for one in REDIS if one["kind"] == "Service"]
    (port,) = service["spec"]["ports"]
    assert options["redisAddress"] == f"{service['metadata']['name']}:{port['port']}"
    (password,) = REDIS_POD["containers"][0]["env"]
    assert options["redisPassword"] == {"valueFrom": password["valueFrom"]}
    # KubeRay lets its own pods wait as long.
    for container in (*CLOUD["initContainers"], *CLOUD["containers"]):
        assert {"name": "RAY_gcs_rpc_server_reconnect_timeout_s", "value": "600"} in container["env"]


def test_head_and_cloud_take_no_workers_and_the_group_has_room_for_those_that_are_wanted() -> None:
    assert GROUPS[0]["rayStartParams"]["num-cpus"] == "0"
    (node,) = CLOUD["initContainers"]
    assert node["command"][-3:] == ["--num-cpus", "0", "--block"]
    cores = int(GROUPS[1]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    assert GROUPS[1]["maxReplicas"] * cores >= settings().most_offload_workers


def settings() -> Settings:
    given = {one["name"]: one["value"] for one in CLOUD["containers"][0]["env"] if "value" in one}
    return settings_from({"HOME": "/", **given})


def test_cloud_finds_the_cluster_by_the_service_of_its_head() -> None:
    found = settings()
    assert (found.engine, found.ray_address) == ("ray", f"{CLUSTER['metadata']['name']}-head-svc:6379")


def test_kustomization_names_every_file() -> None:
    document = read("kustomization.yaml")[0]
    named = {"kustomization.yaml", *document["resources"], *(one["path"] for one in document["patches"])}
    assert named == {"../k8s", *(file.name for file in FOLDER.glob("*.yaml"))}
