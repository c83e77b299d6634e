"""All tiers under anything that may happen, against a model of ten lines."""

from __future__ import annotations

from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from cloud.cache.book import Book
from cloud.cache.key import ModelRef
from cloud.cache.tier import Rise, Tier
from cloud.errors import BusyError
from edge_agent.errors import LinkError
from tests.cloud.cache.made_up import Shelf, body

LOW_BYTES, HIGH_BYTES = 1500, 600
SIZES = (10, 40, 100, 250)
Lease = tuple[ExitStack, ModelRef, bytearray]


class Caches(RuleBasedStateMachine):
    """Two tiers on a shelf; the upper one takes twice the room for each model."""

    leases: Bundle[Lease] = Bundle("leases")

    @initialize()
    def build(self) -> None:
        self.shelf = Shelf()
        self.refs = [self.shelf.put(body(name, SIZES[name % len(SIZES)])) for name in range(16)]
        self.bytes_of = {ref.key: body(name, SIZES[name % len(SIZES)]) for name, ref in enumerate(self.refs)}
        self.low = Tier(
            "ram", Book("ram", LOW_BYTES, keys=64), self.shelf, Rise[bytes, bytes](len, lambda _, data: data)
        )
        # What is dropped is overwritten: who still used it would read zeros.
        self.high: Tier[bytes, bytearray] = Tier(
            "gpu",
            Book("gpu", HIGH_BYTES, keys=64),
            self.low,
            Rise(lambda data: 2 * len(data), lambda _, data: bytearray(data), _wipe),
        )
        self.open: list[tuple[ModelRef, bytearray]] = []

    @rule(target=leases, place=st.integers(0, 15))
    def take(self, place: int) -> Lease | MultipleResults[Lease]:
        ref = self.refs[place]
        loads, there = self.high.figures().loads, self.high.holds(ref)
        stack = ExitStack()
        try:
            value = stack.enter_context(self.high.use(ref))
        except BusyError:
            # Refused only where what is used leaves no room.
            used_bytes = sum(2 * len(data) for data in {id(v): v for _, v in self.open}.values())
            assert (
                self.high.figures().pinned_bytes + used_bytes + 2 * len(self.bytes_of[ref.key]) > HIGH_BYTES
            )
            return multiple()
        except LinkError:
            assert self.shelf.broken
            assert not there
            return multiple()
        assert self.high.figures().loads - loads == (not there)
        self.open.append((ref, value))
        return stack, ref, value

    @rule(lease=consumes(leases))
    def give_back(self, lease: Lease) -> None:
        stack, ref, value = lease
        assert value == self.bytes_of[ref.key]
        self.open.remove((ref, value))
        stack.close()

    @rule(lease=leases)
    def pin(self, lease: Lease) -> None:
        pinned_bytes = self.high.figures().pinned_bytes
        try:
            self.high.pin(lease[1])
        except BusyError:
            assert pinned_bytes + 2 * len(lease[2]) > HIGH_BYTES / 2

    @rule(place=st.integers(0, 15))
    def unpin(self, place: int) -> None:
        self.high.unpin(self.refs[place])

    @rule(broken=st.booleans())
    def break_or_mend_the_shelf(self, broken: bool) -> None:
        self.shelf.broken = broken

    @invariant()
    def budgets_are_kept_and_nothing_in_use_is_gone(self) -> None:
        low, high = self.low.figures(), self.high.figures()
        assert low.used_bytes <= LOW_BYTES
        assert high.used_bytes <= HIGH_BYTES
        assert low.in_use_bytes == 0
        assert len(self.shelf.loads) == low.loads + low.failures
        for ref, value in self.open:
            assert self.high.holds(ref)
            assert value == self.bytes_of[ref.key]


def _wipe(_key: object, value: bytearray) -> None:
    value[:] = bytes(len(value))


TestCaches = Caches.TestCase
TestCaches.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
