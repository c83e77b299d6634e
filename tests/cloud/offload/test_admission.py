"""Admission: room, deadlines and quotas, as a table of cases."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from cloud.errors import BusyError, QuotaError
from cloud.offload.admission import Admission, Limits

LIMITS = Limits(
    pictures=4, picture_bytes=1000, of_one_device=2, requests_per_minute=60.0, bytes_per_day=86_400.0
)


def crowded(*devices: str, picture_bytes: int = 100) -> Admission:
    admission = Admission(LIMITS)
    admission.note(100.0)
    for device in devices:
        admission.enter(device, picture_bytes, 10_000, 1, 0.0)
    return admission


@pytest.mark.parametrize(
    ("devices", "asked", "error", "words"),
    [
        (("a", "b", "c", "d"), ("e", 100, 10_000), BusyError, "4 pictures wait"),
        (("a", "a"), ("a", 100, 10_000), QuotaError, "2 pictures of 'a' wait"),
        (("a", "b"), ("c", 801, 10_000), BusyError, "200 bytes"),
        (("a", "b"), ("c", 100, 230), BusyError, "would take"),
    ],
)
def test_picture_is_refused_where_there_is_no_room(
    devices: tuple[str, ...], asked: tuple[str, int, float], error: type[BusyError], words: str
) -> None:
    admission = crowded(*devices)
    device, picture_bytes, deadline_ms = asked
    with pytest.raises(error, match=words) as refused:
        admission.enter(device, picture_bytes, deadline_ms, 1, 0.0)
    assert refused.type is error
    assert admission.waiting == len(devices)


def test_more_workers_make_more_deadlines_possible() -> None:
    admission = crowded("a", "b")
    admission.enter("c", 100, 230, 2, 0.0)
    assert admission.waiting == 3


def test_room_is_free_again_once_a_picture_left() -> None:
    admission = crowded("a", "a")
    admission.leave("a", 100)
    admission.enter("a", 100, 10_000, 1, 0.0)
    assert admission.waiting == 2


def test_one_slow_answer_does_not_shut_the_door_for_good() -> None:
    admission = crowded()
    admission.note(60_000.0)
    admission.enter("a", 100, 1000, 1, 0.0)
    with pytest.raises(BusyError, match="would take"):
        admission.enter("b", 100, 1000, 1, 0.0)


@pytest.mark.parametrize(
    ("picture_bytes", "fits", "wait_s"),
    [(1, 60, 1.0), (1000, 60, 1.0), (28_800, 3, 28_800.0)],
)
def test_device_that_asks_without_end_is_told_when_it_may_again(
    picture_bytes: int, fits: int, wait_s: float
) -> None:
    limits = Limits(requests_per_minute=60.0, bytes_per_day=86_400.0)
    admission = Admission(limits)
    for _ in range(fits):
        admission.enter("a", picture_bytes, 10_000, 1, 0.0)
        admission.leave("a", picture_bytes)
    with pytest.raises(QuotaError) as refused:
        admission.enter("a", picture_bytes, 10_000, 1, 0.0)
    assert refused.value.retry_after_s == pytest.approx(wait_s)
    admission.enter("b", picture_bytes, 10_000, 1, 0.0)
    admission.enter("a", picture_bytes, 10_000, 1, wait_s)


def test_picture_that_comes_takes_nothing_of_the_quota() -> None:
    admission = crowded("a")
    for _ in range(200):
        with admission.coming("a", 100, 0.0):
            pass
    assert (admission.waiting, admission.refused_quota) == (1, 0)
    admission.enter("a", 100, 10_000, 1, 0.0)


@pytest.mark.parametrize(
    ("coming", "asked", "error"),
    [
        ((("a", 100), ("a", 100)), ("a", 100), QuotaError),
        ((("a", 500), ("b", 400)), ("c", 101), BusyError),
    ],
)
def test_pictures_that_come_have_their_room_already(
    coming: tuple[tuple[str, int], ...], asked: tuple[str, int], error: type[BusyError]
) -> None:
    admission = crowded()
    with ExitStack() as all_of_them:
        for device, announced_bytes in coming:
            all_of_them.enter_context(admission.coming(device, announced_bytes, 0.0))
        with pytest.raises(error), admission.coming(*asked, 0.0):
            pass
    with admission.coming(*asked, 0.0):
        pass
    admission.enter(*asked, 10_000, 1, 0.0)


def test_picture_does_not_come_where_there_is_no_room() -> None:
    with pytest.raises(BusyError), crowded("a", "b", "c", "d").coming("e", 1, 0.0):
        pass
