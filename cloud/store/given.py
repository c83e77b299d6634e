"""Rows that a statement brings along, to be joined: one parameter, however many they are.

SQLite allows so many parameters and no more, and a list of pairs is another statement for each length. One
JSON document is one parameter, and both databases read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, FromClause, Text, bindparam, column, func, select
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

_TYPES: Final[dict[type, TypeEngine[Any]]] = {str: Text(), int: BigInteger()}


def given(session: Session, rows: Iterable[Mapping[str, object]], **columns: type) -> FromClause:
    """Return rows as something to select from.

    Args:
        session: Whose database it is.
        rows: All with the same columns; texts hold no NUL.
        columns: Names and types (`str` or `int`).
    """
    document = bindparam("given", list(rows), type_=JSON)
    if session.get_bind().dialect.name == "postgresql":
        typed = [column(name, _TYPES[kind]) for name, kind in columns.items()]
        table = func.json_to_recordset(document).table_valued(*typed)
        return table.render_derived("given", with_types=True)
    each = func.json_each(document).table_valued("value", name="each")
    values = [
        func.json_extract(each.c.value, f"$.{name}", type_=_TYPES[kind]).label(name)
        for name, kind in columns.items()
    ]
    return select(*values).subquery("given")
