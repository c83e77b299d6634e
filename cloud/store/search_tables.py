"""Table of saved searches; see `cloud.search`."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.tables import Base


class SavedSearchRow(Base):
    """A search to ask again, and for alerts to watch by; `timezone` is of its dates and times of day."""

    __tablename__ = "saved_searches"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    query: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str]
    created: Mapped[float]
