"""Which form a device gets."""

from __future__ import annotations

import pytest

from compress.choose import Choice, candidates, choose, refusal, warnings, with_front
from compress.limits import Limits, limits_for
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


def pick(device: DeviceProfile, *rows: Measurement) -> Choice:
    return choose(device, limits_for(device), rows)


def test_choose_takes_the_first_runtime_of_the_profile() -> None:
    assert pick(profile("onnx", "litert"), *BOTH).measured.form == "onnx_int8"


def test_choose_when_the_first_needs_too_much_memory_takes_the_next() -> None:
    assert pick(profile("onnx", "litert", ram_bytes=90 * MB), *BOTH).measured.form == "litert_int8"


def test_choose_when_nothing_fits_names_limit_and_nearest() -> None:
    device = profile("onnx", "litert", ram_bytes=50 * MB)
    choice = pick(device, *BOTH)
    assert choice.measured.form == "litert_int8"
    assert refusal(device, choice) == (
        "nothing fits some-camera: the nearest, litert_int8, needs 70.0 MB of memory, allowed are 50.0 MB "
        "(40 % over)"
    )


def test_choose_when_two_slots_do_not_fit_the_storage_refuses() -> None:
    choice = pick(profile("litert", storage_bytes=7 * MB), BOTH[0])
    assert [(one.limit, one.value) for one in choice.broken] == [("storage", 8 * MB)]


def student(name: str, ms: float, f1: float, **more: object) -> Measurement:
    row = measured("litert_int8", 60 * MB)
    fields = {"candidate": name, "ms_p50": ms, "agreement_f1": f1} | more
    return row.model_copy(update=fields)


PLAIN = student("", 60.0, 0.99)
LIMITS = limits_for(profile("litert"))


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([PLAIN, student("small", 20.0, 0.975)], "small"),
        ([PLAIN, student("small", 20.0, 0.975), student("tiny", 5.0, 0.9)], "small"),
        ([PLAIN, student("small", 20.0, 0.98, ap50_change_95=(-0.06, -0.02))], ""),
        ([PLAIN, student("small", 20.0, 0.98, ap50_change_95=(-0.06, 0.01))], "small"),
        ([PLAIN, student("small", 20.0, 0.975), student("lean", 20.5, 0.98, bytes=MB)], "lean"),
        ([student("", 60.0, 0.93), student("small", 20.0, 0.925)], "small"),
        ([student("", 60.0, 0.93), student("small", 20.0, 0.8)], ""),
    ],
)
def test_choose_takes_the_quickest_that_answers_as_before(rows: list[Measurement], name: str) -> None:
    assert choose(profile("litert"), LIMITS, rows).measured.candidate == name


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (limits_for(profile("litert"), max_ms=10), "tiny"),
        (limits_for(profile("litert"), max_ms=10, min_ap50=0.95), "tiny"),
        (limits_for(profile("litert"), max_ram_bytes=10 * MB), ""),
    ],
)
def test_choose_keeps_limits_before_it_asks_for_likeness(limits: Limits, name: str) -> None:
    rows = [PLAIN, student("tiny", 5.0, 0.8)]
    choice = choose(profile("litert"), limits, rows)
    assert choice.measured.candidate == name
    assert bool(choice.broken) == (limits.min_ap50 is not None or limits.max_ram_bytes == 10 * MB)


def test_choose_prefers_as_nearest_what_could_be_measured() -> None:
    ended = student("big", 0.0, 0.0, ended="ended", peak_memory_bytes=129 * MB)
    choice = choose(profile("litert"), limits_for(profile("litert"), max_ms=1), [ended, PLAIN])
    assert choice.measured.candidate == ""


def test_with_front_marks_what_nothing_beats_in_all() -> None:
    rows = [PLAIN, student("small", 20.0, 0.98, bytes=MB), student("worse", 21.0, 0.97, bytes=MB)]
    assert [one.on_front for one in with_front(rows)] == [True, True, False]


@pytest.mark.parametrize(
    ("chosen", "size_px", "text"),
    [
        (measured("litert_int8", 70 * MB, ap50=0.85), (512, 384), "AP50 fell from 0.900 to 0.850"),
        (measured("litert_int8", 70 * MB, ap50=None), (512, 384), "no held-out pictures"),
        (measured("litert_int8", 110 * MB), (512, 384), "memory is tight"),
        (measured("litert_int8", 70 * MB), (640, 480), "640x480 is not among those of some-camera"),
        (student("", 60.0, 0.95), (512, 384), "5.0 % of boxes are not those of the full detector"),
    ],
)
def test_warnings_say_what_to_know(chosen: Measurement, size_px: tuple[int, int], text: str) -> None:
    found = warnings(profile("litert"), size_px, measured("full", 160 * MB), chosen, LIMITS)
    assert len(found) == 1
    assert text in found[0]


def test_warnings_when_all_is_well_are_none() -> None:
    full = measured("full", 160 * MB)
    assert warnings(profile("litert"), (512, 384), full, measured("litert_int8", 70 * MB), LIMITS) == ()
