"""Table of saved searches; see `cloud.search`."""

from __future__ import annotations

from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud.store.owned import Owned
from cloud.store.tables import Base


class SavedSearchRow(Owned, Base):
    """A search to ask again, and for alerts to watch by; `timezone` is of its dates and times of day."""

    __tablename__ = "saved_searches"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    query: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str]
    created: Mapped[float]
