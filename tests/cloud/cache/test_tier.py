"""One tier under many threads: one load a miss, whatever becomes of it."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from cloud.cache.book import Book
from cloud.cache.key import ModelRef
from cloud.cache.tier import Rise, Tier
from cloud.errors import BusyError, InputError, NotFoundError
from edge_agent.clock import SystemClock
from edge_agent.errors import LinkError
from tests.cloud.cache.made_up import Shelf, body

WAITERS = 64
AS_IT_IS = Rise[bytes, bytes](len, lambda _, data: data)


def tier_on(shelf: Shelf, budget_bytes: int = 1000) -> Tier[bytes, bytes]:
    return Tier("ram", Book("ram", budget_bytes, keys=64), shelf, AS_IT_IS)


def use(tier: Tier[bytes, bytes], ref: ModelRef) -> bytes:
    with tier.use(ref) as data:
        return data


def all_waiting(tier: Tier[bytes, bytes], ref: ModelRef, pool: ThreadPoolExecutor) -> list[Future[bytes]]:
    """Let many ask, and return once all but the first wait for its load."""
    asked = [pool.submit(use, tier, ref) for _ in range(WAITERS)]
    until_s = SystemClock().monotonic_s() + 60
    while tier.figures().waited < WAITERS - 1 and SystemClock().monotonic_s() < until_s:
        SystemClock().sleep(0.002)
    return asked


def test_model_that_64_wait_for_is_loaded_once() -> None:
    shelf = Shelf()
    ref, tier = shelf.put(body("a")), tier_on(shelf)
    shelf.open.clear()
    with ThreadPoolExecutor(WAITERS) as pool:
        asked = all_waiting(tier, ref, pool)
        shelf.open.set()
        assert {one.result(60) for one in asked} == {body("a")}
    assert (len(shelf.loads), tier.figures().loads, tier.figures().in_use_bytes) == (1, 1, 0)


def test_load_that_fails_fails_all_that_wait_and_is_tried_again_later() -> None:
    shelf = Shelf()
    ref, tier = shelf.put(body("a")), tier_on(shelf)
    shelf.open.clear()
    shelf.broken = True
    with ThreadPoolExecutor(WAITERS) as pool:
        asked = all_waiting(tier, ref, pool)
        shelf.open.set()
        assert [type(one.exception(60)) for one in asked] == [LinkError] * WAITERS
    assert len(shelf.loads) == 1
    shelf.broken = False
    assert use(tier, ref) == body("a")
    assert (tier.figures().failures, tier.figures().loads) == (1, 1)


def test_load_of_one_model_does_not_hold_up_another() -> None:
    shelf = Shelf()
    slow, quick = shelf.put(body("slow")), shelf.put(body("quick"))
    tier = tier_on(shelf)
    use(tier, quick)
    shelf.open.clear()
    waits = threading.Thread(target=use, args=(tier, slow))
    shelf.asked.clear()
    waits.start()
    assert shelf.asked.wait(60)
    assert use(tier, quick) == body("quick")
    shelf.open.set()
    waits.join(60)


def test_model_in_use_is_not_evicted_whatever_comes() -> None:
    shelf = Shelf()
    used, tier = shelf.put(body("used")), tier_on(shelf, 300)
    with tier.use(used) as data:
        for name in range(50):
            use(tier, shelf.put(body(name)))
        assert tier.holds(used)
        assert data == body("used")


def test_all_of_a_tier_in_use_refuses_the_next_and_takes_it_later() -> None:
    shelf = Shelf()
    tier = tier_on(shelf, 200)
    first, second, third = (shelf.put(body(name)) for name in range(3))
    with tier.use(first), tier.use(second), pytest.raises(BusyError):
        use(tier, third)
    assert use(tier, third) == body(2)


def test_one_scope_does_not_get_anothers_model_by_its_digest() -> None:
    shelf = Shelf()
    theirs = shelf.put(body("secret"), "theirs")
    tier = tier_on(shelf)
    use(tier, theirs)
    with pytest.raises(NotFoundError):
        use(tier, ModelRef("ours", theirs.sha256, theirs.place))


def test_model_that_was_discarded_while_in_use_is_loaded_anew() -> None:
    shelf = Shelf()
    ref, tier = shelf.put(body("a")), tier_on(shelf)
    with tier.use(ref):
        tier.discard(ref)
        assert use(tier, ref) == body("a")
    assert (len(shelf.loads), tier.figures().in_use_bytes, tier.figures().models) == (2, 0, 1)


def test_model_stays_for_those_that_waited_after_the_one_that_loaded_it_went_away() -> None:
    shelf = Shelf()
    ref, tier = shelf.put(body("a")), tier_on(shelf, 300)
    shelf.open.clear()
    may_leave, inside = threading.Event(), threading.Event()

    def stay() -> None:
        with tier.use(ref):
            inside.set()
            may_leave.wait(60)

    with ThreadPoolExecutor(2) as pool:
        loads = pool.submit(use, tier, ref)
        assert shelf.asked.wait(60)
        waits = pool.submit(stay)
        while not tier.figures().waited and not waits.done():
            SystemClock().sleep(0.002)
        shelf.open.set()
        loads.result(60)
        assert inside.wait(60)
        # Asked for often enough to be worth more than it.
        for name in 8 * list(range(6)):
            use(tier, shelf.put(body(name)))
        assert tier.holds(ref)
        may_leave.set()
        waits.result(60)
    assert tier.figures().in_use_bytes == 0


def test_model_that_cannot_be_built_takes_no_room_and_is_built_later() -> None:
    shelf = Shelf()
    ref, fails = shelf.put(body("a")), [True]

    def make(_ref: ModelRef, data: bytes) -> bytes:
        if fails[0]:
            message = "the numbers do not fit"
            raise InputError(message)
        return data

    tier = Tier("ram", Book("ram", 150, keys=64), shelf, Rise[bytes, bytes](len, make))
    for _ in range(3):
        with pytest.raises(InputError):
            use(tier, ref)
    assert tier.figures().used_bytes == 0
    fails[0] = False
    assert use(tier, ref) == body("a")
