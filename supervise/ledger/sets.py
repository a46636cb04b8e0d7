"""Asking for thousands of keys or ids at once, with one bound value, however many there are."""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute


def in_set(
    connection: sa.Connection, column: InstrumentedAttribute[Any], values: Sequence[int] | Sequence[str]
) -> sa.ColumnElement[bool]:
    """Return the condition that *column* is one of *values*."""
    if connection.dialect.name == "postgresql":
        # By the column: an empty list does not say what it holds.
        kind = sa.BigInteger() if issubclass(column.type.python_type, int) else sa.Text()
        return column == sa.any_(sa.literal(list(values), ARRAY(kind)))
    each = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(sa.select(each.c.value))
