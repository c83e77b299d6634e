"""How log lines look, and that one complaint does not drown the others."""

from __future__ import annotations

import json
import logging
from typing import Literal

from edge_agent.clock import Clock

LogFormat = Literal["text", "json"]

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_BURST = 20
_WINDOW_S = 60.0
# More kinds of lines than this never come; should they, counting starts anew rather than taking memory.
_MOST_KINDS = 500


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what failed."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class FloodGate(logging.Filter):
    """Lets at most 20 lines of one kind through in a minute, and says later how many it held back.

    Lines are of one kind when they come from one place in the code, whatever numbers stand in them.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line may be written."""
        now_s, kind = self._clock.monotonic_s(), (record.name, record.lineno)
        since_s, count = self._seen.get(kind, (now_s, 0))
        if now_s - since_s >= _WINDOW_S:
            if count > _BURST:
                record.msg = f"{record.getMessage()} ({count - _BURST} more like this were left out)"
                record.args = ()
            since_s, count = now_s, 0
        if len(self._seen) >= _MOST_KINDS:
            self._seen.clear()
        self._seen[kind] = since_s, count + 1
        return count < _BURST


def make_formatter(form: LogFormat) -> logging.Formatter:
    """Return what makes lines of this form."""
    return JsonFormatter() if form == "json" else logging.Formatter(_TEXT)
