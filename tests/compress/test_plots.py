"""What the receipt's page draws."""

from __future__ import annotations

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from compress.plots import HEIGHT, WIDTH, Shown, jpeg_size, scatter, ticks
from compress.receipt import headline, render
from edge_agent.wire.receipt import BrokenLimit, Curve, FrameDifference, Removal
from tests.compress.test_receipt import FULL, SMALL, receipt

STUDENT = SMALL.model_copy(update={"candidate": "256x192, half", "bytes": 400_000, "ap50": 0.90})


def jpeg(width: int, height: int) -> bytes:
    import cv2

    return bytes(cv2.imencode(".jpg", np.zeros((height, width, 3), np.uint8))[1].tobytes())


@given(st.floats(0, 100), st.floats(0.001, 100))
def test_ticks_are_a_few_round_numbers_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 8
    assert all(low - 1e-6 <= at <= low + span + 1e-6 for at in found)


def test_scatter_draws_every_candidate_inside_the_frame_and_marks_the_chosen() -> None:
    drawn = scatter(receipt(tried=(SMALL, STUDENT)))
    assert drawn is not None
    assert [point.kind for point in drawn.points] == ["full", "chosen", "other"]
    assert all(0 < point.x < WIDTH and 0 < point.y < HEIGHT for point in drawn.points)
    full, chosen, student = drawn.points
    assert student.x < chosen.x < full.x
    assert full.y < chosen.y < student.y


def test_scatter_without_a_test_set_shows_agreement() -> None:
    blind = [one.model_copy(update={"ap50": None, "agreement_f1": 0.98}) for one in (FULL, SMALL, STUDENT)]
    drawn = scatter(receipt(before=blind[0], after=(blind[1],), tried=tuple(blind[1:])))
    assert drawn is not None
    assert drawn.y_title == "agreement F1"


@pytest.mark.parametrize(("width", "height"), [(360, 270), (33, 7)])
def test_jpeg_size_reads_the_header(width: int, height: int) -> None:
    assert jpeg_size(jpeg(width, height)) == (width, height)


def test_render_draws_candidates_curves_frames_and_removals_without_loading_anything() -> None:
    box = (0.1, 0.2, 0.5, 0.6)
    made = receipt(
        tried=(SMALL, STUDENT),
        curves=tuple(
            Curve(form=form, label="person", precision=(1.0, 0.5, 0.0)) for form in ("full", "litert_int8")
        ),
        differences=(FrameDifference(picture="f.png", before=(box, box), after=(box,), truth=(box,)),),
        removed=(
            Removal(stage="subnets", what="EfficientNet-Lite0", parameters_before=9, parameters_after=5),
        ),
    )
    page = BeautifulSoup(render(Shown(made, (jpeg(40, 30),))), "html.parser")
    assert len(page.select("circle")) == 3
    assert len(page.select("polyline")) == 2
    assert [len(side.select("rect.box")) for side in page.select(".pair svg")] == [2, 1]
    assert all(str(image["href"]).startswith("data:image/jpeg") for image in page.select("image"))
    assert not page.find_all(["script", "link", "img", "iframe"])
    assert "EfficientNet-Lite0" in page.get_text()
    assert "256x192, half" in page.get_text()


def test_render_of_a_refusal_says_which_limit_and_that_there_is_no_bundle() -> None:
    refused = receipt(
        broken=(BrokenLimit(limit="time", unit="ms", value=30.0, allowed=10.0),), tried=(SMALL,)
    )
    assert "takes 30.0 ms, allowed are 10.0 ms" in headline(refused)
    assert "No bundle was written" in render(Shown(refused))
