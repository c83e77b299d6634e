"""The micro-batcher: what makes a batch, and who is told what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cloud.errors import BusyError, NotFoundError
from cloud.offload.batcher import MicroBatcher, Outcome, Seen, Waiting, batch_size
from cloud.offload.protocol import Inferred
from edge_agent.clock import SystemClock
from edge_agent.errors import BackendError, ElfowlError
from edge_agent.wire.detection import DetectorRef

CLOCK = SystemClock()
REF = DetectorRef(id="d", name="d", version=1)


@pytest.mark.parametrize(
    ("waiting", "slack_ms", "usual_ms", "expected"),
    [(1, 1000, 50, 1), (5, 1000, 50, 5), (50, 1000, 50, 8), (50, 240, 50, 2), (50, 10, 50, 1), (3, 10, 0, 3)],
)
def test_batch_size_is_what_the_most_urgent_can_wait_for(
    waiting: int, slack_ms: float, usual_ms: float, expected: int
) -> None:
    assert batch_size(waiting, slack_ms, usual_ms, most=8) == expected


class Bench:
    """A batcher whose first batch is held until `go`; pictures are named by one byte."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.outcomes: dict[bytes, Outcome] = {}
        self.go, self.done = threading.Event(), threading.Semaphore(0)
        self._begun = threading.Event()
        self.batcher = MicroBatcher(self._see, CLOCK, most=8)
        self.submit(b"0")
        assert self._begun.wait(5.0)

    def _see(self, batch: Sequence[Waiting]) -> list[Seen | ElfowlError]:
        self._begun.set()
        assert self.go.wait(5.0)
        self.batches.append(b"".join(one.jpeg for one in batch))
        if b"!" in self.batches[-1]:
            message = "the library is broken"
            raise RuntimeError(message)
        return [NotFoundError("none") if one.jpeg == b"?" else Seen(REF, []) for one in batch]

    def submit(self, name: bytes, left_s: float = 60.0, *, alone: bool = False) -> None:
        now_s = CLOCK.monotonic_s()
        done = self._on_done(name)
        self.batcher.submit(Waiting(Path("d"), name, now_s, now_s + left_s, done, alone=alone))

    def _on_done(self, name: bytes) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            self.outcomes[name] = outcome
            self.done.release()

        return done

    def finish(self) -> None:
        self.go.set()
        for _ in range(self.batcher._count):
            assert self.done.acquire(timeout=60.0)
        self.batcher.close()


def test_what_came_meanwhile_is_the_next_batch_the_most_urgent_first() -> None:
    bench = Bench()
    for name, left_s in ((b"a", 50.0), (b"b", 40.0), (b"c", 45.0)):
        bench.submit(name, left_s)
    bench.finish()
    assert bench.batches == [b"0", b"bca"]
    answer = bench.outcomes[b"a"]
    assert isinstance(answer, Inferred)
    assert (answer.batch, answer.detector) == (3, REF)


def test_picture_whose_time_is_over_is_told_so_and_not_looked_at() -> None:
    bench = Bench()
    bench.submit(b"a", 0.0)
    bench.submit(b"b")
    bench.finish()
    assert bench.batches == [b"0", b"b"]
    assert isinstance(bench.outcomes[b"a"], BusyError)


def test_picture_that_is_alone_shares_no_batch() -> None:
    bench = Bench()
    for name, alone in ((b"a", False), (b"b", True), (b"c", False)):
        bench.submit(name, 50.0, alone=alone)
    bench.finish()
    assert bench.batches == [b"0", b"a", b"b", b"c"]


def test_error_of_one_picture_is_its_own_and_a_broken_library_is_everybodys() -> None:
    bench = Bench()
    bench.submit(b"?", 40.0)
    bench.submit(b"a", 41.0)
    bench.submit(b"!", 42.0, alone=True)
    bench.finish()
    assert isinstance(bench.outcomes[b"?"], NotFoundError)
    assert isinstance(bench.outcomes[b"a"], Inferred)
    assert isinstance(bench.outcomes[b"!"], BackendError)
