"""The receipt's page."""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup

from compress.plots import Shown
from compress.receipt import charts, headline, render, write_receipt
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import SubnetRef
from edge_agent.wire.receipt import Measurement, Receipt

FULL = Measurement(
    form="full",
    runtime="onnx",
    precision="fp32",
    bytes=12_000_000,
    parameters=3_000_000,
    ap50=0.93,
    ap=0.55,
    images=25,
    ms_p50=60.0,
    ms_p99=80.0,
)
SMALL = Measurement(
    form="litert_int8",
    runtime="litert",
    precision="int8",
    bytes=3_000_000,
    ap50=0.92,
    images=25,
    agreement_f1=0.98,
    ms_p50=30.0,
    bundle_sha256="ab" * 32,
    bundle_bytes=3_500_000,
)


def receipt(name: str = "my <b>camera</b>", **changes: object) -> Receipt:
    made = Receipt(
        detector=DetectorRef(id="d1", name=name, version=2),
        profile="pi-4",
        chosen="litert_int8",
        before=FULL,
        after=(SMALL,),
        calibration_images=24,
        subnets=(SubnetRef(name="EfficientNet-Lite0", source="a package", licence="Apache-2.0"),),
        versions={"torch": "2.13.0"},
        machine="a test",
        reproduce="elfowl-compress run d1 --profile pi-4 --out DIR",
        seconds={"total": 41.2},
        warnings=("memory is tight",),
        created=1_800_000_000.0,
    )
    return made.model_copy(update=changes)


def test_render_needs_nothing_from_elsewhere() -> None:
    page = BeautifulSoup(render(Shown(receipt())), "html.parser")
    assert not page.find_all(["script", "link", "img", "iframe"])
    assert not page.find_all(src=True)


def test_render_shows_both_columns_and_marks_the_chosen() -> None:
    page = BeautifulSoup(render(Shown(receipt())), "html.parser")
    heads = [cell.get_text(strip=True) for cell in page.select("thead")[0].select("th")]
    assert heads == ["", "Full detector", "TFLite int8 (chosen)"]
    rows = {
        row.th.get_text(): [cell.get_text() for cell in row.select("td")]
        for row in page.select("tbody tr")
        if row.th
    }
    assert rows["AP50"] == ["0.930", "0.920"]
    assert rows["Network"] == ["12.00 MB", "3.00 MB"]


def test_render_escapes_what_people_typed() -> None:
    assert "<b>camera</b>" not in render(Shown(receipt()))


def test_render_shows_warnings_licences_versions_and_how_to_make_it_again() -> None:
    text = BeautifulSoup(render(Shown(receipt())), "html.parser").get_text(" ")
    for expected in ("memory is tight", "Apache-2.0", "torch 2.13.0", "elfowl-compress run d1", "ab" * 32):
        assert expected in text


def test_render_without_accuracy_has_no_accuracy_bars() -> None:
    blind = receipt(
        before=FULL.model_copy(update={"ap50": None}), after=(SMALL.model_copy(update={"ap50": None}),)
    )
    assert [chart.title for chart in charts(blind)] == ["Size of the network", "Time of the network"]
    assert "AP50" not in headline(blind)
    assert render(Shown(blind)).count("<figure>") == 2


def test_headline_says_gain_and_cost() -> None:
    assert headline(receipt()) == (
        "4.0 times smaller, 2.0 times faster, AP50 0.930 \N{RIGHTWARDS ARROW} 0.920, "
        "98.0 % of boxes as before"
    )


def test_headline_of_a_slower_form_says_slower() -> None:
    assert "2.0 times slower" in headline(receipt(after=(SMALL.model_copy(update={"ms_p50": 120.0}),)))


def test_charts_are_relative_to_the_longest_bar() -> None:
    size = charts(receipt())[0]
    assert [bar.share for bar in size.bars] == [1.0, 0.25]
    assert [bar.chosen for bar in size.bars] == [False, True]


def test_write_receipt_can_be_read_again(tmp_path: Path) -> None:
    json_file, html_file = write_receipt(Shown(receipt()), tmp_path)
    assert Receipt.from_json(json_file.read_text()) == receipt()
    assert html_file.read_text().startswith("<!doctype html>")
