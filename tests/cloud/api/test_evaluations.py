"""Reports on versions: jobs make them, routes serve what was kept."""

from __future__ import annotations

import pytest

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
            detectors.add_version(session, detector_id=found, version=version, metrics={}, now_s=1.0)
    return found


@pytest.mark.parametrize(
    ("path", "kind", "params"),
    [
        ("versions/2/evaluate", "evaluate", {"version": 2}),
        ("compare?a=1&b=2", "compare", {"old": 1, "new": 2}),
    ],
)
def test_evaluation_is_a_job(
    cloud: Cloud, detector_id: str, path: str, kind: str, params: dict[str, int]
) -> None:
    answer = cloud.client.post(f"/api/v1/detectors/{detector_id}/{path}")
    assert answer.status_code == 202
    assert answer.json()["kind"] == kind
    assert answer.json()["params"] == params


@pytest.mark.parametrize("path", ["versions/2/report", "compare?a=1&b=2"])
def test_report_that_was_not_made_names_the_command(cloud: Cloud, detector_id: str, path: str) -> None:
    answer = cloud.client.get(f"/api/v1/detectors/{detector_id}/{path}")
    assert answer.status_code == 404
    assert "elfowl-cloud detector" in answer.json()["detail"]


def test_report_of_an_unknown_version_is_not_found(cloud: Cloud, detector_id: str) -> None:
    assert cloud.client.get(f"/api/v1/detectors/{detector_id}/versions/9/report").status_code == 404


def test_kept_reports_are_served_and_pages_run_no_scripts(cloud: Cloud, detector_id: str) -> None:
    settings = cloud.home.settings
    write_report(evaluation_files(settings, detector_id, 2), '{"schema": 1}', "<p>good</p>")
    write_report(comparison_files(settings, detector_id, 1, 2), '{"verdict": "better"}', "<p>two</p>")
    base = f"/api/v1/detectors/{detector_id}"
    assert cloud.client.get(f"{base}/versions/2/report").json() == {"schema": 1}
    assert cloud.client.get(f"{base}/compare?a=1&b=2").json() == {"verdict": "better"}
    for path, text in (("versions/2/report.html", "good"), ("compare.html?a=1&b=2", "two")):
        page = cloud.client.get(f"{base}/{path}")
        assert text in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
