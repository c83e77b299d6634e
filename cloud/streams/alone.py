"""What a worker does without a server: it watches on, but not for ever, for nobody would find it again."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Protocol

from edge_agent.clock import Clock

ALONE_S = 300.0
"""So long a worker watches on after its server died; the next server finds it until then."""

_LOOK_S = 1.0
_GRACE_S = 30.0
_LOG = logging.getLogger(__name__)


class Tie(Protocol):
    """What is needed of a `Sitting`."""

    @property
    def has_server(self) -> bool:
        """Return whether there is a server now."""
        ...

    @property
    def is_there(self) -> bool:
        """Return whether a server could find this worker."""
        ...


class Alone:
    """Judges, at each look, whether a worker has to leave."""

    def __init__(self, tie: Tie, clock: Clock) -> None:
        """Begin with a server, or with the time to wait for one."""
        self._tie, self._clock = tie, clock
        self._served_s = clock.monotonic_s()

    def reason_to_leave(self) -> str | None:
        """Return why this worker has to leave, in words; none while it may stay."""
        if not self._tie.is_there:
            return "its home folder is gone"
        now_s = self._clock.monotonic_s()
        if self._tie.has_server:
            self._served_s = now_s
        if now_s - self._served_s > ALONE_S:
            return f"there was no server for {ALONE_S:.0f} s"
        return None


def leave_when_alone(tie: Tie, clock: Clock, leave: Callable[[], object]) -> None:
    """From now on look, in a thread, whether this process has to end; `leave` lets it, in order.

    One that does not get ready to end is ended all the same: it may be what hangs.
    """
    alone = Alone(tie, clock)

    def look() -> None:
        while (why := alone.reason_to_leave()) is None:
            clock.sleep(_LOOK_S)
        _LOG.warning("this worker of streams ends: %s", why)
        leave()
        clock.sleep(_GRACE_S)
        os._exit(1)

    threading.Thread(target=look, name="server-watch", daemon=True).start()
