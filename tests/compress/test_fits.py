"""Which devices a compression fits."""

from __future__ import annotations

from pathlib import Path

from compress.fits import Fit, fit_table, fits, networks_in_words
from compress.result import Refusal, Result
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.receipt import BrokenLimit, Estimate, Receipt
from tests.compress.test_choose import MB, measured, profile


def receipt(*broken: BrokenLimit, estimates: tuple[Estimate, ...] = ()) -> Receipt:
    chosen = measured("litert_int8", 70 * MB, 2 * MB).model_copy(
        update={"candidate": "half", "ms_p50": 20.0, "memory_limit_bytes": 100 * MB}
    )
    return Receipt(
        detector=DetectorRef(id="d1", name="persons", version=1),
        profile="some-camera",
        chosen="litert_int8",
        before=measured("full", 200 * MB),
        after=(chosen,),
        calibration_images=24,
        versions={},
        machine="x86_64",
        reproduce="again",
        seconds={},
        created=0.0,
        limits={"memory_bytes": 128.0 * MB, "storage_bytes": 64.0 * MB},
        broken=broken,
        estimates=estimates,
    )


def row(one: Receipt, arch: str) -> Fit:
    outcome = Result(one, Path("receipt.json"), Path("receipt.html"), {})
    return fits({"some-camera": outcome}, [profile("litert")], arch)[0]


def test_fits_of_the_same_kind_of_processor_takes_the_measured_time() -> None:
    found = row(receipt(), "aarch64")
    assert found.fits
    assert (found.here_ms, found.there_ms, found.there) == (20.0, 20.0, "measured")
    assert (found.memory_bytes, found.memory_limit_bytes) == (70 * MB, 128 * MB)
    assert (found.bundles_bytes, found.storage_bytes) == (4 * MB, 64 * MB)


def test_fits_of_another_processor_takes_no_more_than_an_estimate() -> None:
    published = Estimate(what="time", value=130.0, unit="ms a picture", made_from="a table")
    needed = Estimate(what="speed", value=2.0, unit="billion a second", made_from="fps")
    known = row(receipt(estimates=(needed, published)), "x86_64")
    unknown = row(receipt(estimates=(needed,)), "x86_64")
    assert (known.there_ms, known.there) == (130.0, "estimated")
    assert (unknown.there_ms, unknown.there) == (None, "not known")
    assert "~130.0 ms" in fit_table([known], "x86_64")


def test_fits_of_a_refusal_names_the_broken_limit() -> None:
    over = BrokenLimit(limit="memory", unit="bytes", value=150.0 * MB, allowed=128.0 * MB)
    refusal = Refusal("nothing fits", receipt(over), Path("refused.json"), Path("refused.html"))
    rows = fits({"some-camera": refusal}, [profile("litert")], "x86_64")
    assert not rows[0].fits
    last = fit_table(rows, "x86_64").splitlines()[-2]
    assert last == "some-camera: needs 150.0 MB of memory, allowed are 128.0 MB (17 % over)"
    assert rows[0].to_json_dict()["fits"] is False


def test_networks_in_words_names_the_devices_of_each() -> None:
    small = row(receipt(), "x86_64")
    assert networks_in_words([small, small]) == "half: some-camera, some-camera"
