"""A version that was trained anew is compared with the one in use, and a report of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.actions.held_out import open_test_files
from cloud.actions.measured import comparison_files, evaluation_files
from cloud.actions.open_home import Home
from cloud.errors import InputError
from cloud.evaluation.full import Scope
from cloud.evaluation.report import ComparisonReport, EvaluationReport
from cloud.store import detectors
from cloud.worker.compare import compare, write_page
from cloud.worker.evaluate import evaluate, evaluate_on_test, report_on
from cloud.worker.train import train
from tests.cloud.homes import make_home
from tests.cloud.test_cli_full_disk import write_pictures


def detector_id(home: Home) -> str:
    with home.database.read() as session:
        return detectors.find(session, "persons").id


@pytest.mark.slow  # trains a real detector, twice
def test_second_version_is_compared_on_frames_that_neither_learned_from(taught: Home, tmp_path: Path) -> None:
    home = taught
    with pytest.raises(InputError, match="no test frames yet"):
        evaluate_on_test(home, "persons")
    labels = write_pictures(tmp_path / "test", 6)
    evaluate(home, "persons", open_test_files(labels, labels.parent, None))
    made = train(home, "persons", budget_s=1.0)
    assert made["images"] == 2
    assert (made["compared"]["with"], made["compared"]["images"]) == (1, 2)
    # Two pictures are too few for a verdict.
    assert made["compared"]["verdict"] == "not compared"
    kept = comparison_files(home.settings, detector_id(home), 1, 2)
    assert ComparisonReport.from_json(kept.document.read_bytes()).new.detector.version == 2
    assert compare(home, "persons", 2, 1).new.detector.version == 1

    report = report_on(home, "persons@1", None, Scope(robustness=False))
    places = evaluation_files(home.settings, detector_id(home), 1)
    assert EvaluationReport.from_json(places.document.read_bytes()) == report
    assert places.page.read_text().startswith("<!doctype html>")


def test_compare_with_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with itself"):
        compare(make_home(tmp_path), "persons", 2, 2)


def test_write_page_where_it_cannot_be_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--report"):
        write_page(tmp_path / "no" / "such" / "folder.html", "page")
