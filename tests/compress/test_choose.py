"""Which form a device gets."""

from __future__ import annotations

import pytest

from compress.choose import candidates, choose, warnings
from compress.errors import BudgetError
from edge_agent.wire.manifest import RuntimeName
from edge_agent.wire.profile import DeviceProfile, InstallNotes
from edge_agent.wire.receipt import Measurement

MB = 1_000_000


def profile(*runtimes: RuntimeName, ram_bytes: int = 128 * MB, storage_bytes: int = 64 * MB) -> DeviceProfile:
    return DeviceProfile(
        name="some-camera",
        title="Some camera",
        arch="aarch64",
        ram_for_us_bytes=ram_bytes,
        storage_bytes=storage_bytes,
        runtimes=runtimes,
        input_sizes_px=((512, 384),),
        target_fps=5,
        install=InstallNotes(kind="manual", notes="none"),
        sources=("a test",),
    )


def measured(
    form: str, memory_bytes: int, bundle_bytes: int = 4 * MB, ap50: float | None = 0.9
) -> Measurement:
    return Measurement(
        form=form,
        runtime="onnx" if form == "onnx_int8" else "litert",
        precision="int8",
        bytes=3 * MB,
        ap50=ap50,
        peak_memory_bytes=memory_bytes,
        bundle_bytes=bundle_bytes,
    )


BOTH = [measured("litert_int8", 70 * MB), measured("onnx_int8", 100 * MB)]


@pytest.mark.parametrize(
    ("runtimes", "forms"),
    [
        (("litert", "onnx"), ["litert_int8", "onnx_int8"]),
        (("onnx", "litert"), ["onnx_int8", "litert_int8"]),
        (("litert", "tflite"), ["litert_int8"]),
        (("tflite",), ["litert_int8"]),
    ],
)
def test_candidates_follow_the_profile(runtimes: tuple[RuntimeName, ...], forms: list[str]) -> None:
    assert [form.name for form in candidates(profile(*runtimes))] == forms


def test_choose_takes_the_first_runtime_of_the_profile() -> None:
    assert choose(profile("onnx", "litert"), BOTH).form == "onnx_int8"


def test_choose_when_the_first_needs_too_much_memory_takes_the_next() -> None:
    assert choose(profile("onnx", "litert", ram_bytes=90 * MB), BOTH).form == "litert_int8"


def test_choose_when_nothing_fits_names_limit_and_nearest() -> None:
    with pytest.raises(
        BudgetError, match=r"nearest, litert_int8, needs 70\.0 MB of memory, allowed are 50\.0 MB"
    ):
        choose(profile("onnx", "litert", ram_bytes=50 * MB), BOTH)


def test_choose_when_two_slots_do_not_fit_the_storage_refuses() -> None:
    with pytest.raises(BudgetError, match=r"2 x 4\.0 MB of storage"):
        choose(profile("litert", storage_bytes=7 * MB), BOTH)


@pytest.mark.parametrize(
    ("chosen", "size_px", "text"),
    [
        (measured("litert_int8", 70 * MB, ap50=0.85), (512, 384), "AP50 fell from 0.900 to 0.850"),
        (measured("litert_int8", 70 * MB, ap50=None), (512, 384), "no held-out pictures"),
        (measured("litert_int8", 110 * MB), (512, 384), "memory is tight"),
        (measured("litert_int8", 70 * MB), (640, 480), "640x480 is not among those of some-camera"),
    ],
)
def test_warnings_say_what_to_know(chosen: Measurement, size_px: tuple[int, int], text: str) -> None:
    found = warnings(profile("litert"), size_px, measured("full", 160 * MB), chosen)
    assert len(found) == 1
    assert text in found[0]


def test_warnings_when_all_is_well_are_none() -> None:
    full = measured("full", 160 * MB)
    assert warnings(profile("litert"), (512, 384), full, measured("litert_int8", 70 * MB)) == ()
