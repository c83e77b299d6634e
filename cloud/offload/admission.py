"""Which pictures are taken: pure bookkeeping, no I/O.

Who cannot be answered in time is refused at once, so that whoever is taken is answered in time. No device
takes the room or the day of the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cloud.errors import BusyError, QuotaError
from cloud.planning.wanted import Rate, offload_workers_wanted

_FIRST_GUESS_MS = 80.0
_SMOOTHING = 0.2
_FORGETTING = 1.02
_MARGIN = 1.25
"""Pictures in one batch are all answered at its end, and not all take as long as usual."""

_DAY_S = 86_400.0


@dataclass(frozen=True)
class Limits:
    """How much is taken.

    Attributes:
        pictures: That wait or are looked at.
        picture_bytes: Of these and of those that are still being sent, together.
        of_one_device: Pictures of one device among all these.
        requests_per_minute: Of one device; as many may come at once.
        bytes_per_day: Of one device; as many may come at once.
    """

    pictures: int = 128
    picture_bytes: int = 64_000_000
    of_one_device: int = 8
    requests_per_minute: float = 600.0
    bytes_per_day: float = 500_000_000.0


@dataclass
class Bucket:
    """So much at once, refilled steadily."""

    capacity: float
    per_s: float
    level: float
    filled_s: float

    @classmethod
    def full(cls, capacity: float, per_s: float, now_s: float) -> Bucket:
        """Return a full one."""
        return cls(capacity, per_s, capacity, now_s)

    def lacks_s(self, amount: float, now_s: float) -> float:
        """Return in how many seconds there will be that much; 0 = there is."""
        self.level = min(self.capacity, self.level + (now_s - self.filled_s) * self.per_s)
        self.filled_s = now_s
        return max(0.0, (min(amount, self.capacity) - self.level) / self.per_s)

    def take(self, amount: float) -> None:
        """Take it out; what is lacking is owed."""
        self.level -= amount


class Admission:
    """Room, deadlines, and what each device has left."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests: dict[str, Bucket] = {}
        self._bytes: dict[str, Bucket] = {}
        self._of_device: dict[str, int] = defaultdict(int)
        self._waiting = 0
        self._waiting_bytes = 0
        self._coming_bytes = 0
        self._usual_ms = _FIRST_GUESS_MS
        self._best_ms = _FIRST_GUESS_MS
        self._asked = Rate()
        self.refused_busy = 0
        self.refused_quota = 0

    @property
    def waiting(self) -> int:
        """Return how many pictures wait or are looked at."""
        return self._waiting

    def workers_wanted(self, now_s: float) -> int:
        """Return how many workers it takes to answer what devices ask within their quotas."""
        return offload_workers_wanted(self._waiting, self._asked.per_s(now_s), self._usual_ms)

    @contextmanager
    def coming(self, device: str, announced_bytes: int, now_s: float) -> Iterator[None]:
        """Keep room for a picture while it is being sent; nothing is taken from what the device has left.

        Raises:
            QuotaError: The device has asked too much.
            BusyError: There is no room.
        """
        self._check_device(device, 0, now_s)
        self._asked.note(now_s)
        self._check_room(announced_bytes, self._expected_ms(1))
        self._of_device[device] += 1
        self._coming_bytes += announced_bytes
        try:
            yield
        finally:
            self._coming_bytes -= announced_bytes
            self._let_go(device)

    def enter(self, device: str, picture_bytes: int, deadline_ms: float, workers: int, now_s: float) -> None:
        """Take a picture in; `leave` must follow.

        Args:
            device: Who asks.
            picture_bytes: Of the picture.
            deadline_ms: How long an answer is of use.
            workers: How many can look now; 0 = they are being started, and it may wait for them.
            now_s: On the monotonic clock.

        Raises:
            QuotaError: The device has asked too much.
            BusyError: There is no room, or no answer is likely in time.
        """
        self._check_device(device, picture_bytes, now_s)
        expected_ms = self._expected_ms(max(1, workers))
        self._check_room(picture_bytes, expected_ms)
        if expected_ms * (_MARGIN if self._waiting else 1.0) > deadline_ms:
            what = f"{self._crowd()}; an answer would take {expected_ms:.0f} ms"
            raise self._busy(what, expected_ms)
        for buckets, amount in ((self._requests, 1), (self._bytes, picture_bytes)):
            buckets[device].take(amount)
        self._of_device[device] += 1
        self._waiting += 1
        self._waiting_bytes += picture_bytes

    def leave(self, device: str, picture_bytes: int) -> None:
        """Let a picture go, answered or not."""
        self._waiting -= 1
        self._waiting_bytes -= picture_bytes
        self._let_go(device)

    def note(self, picture_ms: float) -> None:
        """Learn how long one picture took."""
        self._usual_ms += _SMOOTHING * (picture_ms - self._usual_ms)
        self._best_ms = min(picture_ms, self._best_ms * _FORGETTING)

    def _expected_ms(self, workers: int) -> float:
        # In an empty room one slow answer must not shut the door: nothing would ever tell otherwise.
        if not self._waiting:
            return min(self._usual_ms, self._best_ms)
        return (self._waiting // workers + 1) * self._usual_ms

    def _crowd(self) -> str:
        return f"{self._waiting} pictures wait already"

    def _check_room(self, picture_bytes: int, expected_ms: float) -> None:
        if self._waiting >= self._limits.pictures:
            raise self._busy(self._crowd(), expected_ms)
        bytes_here = self._waiting_bytes + self._coming_bytes
        if bytes_here + picture_bytes > self._limits.picture_bytes:
            what = f"{bytes_here} bytes of pictures wait already"
            raise self._busy(what, expected_ms)

    def _let_go(self, device: str) -> None:
        self._of_device[device] -= 1
        if not self._of_device[device]:
            del self._of_device[device]

    def _check_device(self, device: str, picture_bytes: int, now_s: float) -> None:
        limits = self._limits
        if self._of_device.get(device, 0) >= limits.of_one_device:
            self._refuse_device(f"{limits.of_one_device} pictures of {device!r} wait already", 1.0)
        per_s = limits.requests_per_minute / 60
        requests = self._requests.setdefault(
            device, Bucket.full(max(1.0, limits.requests_per_minute), per_s, now_s)
        )
        lacks_s = requests.lacks_s(1, now_s)
        if lacks_s:
            self._refuse_device(
                f"{device!r} asked more than {limits.requests_per_minute:g} times a minute", lacks_s
            )
        day = self._bytes.setdefault(
            device, Bucket.full(limits.bytes_per_day, limits.bytes_per_day / _DAY_S, now_s)
        )
        lacks_s = day.lacks_s(picture_bytes, now_s)
        if lacks_s:
            self._refuse_device(
                f"{device!r} sent more than {limits.bytes_per_day:g} bytes of pictures in a day", lacks_s
            )

    def _refuse_device(self, what: str, retry_after_s: float) -> None:
        self.refused_quota += 1
        raise QuotaError(what, retry_after_s=retry_after_s)

    def _busy(self, what: str, expected_ms: float) -> BusyError:
        self.refused_busy += 1
        return BusyError(what, retry_after_s=max(1.0, expected_ms / 1000))
