"""Whole reports, by a detector that finds what is bright; and the pages made of them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from cloud.datasets.frames import LabelledFrame
from cloud.errors import InputError
from cloud.evaluation.compare import compare_versions
from cloud.evaluation.full import Scope, evaluate_fully
from cloud.evaluation.page import render_comparison, render_evaluation
from cloud.evaluation.report import ComparisonReport, EvaluationReport
from cloud.evaluation.robustness import CONDITIONS
from tests.cloud.evaluation.scenes import BrightDetector, lamp_frames
from tests.fakes.clock import FakeClock


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledFrame]:
    return lamp_frames(tmp_path_factory.mktemp("lamps"))


@pytest.fixture(scope="module")
def evaluation(frames: list[LabelledFrame]) -> EvaluationReport:
    detector = BrightDetector(names=("lamp", "candle"))
    return evaluate_fully(
        detector, frames, Scope(), source="files", clock=FakeClock(), warnings=("<b>beware</b>",)
    )


@pytest.fixture(scope="module")
def comparison(frames: list[LabelledFrame]) -> ComparisonReport:
    worse, better = BrightDetector(1, blind_left=True), BrightDetector(2)
    return compare_versions(worse, better, frames, source="test", clock=FakeClock())


def test_evaluate_fully_finds_everything_of_an_easy_scene(evaluation: EvaluationReport) -> None:
    assert (evaluation.ap50.value, evaluation.ap50.low) == pytest.approx((1.0, 1.0))
    assert (evaluation.images, evaluation.objects, evaluation.stretches) == (8, 8, 8)
    assert evaluation.per_class["lamp"].in_use.f1 == 1.0
    assert evaluation.per_class["candle"].ap50 is None
    assert evaluation.confusion.counts == ((8, 0, 0), (0, 0, 0), (0, 0, 0))
    assert evaluation.sizes["medium"].truth == 8
    assert evaluation.picture_sizes == ("160x120",)
    assert evaluation.calibration.error == pytest.approx(0.2)
    assert evaluation.mistakes == ()


def test_evaluate_fully_tells_where_it_fails(evaluation: EvaluationReport) -> None:
    by_name = {one.name: one for one in evaluation.robustness}
    assert list(by_name) == [one.name for one in CONDITIONS]
    # A lamp at dusk is not bright any more.
    assert (by_name["dusk"].ap50, by_name["dusk"].drop) == (0.0, 1.0)
    assert by_name["shifted"].ap50 == pytest.approx(1.0)


def test_evaluate_fully_repeats(frames: list[LabelledFrame], evaluation: EvaluationReport) -> None:
    again = evaluate_fully(
        BrightDetector(names=("lamp", "candle")), frames[::-1], Scope(), source="files",
        clock=FakeClock(), warnings=("<b>beware</b>",),
    )  # fmt: skip
    assert again == evaluation


def test_evaluate_fully_shows_mistakes(frames: list[LabelledFrame]) -> None:
    report = evaluate_fully(
        BrightDetector(blind_left=True), frames, Scope(robustness=False, pictures=2), source="files",
        clock=FakeClock(),
    )  # fmt: skip
    assert report.mistake_counts == {"missed": 4, "false alarm": 0}
    assert len(report.mistakes) == 2
    picture = (report.mistakes[0].picture or "").removeprefix("data:image/jpeg;base64,")
    assert Image.open(io.BytesIO(base64.b64decode(picture))).size == (120, 120)
    assert report.robustness == ()


def test_evaluate_fully_without_whole_frames_is_refused() -> None:
    with pytest.raises(InputError, match="at least one whole frame"):
        evaluate_fully(BrightDetector(), [], Scope(), source="files", clock=FakeClock())


def test_compare_versions_names_what_is_fixed(comparison: ComparisonReport) -> None:
    assert comparison.verdict == "better"
    assert comparison.ap50.low is not None
    assert comparison.ap50.low > 0
    assert (len(comparison.fixed), comparison.broken) == (4, ())
    assert (comparison.old.missed, comparison.new.missed) == (4, 0)
    assert {one.frame for one in comparison.fixed} == {"1.png", "3.png", "5.png", "7.png"}


def test_compare_versions_the_other_way_round_is_worse(frames: list[LabelledFrame]) -> None:
    report = compare_versions(
        BrightDetector(1), BrightDetector(2, blind_left=True), frames, source="test", clock=FakeClock()
    )
    assert report.verdict == "worse"
    assert "version 1 stays in use" in report.words
    assert len(report.broken) == 4


def test_compare_versions_other_classes_are_told(frames: list[LabelledFrame]) -> None:
    report = compare_versions(
        BrightDetector(1), BrightDetector(2, names=("lamp", "candle")), frames, source="test",
        clock=FakeClock(), pictures=0,
    )  # fmt: skip
    assert report.classes == ("lamp",)
    assert report.warnings == ("only version 2 knows 'candle': not compared",)
    assert report.verdict == "not measurably different"


def test_reports_survive_json(evaluation: EvaluationReport, comparison: ComparisonReport) -> None:
    assert EvaluationReport.from_json(evaluation.to_json()) == evaluation
    assert ComparisonReport.from_json(comparison.to_json()) == comparison


def test_pages_say_it_all_load_nothing_and_escape(
    evaluation: EvaluationReport, comparison: ComparisonReport
) -> None:
    for page, needed in (
        (render_evaluation(evaluation), ["AP50 1.000", "dusk", "candle", "nothing there", "<b>beware</b>"]),
        (render_comparison(comparison), ["is better than", "Fixed (4)", "Broken (0)", "1.png"]),
    ):
        soup = BeautifulSoup(page, "html.parser")
        for text in [*needed, "lamps <one>"]:
            assert text in soup.get_text()
        assert soup.find_all(["script", "link", "iframe"]) == []
        assert all(str(image["src"]).startswith("data:image/jpeg") for image in soup.find_all("img"))
        assert "http" not in page.replace('"http', "")


def test_page_without_interval_says_so(tmp_path: Path) -> None:
    report = evaluate_fully(
        BrightDetector(), lamp_frames(tmp_path, 2), Scope(robustness=False), source="test", clock=FakeClock()
    )
    assert report.ap50.low is None
    assert "too few separate stretches" in render_evaluation(report)
