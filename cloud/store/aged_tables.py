"""Table of the files into which old events are moved; see `cloud.search.aged`."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.tables import Base


class AgedFileRow(Base):
    """A Parquet file of old events: its events are in it, and not in `event_states`, since this row is there.

    `path` is relative to the home folder. Times are UTC seconds since 1970, of the first and the last start.
    """

    __tablename__ = "aged_files"

    id: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str]
    events: Mapped[int]
    first_start: Mapped[float]
    last_start: Mapped[float]
    created: Mapped[float]
