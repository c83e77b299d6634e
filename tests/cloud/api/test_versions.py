"""Versions: one is in use, and each reports from its thresholds on."""

from __future__ import annotations

import json

import pytest

from cloud.actions.detectors import version_path
from cloud.actions.measured import comparison_files, evaluation_files, write_report
from cloud.store import detectors
from tests.cloud.api.conftest import Cloud
from tests.cloud.homes import add_detector


@pytest.fixture
def detector_id(cloud: Cloud) -> str:
    """Return a detector with two versions."""
    found = add_detector(cloud.home)
    with cloud.home.database.write() as session:
        for version in (1, 2):
            detectors.add_version(
                session, detector_id=found, version=version, metrics={}, now_s=cloud.clock.now_s()
            )
            folder = version_path(cloud.home.settings, found, version)
            folder.mkdir(parents=True)
            labels = [{"name": "person", "slug": "person", "threshold": 0.4}]
            (folder / "spec.json").write_text(json.dumps({"schema": 2, "labels": labels, "more": [1]}))
    return found


def in_use(cloud: Cloud, detector_id: str) -> int:
    return int(cloud.client.get(f"/api/v1/detectors/{detector_id}").json()["in_use"])


def train_next(cloud: Cloud, detector_id: str, verdict: str) -> None:
    cloud.clock.advance(10.0)
    with cloud.home.database.write() as session:
        version = detectors.next_version(session, detector_id)
        metrics = {"compared": {"verdict": verdict}}
        now_s = cloud.clock.now_s()
        detectors.add_version(session, detector_id=detector_id, version=version, metrics=metrics, now_s=now_s)


def test_older_version_is_used_again_until_a_newer_one_is_not_worse(cloud: Cloud, detector_id: str) -> None:
    assert in_use(cloud, detector_id) == 2
    cloud.clock.advance(10.0)

    shown = cloud.client.post(f"/api/v1/detectors/{detector_id}/versions/1/use").json()

    assert (shown["in_use"], in_use(cloud, detector_id)) == (1, 1)
    train_next(cloud, detector_id, "worse")
    assert in_use(cloud, detector_id) == 1
    train_next(cloud, detector_id, "better")
    assert in_use(cloud, detector_id) == 4
    cloud.clock.advance(10.0)
    cloud.client.post(f"/api/v1/detectors/{detector_id}/versions/3/use")
    assert in_use(cloud, detector_id) == 3, "a person may choose what was measured to be worse"


def test_version_that_is_not_there_cannot_be_used(cloud: Cloud, detector_id: str) -> None:
    assert cloud.client.post(f"/api/v1/detectors/{detector_id}/versions/9/use").status_code == 404
    assert in_use(cloud, detector_id) == 2


def test_threshold_is_kept_and_the_rest_of_the_version_stays(cloud: Cloud, detector_id: str) -> None:
    path = f"/api/v1/detectors/{detector_id}/versions/2/thresholds"
    assert cloud.client.get(path).json() == {"version": 2, "thresholds": {"person": 0.4}}

    put = cloud.client.put(path, json={"thresholds": {"person": 0.55}})

    assert put.json()["thresholds"] == {"person": 0.55}
    assert cloud.client.get(path).json()["thresholds"] == {"person": 0.55}
    spec = json.loads((version_path(cloud.home.settings, detector_id, 2) / "spec.json").read_text())
    assert (spec["more"], spec["labels"][0]["slug"]) == ([1], "person")
    other = cloud.client.get(f"/api/v1/detectors/{detector_id}/versions/1/thresholds").json()
    assert other["thresholds"] == {"person": 0.4}


@pytest.mark.parametrize("thresholds", [{"cat": 0.5}, {"person": 1.5}, {"person": "high"}, {}])
def test_wrong_threshold_is_refused_and_nothing_changes(
    cloud: Cloud, detector_id: str, thresholds: dict[str, object]
) -> None:
    path = f"/api/v1/detectors/{detector_id}/versions/2/thresholds"

    assert cloud.client.put(path, json={"thresholds": thresholds}).status_code == 422

    assert cloud.client.get(path).json()["thresholds"] == {"person": 0.4}


def test_reports_that_were_made_are_named(cloud: Cloud, detector_id: str) -> None:
    path = f"/api/v1/detectors/{detector_id}/versions/2/measured"
    assert cloud.client.get(path).json() == {"version": 2, "report": False, "compared_with": []}
    settings = cloud.home.settings

    write_report(evaluation_files(settings, detector_id, 2), "{}", "page")
    write_report(comparison_files(settings, detector_id, 1, 2), "{}", "page")

    assert cloud.client.get(path).json() == {"version": 2, "report": True, "compared_with": [1]}
