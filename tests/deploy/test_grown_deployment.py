"""deploy/compose.yaml and deploy/k8s are what their schemas allow, and name what elfowl reads and does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cloud.cli import app
from cloud.settings import settings_from
from tests.fakes.console import Console

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = [
    document
    for file in sorted((DEPLOY / "k8s").glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for document in yaml.safe_load_all(file.read_text())
]
SECRETS = {
    "POSTGRES_PASSWORD": "p", "OBJECTS_PASSWORD": "o", "ELFOWL_ACCESS_TOKEN": "a" * 16,
    "MQTT_PASSWORD": "m", "BROKER_NAME": "broker.example",
}  # fmt: skip
KUBERNETES_SECRET = {
    "ELFOWL_DATABASE": "postgresql://elfowl:p@postgres/elfowl", "ELFOWL_ACCESS_TOKEN": "a" * 16,
    "ELFOWL_BROKER": "mqtts://elfowl:m@broker.example:8883", "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
}  # fmt: skip


def filled(text: str) -> str:
    """Put in what stands in `.env`."""
    return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], text)


def named(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def pods() -> Iterator[dict[str, Any]]:
    for manifest in MANIFESTS:
        if manifest["kind"] in {"Deployment", "StatefulSet"}:
            yield manifest["spec"]["template"]["spec"]


def every_command() -> list[list[str]]:
    composed = [
        one["command"] for one in COMPOSE["services"].values() if "elfowl-cloud" in one.get("command", ())
    ]
    return composed + [container["args"] for pod in pods() for container in pod["containers"]]


def test_compose_file_is_what_the_compose_specification_allows() -> None:
    from compose_pydantic.models import ComposeSpecification

    plain = {key: value for key, value in COMPOSE.items() if not key.startswith("x-")}
    parsed = ComposeSpecification.model_validate(plain)
    assert set(parsed.services or {}) >= {"cloud", "worker", "postgres", "objects", "mosquitto"}
    misspelt = {**COMPOSE["services"]["worker"], "restrat": "always"}
    with pytest.raises(ValidationError, match="restrat"):
        ComposeSpecification.model_validate({"services": {"worker": misspelt}})


def test_compose_file_names_only_volumes_services_and_files_that_there_are() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            if not source.startswith("."):
                assert source in COMPOSE["volumes"]
            elif not source.startswith("./certs"):
                assert (DEPLOY / source).is_file()


@pytest.mark.parametrize("name", ["cloud", "worker"])
def test_compose_service_is_set_up_as_the_cloud_reads_it(name: str) -> None:
    given = {key: filled(value) for key, value in COMPOSE["services"][name]["environment"].items()}
    settings = settings_from({"HOME": "/", **given})
    _assert_shares_tables_and_objects(settings.database_url, settings.object_store)
    if name == "cloud":
        assert settings.stream_workers == 0, "workers watch"
        assert settings.broker.startswith("mqtts://"), "never in the clear"


def test_kubernetes_settings_and_secret_are_read_by_the_cloud() -> None:
    (config,) = [one for one in MANIFESTS if one["kind"] == "ConfigMap"]
    settings = settings_from({"HOME": "/", **config["data"], **KUBERNETES_SECRET})
    _assert_shares_tables_and_objects(settings.database_url, settings.object_store)


def _assert_shares_tables_and_objects(database_url: str, object_store: str | None) -> None:
    assert database_url.startswith("postgresql+psycopg://")
    assert object_store is not None


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_command_in_a_container_is_one_of_ours(command: list[str]) -> None:
    program, *arguments = command
    assert program == "elfowl-cloud"
    # Unknown commands and options are wrong usage, also when help is asked for.
    assert Console().invoke(app, [*arguments, "--help"]).exit_code == 0


@pytest.mark.slow  # its models of Kubernetes take seconds to import
@pytest.mark.parametrize("manifest", MANIFESTS, ids=named)
def test_manifest_is_what_kubernetes_allows(manifest: dict[str, Any]) -> None:
    parsed = _model_of(manifest).model_validate(manifest)
    understood = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert list(_lost(manifest, understood)) == [], "keys that Kubernetes does not know"
    misspelt = {**manifest, "metdata": {"name": "elfowl"}}
    assert list(_lost(misspelt, understood)) == [".metdata"]


def _model_of(manifest: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a class of its own for each kind
    from cloudcoil.models import kubernetes

    room, _, version = manifest["apiVersion"].rpartition("/")
    package = getattr(kubernetes, room.partition(".")[0] or "core")
    return getattr(getattr(package, version), manifest["kind"])


def _lost(given: object, understood: object, place: str = "") -> Iterator[str]:
    """Yield where something was given that was not understood."""
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(understood, dict) or key not in understood:
                yield f"{place}.{key}"
            else:
                yield from _lost(value, understood[key], f"{place}.{key}")
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from _lost(
                value, understood[number] if isinstance(understood, list) else None, f"{place}[{number}]"
            )


def test_kustomization_names_every_manifest() -> None:
    named = yaml.safe_load((DEPLOY / "k8s" / "kustomization.yaml").read_text())["resources"]
    there = {file.name for file in (DEPLOY / "k8s").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(named) == there


@pytest.mark.parametrize("pod", list(pods()), ids=lambda pod: str(pod["containers"][0]["name"]))
def test_pod_mounts_what_it_has_and_runs_as_nobody_special(pod: dict[str, Any]) -> None:
    claims = {
        claim["metadata"]["name"]
        for manifest in MANIFESTS
        if manifest["kind"] == "StatefulSet"
        for claim in manifest["spec"]["volumeClaimTemplates"]
    }
    volumes = {volume["name"] for volume in pod.get("volumes", ())} | claims
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {source: ref["name"] for one in container["envFrom"] for source, ref in one.items()} == {
            "configMapRef": "elfowl", "secretRef": "elfowl",
        }  # fmt: skip


def test_selectors_find_their_pods() -> None:
    labels = {manifest["metadata"]["name"]: manifest["spec"]["template"]["metadata"]["labels"]
              for manifest in MANIFESTS if manifest["kind"] in {"Deployment", "StatefulSet"}}  # fmt: skip
    for manifest in MANIFESTS:
        spec = manifest.get("spec", {})
        chosen = spec.get("selector", {}).get("matchLabels") or spec.get("podSelector", {}).get("matchLabels")
        chosen = spec["selector"] if manifest["kind"] == "Service" else chosen
        if chosen is not None:
            assert labels[manifest["metadata"]["name"]] == chosen
