"""Actors that watch streams for a cloud: how whoever keeps them next finds them, and how they know of him.

A name tells whose they are and on which terms they were started. It is the same after a machine was started
anew, or another one took its place with the same home: seats have other names then (`cloud.streams.seats`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import make_url

from cloud.settings import Settings
from cloud.streams.pool import terms_of
from edge_agent.clock import Clock

KEPT_S = 15.0
"""Who asked for news so long ago is still taken for alive; keepers ask all the time."""

_SIGNS = 12


@dataclass(frozen=True)
class Crew:
    """The actors of one row of seats.

    Attributes:
        cloud: Whose they are; others in the same cluster of Ray have others.
        row: The row's name, which no other pool has on that home.
        terms: On which they were started.
        size: How many there are to be.
    """

    cloud: str
    row: str
    terms: str
    size: int

    @classmethod
    def of(cls, settings: Settings, row: str) -> Crew:
        """Return the crew that settings ask for."""
        tables = make_url(settings.database_url).render_as_string(hide_password=True)
        return cls(
            _brief(f"{tables}\n{settings.home}"), row, _brief(terms_of((), settings)), settings.stream_workers
        )

    @property
    def names(self) -> list[str]:
        """Return their names, in the cluster and as the slots of workers."""
        return [f"{self._begin}{self.terms}_{number}" for number in range(self.size)]

    def others(self, found: Iterable[str]) -> list[str]:
        """Return those of some names that are of this crew, but on other terms: they have to go."""
        names = set(self.names)
        return [one for one in found if one.startswith(self._begin) and one not in names]

    @property
    def _begin(self) -> str:
        return f"watch_{self.cloud}_{self.row}_"


class KeeperTie:
    """Whether somebody keeps an actor: he asks for news again and again. For many threads."""

    is_there = True  # a keeper finds it by its name, as long as it runs

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody who asked."""
        self._clock = clock
        self._asked_s = float("-inf")

    @property
    def has_server(self) -> bool:
        """Return whether somebody asked lately."""
        return self._clock.monotonic_s() - self._asked_s < KEPT_S

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Somebody asks, while the block runs."""
        self._asked_s = self._clock.monotonic_s()
        yield
        self._asked_s = self._clock.monotonic_s()


def _brief(told: str) -> str:
    return sha256(told.encode()).hexdigest()[:_SIGNS]
