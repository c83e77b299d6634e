"""Sync with the cloud: the newest wish is obeyed, each thing is told once."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import httpx
import pytest

from edge_agent.agent.cloud_sync import CloudSync, SyncPorts
from edge_agent.errors import LinkError, ProtocolError
from edge_agent.wire.nearby import NearbyCameras
from edge_agent.wire.sync import Desired, FrameWanted, Reported
from tests.fakes.clock import FakeClock
from tests.fakes.cloud_http import FakeCloud


class Bench:
    def __init__(self) -> None:
        self.cloud = FakeCloud()
        self.clock = FakeClock()
        self.taken: list[int] = []
        self.told: list[Reported] = []
        self.phase = "idle"
        self.frames = {"event-1": b"jpeg"}
        self.found: NearbyCameras | None = None
        self.sync = CloudSync(
            "http://cloud/",
            self.cloud.client(),
            SyncPorts(
                token=lambda: "t0",
                take=lambda desired: self.taken.append(desired.version),
                reported=self._reported,
                was_reported=self.told.append,
                find_frame=lambda wanted: self.frames.get(wanted.event_id or ""),
                nearby=lambda: self.found,
                nearby_told=lambda _told: setattr(self, "found", None),
            ),
            device="porch",
            poll_s=60.0,
            clock=self.clock,
            rng=random.Random(1),
        )

    def _reported(self, version: int) -> Reported:
        return Reported.model_validate(
            {
                "device": "porch",
                "desired_version": version,
                "agent_version": "0",
                "profile": "p",
                "phase": self.phase,
            }
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_sync_obeys_once_and_reports_once(bench: Bench) -> None:
    for _ in range(3):
        bench.sync.sync_once()
    assert bench.taken == [1]
    assert [report.desired_version for report in bench.cloud.reports] == [1]
    assert bench.told == bench.cloud.reports
    assert bench.cloud.requests[0].headers["authorization"] == "Bearer t0"
    bench.phase = "trial"
    bench.sync.sync_once()
    assert [report.phase for report in bench.cloud.reports] == ["idle", "trial"]


def test_sync_after_changes_while_offline_takes_only_the_last(bench: Bench) -> None:
    bench.sync.sync_once()
    bench.cloud.down = True
    with pytest.raises(LinkError):
        bench.sync.sync_once()
    bench.cloud.desired = Desired(device="porch", version=6)
    bench.cloud.down = False
    bench.sync.sync_once()
    assert bench.taken == [1, 6]
    assert bench.cloud.reports[-1].desired_version == 6


def test_sync_older_version_is_ignored(bench: Bench) -> None:
    bench.cloud.desired = Desired(device="porch", version=9)
    bench.sync.sync_once()
    bench.cloud.desired = Desired(device="porch", version=3)
    bench.sync.sync_once()
    assert bench.taken == [9]
    assert bench.sync.desired_version == 9


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "{}", "[" * 100_000, Desired(device="other", version=2).to_json(), '{"a":1}' * 400_000],
)
def test_sync_malformed_desired_keeps_the_last_good_one(bench: Bench, body: str) -> None:
    bench.sync.sync_once()
    bench.cloud.body = body
    with pytest.raises(ProtocolError):
        bench.sync.sync_once()
    assert bench.taken == [1]


def test_sync_desired_with_a_rule_that_the_camera_refuses_says_which(bench: Bench) -> None:
    cameras = {"front": {"rules": {"zones": [{"name": "path", "corners": [[0, 0], [1, 1]]}]}}}
    bench.cloud.body = json.dumps({"device": "porch", "version": 2, "cameras": cameras})
    says = r"cameras\.front\.rules\.zones\.0\.corners: a polygon needs 3 different corners or more, but has 2"
    with pytest.raises(ProtocolError, match=says):
        bench.sync.sync_once()
    assert bench.taken == []


def test_sync_unreported_outcome_is_told_again_after_failure(bench: Bench) -> None:
    bench.cloud.down = True
    with pytest.raises(LinkError):
        bench.sync.sync_once()
    assert bench.told == []
    bench.cloud.down = False
    bench.sync.sync_once()
    assert len(bench.told) == 1


def test_sync_looks_again_soon_for_a_frame_that_is_not_stored_yet(bench: Bench) -> None:
    frame = bench.frames.pop("event-1")
    wanted = (FrameWanted(request_id="r1", event_id="event-1"),)
    bench.cloud.desired = Desired(device="porch", version=2, frames_wanted=wanted)
    assert bench.sync.step() < 2.0
    bench.clock.advance(1.0)
    bench.frames["event-1"] = frame
    assert bench.sync.step() > 40.0
    assert bench.cloud.frames == {"r1": frame}


@pytest.mark.parametrize("withdrawn", [False, True])
def test_sync_gives_up_a_frame_that_never_comes_or_is_not_wanted_any_more(
    bench: Bench, *, withdrawn: bool
) -> None:
    wanted = (FrameWanted(request_id="r2", event_id="event-2"),)
    bench.cloud.desired = Desired(device="porch", version=2, frames_wanted=wanted)
    assert bench.sync.step() < 2.0
    if withdrawn:
        bench.cloud.desired = Desired(device="porch", version=3)
    else:
        bench.clock.advance(10.0)
    assert bench.sync.step() > 40.0
    assert bench.cloud.asked("/frames/r2") == 0


def test_sync_sends_wanted_frame_once(bench: Bench) -> None:
    wanted = (FrameWanted(request_id="r1", event_id="event-1"), FrameWanted(request_id="r2", event_id="gone"))
    bench.cloud.desired = Desired(device="porch", version=2, frames_wanted=wanted)
    for _ in range(3):
        bench.sync.sync_once()
    assert bench.cloud.frames == {"r1": b"jpeg"}
    assert bench.cloud.asked("/frames/r1") == 1
    assert bench.cloud.asked("/frames/r2") == 0


@pytest.mark.parametrize("request_id", ["../../reported", "..", "a b?c#d", "é/x", "", "x" * 200])
def test_sync_odd_request_id_is_not_followed(bench: Bench, request_id: str) -> None:
    wanted = (FrameWanted(request_id=request_id, event_id="event-1"),)
    bench.cloud.desired = Desired(device="porch", version=2, frames_wanted=wanted)
    bench.sync.sync_once()
    assert {request.url.path for request in bench.cloud.requests} == {
        "/api/v1/device/desired",
        "/api/v1/device/reported",
    }
    assert bench.cloud.reports[-1].desired_version == 2


def test_pause_grows_with_failures_up_to_the_poll(bench: Bench) -> None:
    pauses = [bench.sync._pause_s(failures) for failures in (0, 1, 2, 3, 20)]
    assert 45 <= pauses[0] <= 75
    assert pauses[1] < 7
    assert pauses[2] < 13
    assert pauses[4] <= 75


@pytest.mark.parametrize(
    ("chunk_bytes", "each_s", "error"), [(100, 1.0, LinkError), (60_000, 0.0, ProtocolError)]
)
def test_sync_answer_that_trickles_or_never_ends_is_given_up(
    bench: Bench, chunk_bytes: int, each_s: float, error: type[Exception]
) -> None:
    def trickle() -> Iterator[bytes]:
        for _ in range(1_000):
            bench.clock.advance(each_s)
            yield b" " * chunk_bytes

    bench.cloud.handle = lambda _request: httpx.Response(200, content=trickle())  # type: ignore[method-assign, assignment]
    bench.sync._http = bench.cloud.client()
    with pytest.raises(error):
        bench.sync.sync_once()
    assert bench.clock.monotonic_s() < 200.0
    assert bench.taken == []


def test_sync_tells_what_was_found_around_until_the_cloud_has_it(bench: Bench) -> None:
    bench.found = NearbyCameras(device="porch", request_id="nby_1")
    bench.cloud.down = True
    with pytest.raises(LinkError):
        bench.sync.sync_once()
    bench.cloud.down = False
    for _ in range(2):
        bench.sync.sync_once()
    assert [one.request_id for one in bench.cloud.nearby] == ["nby_1"]
