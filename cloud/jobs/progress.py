"""Lines of JSON by which a job's process tells how far it is; written by the child, read by the server."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

AWAY_CODE = 75
"""Exit status of a process whose database went away: nothing is wrong with the job (EX_TEMPFAIL)."""


class ProgressLine(BaseModel):
    """One line: progress, or the end with `result` or `error`; `figures` may hold loss and ap50."""

    model_config = ConfigDict(frozen=True)

    progress: float = Field(0.0, ge=0.0, le=1.0)
    stage: str = ""
    message: str = ""
    seconds_left: float | None = None
    figures: dict[str, float] = {}
    result: dict[str, Any] | None = None
    error: str | None = None


def parse_line(line: str) -> ProgressLine | None:
    """Return what a line says, or none when it is no progress (a library may print to the same pipe)."""
    if not line.startswith("{"):
        return None
    try:
        return ProgressLine.model_validate_json(line)
    except ValidationError:
        return None
