"""The demo waits for a cloud that is away, for so long; a refusal is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cloud.client import CloudClient
from cloud.demo.patience import PatientCloud
from cloud.errors import ConflictError
from edge_agent.errors import ElfowlError, LinkError
from tests.fakes.clock import FakeClock

Answer = Callable[[], httpx.Response]


def gone() -> httpx.Response:
    message = "connection refused"
    raise httpx.ConnectError(message)


def status(code: int, body: object) -> Answer:
    return lambda: httpx.Response(code, json=body)


def cloud_that(*answers: Answer, clock: FakeClock | None = None) -> PatientCloud:
    """Return the API of a cloud that answers so; what it said last it says for ever."""
    waiting: Iterator[Answer] = iter(answers)
    last = answers[-1]
    transport = httpx.MockTransport(lambda _request: next(waiting, last)())
    return PatientCloud(CloudClient("http://cloud", transport=transport), clock or FakeClock())


class SilentStep:
    """Notes what would be shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[float, str, float | None]] = []

    def update(self, fraction: float, message: str = "", seconds_left: float | None = None) -> None:
        self.shown.append((fraction, message, seconds_left))


def job(state: str, **more: object) -> dict[str, Any]:
    usual = {"id": "job_1", "kind": "train", "progress": 0.5, "stage": "fit", "seconds_left": 9.0}
    return {**usual, "state": state, "error": None, "message": "", "result": None, **more}


def test_call_while_the_cloud_is_away_waits_for_it() -> None:
    clock = FakeClock()
    busy = status(503, {"detail": "starting"})
    assert cloud_that(gone, gone, busy, status(200, [1]), clock=clock).get("/detectors") == [1]
    assert len(clock.slept_s) == 3


def test_call_while_the_cloud_stays_away_fails_in_the_end() -> None:
    clock = FakeClock()
    with pytest.raises(LinkError, match="connection refused"):
        cloud_that(gone, clock=clock).get("/detectors")
    assert 60 < sum(clock.slept_s) < 200


def test_call_that_is_refused_is_not_tried_again() -> None:
    clock = FakeClock()
    with pytest.raises(ConflictError, match="exists already"):
        cloud_that(status(409, {"detail": "exists already"}), clock=clock).post("/detectors", {})
    assert clock.slept_s == []


def test_job_is_followed_to_its_end_even_if_the_cloud_is_killed_meanwhile() -> None:
    step = SilentStep()
    done = status(200, job("done", result={"ap50": 0.9}))
    cloud = cloud_that(status(202, job("queued", progress=0.0)), status(200, job("running")), gone, done)
    assert cloud.run_job("/detectors/d/train", None, step) == {"ap50": 0.9}
    assert step.shown == [(0.0, "fit", 9.0), (0.5, "fit", 9.0)]


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (job("failed", error="too few boxes"), "too few boxes"),
        (job("cancelled", message="cancelled"), "cancelled"),
        (job("cancelled"), "the train job was cancelled"),
    ],
)
def test_job_that_does_not_succeed_is_an_error_with_its_own_words(ended: dict[str, Any], words: str) -> None:
    with pytest.raises(ElfowlError, match=words):
        cloud_that(status(202, ended)).run_job("/detectors/d/train", None, SilentStep())


def test_waiting_ends_with_what_is_found_or_with_what_did_not_come() -> None:
    found = iter([None, None, "camera"])
    cloud = cloud_that(gone)
    assert cloud.wait_for("the camera", lambda: next(found), 10.0) == "camera"
    with pytest.raises(ElfowlError, match="the camera did not come within 10 s"):
        cloud.wait_for("the camera", lambda: None, 10.0)
