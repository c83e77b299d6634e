"""Desired and reported state: versions only grow, and nothing counts twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.errors import ConflictError, InputError
from cloud.fleet import desired as states
from edge_agent.wire.sync import (
    BundleTarget,
    CameraSettings,
    Desired,
    FrameWanted,
    Reported,
    UpdateOutcome,
)

EMPTY = states.first_desired("cam1")


def bundle(number: int) -> BundleTarget:
    return BundleTarget(
        path=f"bundles/{number}.zip",
        sha256=f"{number:064x}",
        length_bytes=10,
        release=number,
        detector_id="d",
        detector_name="D",
        detector_version=number,
    )


def outcome(number: int) -> UpdateOutcome:
    return UpdateOutcome(id=str(number), bundle_sha256="0" * 64, outcome="success", at=float(number))


def reported(version: int, *outcomes: int, device: str = "cam1") -> Reported:
    return Reported(
        device=device,
        desired_version=version,
        agent_version="0.1.0",
        profile="pi-4",
        outcomes=tuple(outcome(number) for number in outcomes),
    )


def test_each_change_raises_the_version_by_one() -> None:
    first = states.assign_bundle(EMPTY, bundle(1))
    second = states.change_camera(first, "door", CameraSettings(detect=False))
    third = states.want_frame(second, FrameWanted(request_id="r1"))
    assert [EMPTY.version, first.version, second.version, third.version] == [0, 1, 2, 3]
    assert third.bundle == bundle(1)
    assert third.cameras == {"door": CameraSettings(detect=False)}
    assert states.frame_came(third, "r1").frames_wanted == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: states.assign_bundle(d, bundle(1)),
        lambda d: states.change_camera(d, "door", CameraSettings()),
        lambda d: states.want_frame(d, FrameWanted(request_id="r1")),
        lambda d: states.frame_came(d, "unknown"),
    ],
)
def test_same_wish_twice_changes_nothing(change: object) -> None:
    assert callable(change)
    once = change(EMPTY)
    assert change(once) == once


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), max_size=20))
def test_version_never_falls(numbers: list[int]) -> None:
    state = EMPTY
    for number in numbers:
        after = states.assign_bundle(state, bundle(number))
        assert after.version == state.version + (after.bundle != state.bundle)
        state = after


def test_of_two_writers_who_saw_the_same_version_one_is_refused() -> None:
    first = states.assign_bundle(EMPTY, bundle(1), seen_version=0)
    with pytest.raises(ConflictError, match="'cam1' is at version 1, not 0; look at it again"):
        states.assign_bundle(first, bundle(2), seen_version=0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ('"3"', True),
        ('W/"3"', True),
        ('"1", "3"', True),
        ('"2"', False),
        ("*", True),
        ("3", False),
    ],
)
def test_reader_that_has_the_state_is_known_by_its_tag(header: str | None, *, expected: bool) -> None:
    assert states.is_current(Desired(device="cam1", version=3), header) is expected


@pytest.mark.parametrize(("header", "version"), [(None, None), ("*", None), ('"3"', 3), ("3", 3)])
def test_version_that_a_writer_saw_is_read(header: str | None, version: int | None) -> None:
    assert states.version_from_if_match(header) == version


def test_tag_of_somebody_else_is_refused() -> None:
    with pytest.raises(InputError, match="is not the ETag"):
        states.version_from_if_match('"abc"')


def test_tag_comes_back_as_the_version() -> None:
    state = states.assign_bundle(EMPTY, bundle(1))
    assert states.version_from_if_match(states.etag(state)) == state.version
    assert states.hint(state).version == state.version


def test_outcome_counts_once_however_often_it_is_told() -> None:
    first = states.merge_reported(None, reported(1, 1, 1))
    assert [o.id for o in first.new_outcomes] == ["1"]
    second = states.merge_reported(first.reported, reported(1, 1, 2))
    assert [o.id for o in second.new_outcomes] == ["2"]
    assert states.merge_reported(second.reported, reported(1, 2)).new_outcomes == ()
    assert [o.id for o in second.reported.outcomes] == ["1", "2"]


def test_report_that_was_overtaken_adds_its_outcomes_only() -> None:
    newest = reported(5, 5)
    merged = states.merge_reported(newest, reported(4, 4))
    assert merged.reported.desired_version == 5
    assert {o.id for o in merged.reported.outcomes} == {"4", "5"}


def test_outcomes_are_not_kept_without_limit() -> None:
    stored: Reported | None = None
    for number in range(300):
        stored = states.merge_reported(stored, reported(1, number)).reported
    assert stored is not None
    assert [o.id for o in stored.outcomes] == [str(number) for number in range(200, 300)]


def test_report_of_another_device_is_refused() -> None:
    with pytest.raises(InputError, match="sent the report of 'cam2'"):
        states.merge_reported(reported(1), reported(1, device="cam2"))


def test_way_back_to_an_older_version_needs_a_new_release() -> None:
    wanted = states.assign_bundle(EMPTY, bundle(2))
    runs = reported(1).model_copy(update={"installed": bundle(2)})
    other = bundle(1).model_copy(update={"detector_id": "another"})
    assert states.needs_new_release(bundle(1), wanted, None)
    assert states.needs_new_release(bundle(1), EMPTY, runs)
    assert not states.needs_new_release(bundle(2), wanted, runs)
    assert not states.needs_new_release(bundle(3), wanted, runs)
    assert not states.needs_new_release(other, wanted, runs)
    assert not states.needs_new_release(bundle(1), EMPTY, None)


def test_device_has_converged_when_it_runs_what_is_wanted() -> None:
    wanted = states.assign_bundle(EMPTY, bundle(1))
    assert not states.has_converged(wanted, None)
    assert not states.has_converged(wanted, reported(0))
    assert not states.has_converged(wanted, reported(1))
    assert states.has_converged(wanted, reported(1).model_copy(update={"installed": bundle(1)}))
    assert states.has_converged(EMPTY, reported(0))
