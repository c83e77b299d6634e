"""How much there is to watch, of all workspaces together."""

from __future__ import annotations

from cloud.accounts.workspaces import within
from cloud.planning.wanted import Watched
from cloud.store import streams
from cloud.store.database import Database
from cloud.streams.settings import StreamSettings


def watched_now(database: Database) -> Watched:
    """Return how much is to be watched now; what is paused is not."""
    with within(None), database.read() as session:
        rows = [(row.settings, len(row.detectors)) for row, _ in streams.every(session) if not row.paused]
    return Watched(
        streams=len(rows),
        fps=sum(StreamSettings.model_validate_json(settings).fps for settings, _ in rows),
        detectors=sum(count for _, count in rows),
    )
