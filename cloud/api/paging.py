"""Lists in pages: the parameters `limit` and `offset` of every route that lists, and what tells of the rest.

Without `limit` all is listed, as scripts expect; X-Total-Count says how many there are, Link where the next
page is. Lists that grow for ever (events, moments, the audit log) have a cursor or a limit of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request, Response

_Row = TypeVar("_Row")


class Page:
    """Which part of a list is wanted."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[
            int | None, Query(ge=1, le=10_000, description="so many at most; all by default")
        ] = None,
        offset: Annotated[int, Query(ge=0, le=2**53, description="so many are left out at the front")] = 0,
    ) -> None:
        self._request = request
        self._response = response
        self._limit = limit
        self._offset = offset

    def of(self, rows: Sequence[_Row]) -> Sequence[_Row]:
        """Return the wanted part of a list, and tell of the rest in the headers."""
        end = len(rows) if self._limit is None else self._offset + self._limit
        self._response.headers["X-Total-Count"] = str(len(rows))
        if end < len(rows):
            url = self._request.url.include_query_params(offset=end, limit=self._limit)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return rows[self._offset : end]


Paged = Annotated[Page, Depends()]
