"""Which row of an array belongs to which model: bookkeeping only, no I/O, no clock."""

from __future__ import annotations

from cloud.cache.book import Book
from cloud.cache.key import ModelKey


class Slots:
    """Gives rows to models; when none is free, that of the one that is worth least goes to the newcomer.

    Rows are counted from 0 and are as few as were ever needed at once. Not for several threads at once.
    """

    def __init__(self, most: int) -> None:
        """Give so many rows at most."""
        # A row is a row: sizes are counted in rows, not in bytes.
        self._book = Book("rows", most, keys=max(64, most))
        self._rows: dict[ModelKey, int] = {}
        self._free: list[int] = []
        self.needed = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: ModelKey) -> bool:
        return key in self._rows

    @property
    def evictions(self) -> int:
        """Return how many rows went from one model to another."""
        return self._book.evictions

    def take(self, key: ModelKey) -> int | None:
        """Return the row of a model, which it keeps until `give`; none when it has none."""
        self._book.note(key)
        if key not in self._rows:
            return None
        self._book.take(key)
        return self._rows[key]

    def enter(self, key: ModelKey) -> int:
        """Return a row for a model that has none, which it keeps until `give` at least.

        Raises:
            BusyError: All rows are in use.
        """
        self._free += [self._rows.pop(gone) for gone in self._book.enter(key, 1)]
        if not self._free:
            self._free.append(self.needed)
            self.needed += 1
        row = self._rows[key] = self._free.pop()
        return row

    def give(self, key: ModelKey) -> None:
        """Let the row of a model go when its turn comes."""
        self._book.give(key)
