"""What the OpenAPI document promises holds, whatever is sent: made-up requests to every operation."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector, add_device, jpeg

pytestmark = pytest.mark.slow

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Parts of uploads are bytes under another name.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
# It takes the pairs of this answer for a schema of an older kind, and refuses the document.
_MISREAD = "GET /api/v1/detectors/{detector_id}/proposals"
# They go on for as long as somebody listens.
_ENDLESS = ("/events", "/live.mjpeg")
_SHOWN = 12


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """Return a cloud with one of the things that requests are about."""
    folder: Path = tmp_path_factory.mktemp("contract")
    cloud = make_cloud(folder)
    detector_id = add_detector(cloud.home)
    add_device(cloud.home)
    cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files={"file": ("a.jpg", jpeg())})
    cloud.client.post(f"/api/v1/detectors/{detector_id}/train")
    cloud.client.post("/api/v1/searches", json={"name": "all", "query": "person"})
    return cloud


def known_ids(cloud: Cloud) -> dict[str, str]:
    detector_id = cloud.client.get("/api/v1/detectors").json()[0]["id"]
    path = f"/api/v1/detectors/{detector_id}"
    return {
        "detector_id": detector_id,
        "media_id": cloud.client.get(f"{path}/media").json()[0]["id"],
        "job_id": cloud.client.get(f"{path}/jobs").json()[0]["id"],
        "name": "porch",
        "index": "0",
        "camera": "front",
    }


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_every_operation_answers_as_the_document_says(cloud: Cloud, mode: GenerationMode) -> None:
    document = json.loads(json.dumps(cloud.app.openapi()))
    ids = known_ids(cloud)
    faults: list[str] = []
    count = 0
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        # Anything is a name: only parameters and bodies can be wrong.
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue
        strategy = operation.as_strategy(generation_mode=mode)

        # Seeded by the operation's own name: a new route changes nothing for the others.
        @seed(zlib.crc32(operation.label.encode()))
        @settings(
            max_examples=1 if mode is GenerationMode.NEGATIVE else 2,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=strategy)
        def check(case: Any) -> None:  # noqa: ANN401 - of schemathesis, by operation
            if case.method != "DELETE" and not case.path.endswith(_ENDLESS):
                case.path_parameters.update(
                    {key: ids[key] for key in case.path_parameters if key in ids and "device" not in key}
                )
            checks = _CHECKS[:-1] if case.operation.label == _MISREAD else _CHECKS
            case.validate_response(sent(cloud, case), checks=checks)

        count += 1
        try:
            check()
        except Exception as error:  # noqa: BLE001 - all faults are told at once
            faults.append(f"{operation.label}: {error}")
    assert not faults, "\n\n".join(faults[:_SHOWN]) + f"\n{len(faults)} operations do not keep their word"
    assert count > 50


def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    bodies = set()
    for operation in (one for path in document["paths"].values() for one in path.values()):
        schema = (
            operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        )
        bodies |= {
            one["$ref"].rpartition("/")[2] for one in [schema, *schema.get("anyOf", [])] if "$ref" in one
        }
    schemas = document["components"]["schemas"]
    without = {name for name in bodies if "examples" not in schemas[name]}
    assert without == set(), "give them an example in cloud/api/examples.py"
    for name in bodies:
        schema = {**schemas[name], "components": document["components"]}
        jsonschema.validate(schemas[name]["examples"][0], schema)


def sent(cloud: Cloud, case: Any) -> Any:  # noqa: ANN401 - the test client's own type of answer
    # Of a library whose types say less than what is there: a body is bytes here, and headers are text.
    prepared: Any = requests.Request(**case.as_transport_kwargs("http://127.0.0.1:8420")).prepare()
    headers = {name: value for name, value in prepared.headers.items() if name.lower() != "content-length"}
    answer = cloud.client.request(
        prepared.method, prepared.url, headers=headers, content=prepared.body, follow_redirects=False
    )
    if answer.is_error:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer
