"""Many rows at once: read by slices of keys, written by COPY on PostgreSQL and one statement on SQLite."""

import datetime as dt
import enum
import gc
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise import phone
from supervise.db import MaskedText, UTCDateTime, postgres_driver

T = TypeVar("T")

#: Keys in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535.
SLICE = 10_000


def slices(items: Iterable[T], size: int = SLICE) -> Iterator[Sequence[T]]:
    """Yield *items* in pieces that one statement can name, in their order."""
    every = items if isinstance(items, list | tuple) else list(items)
    for start in range(0, len(every), size):
        yield every[start : start + size]


def among(
    session: Session, column: sa.ColumnElement[Any] | InstrumentedAttribute[Any], keys: Collection[T]
) -> sa.ColumnElement[bool]:
    """Return the condition that *column* (text or numbers) is one of *keys*, sent as one parameter.

    With thousands of keys ``in_`` spends more on naming each than the database on finding them.
    """
    if session.get_bind().dialect.name == "postgresql":
        return column == sa.any_(sa.cast(sa.literal(array_literal(keys)), sa.ARRAY(column.type)))
    return column.in_(sa.select(sa.func.json_each(json.dumps(list(keys))).table_valued("value").c.value))


def array_literal(values: Iterable[object]) -> str:
    """Spell *values* (whole numbers, texts, days, aware moments, None) as PostgreSQL spells an array.

    The driver spells a list too, but looks at each value again and again: a third of the time of a batch.
    """
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        # Quoted, the word NULL, a comma and a brace are text like any other.
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    # Days and moments read as ISO 8601, the moment with its offset, whatever DateStyle and time zone say.
    return str(value)


@contextmanager
def uncollected() -> Iterator[None]:
    """Let Python's collector of cycles rest in the block.

    Rows in their thousands make no cycles, but it would walk through all of them again and again: a fifth of an import.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def insert_rows(session: Session, table: sa.FromClause, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert *rows*, which all name the same columns; a model's defaults are not applied.

    Enums are stored by value, moments must be aware, JSON columns take plain lists and mappings.

    Raises:
        sqlalchemy.exc.IntegrityError: as any insert, when a constraint is broken.
    """
    if not rows:
        return
    session.flush()
    names = list(rows[0])
    on_postgres = session.get_bind().dialect.name == "postgresql"
    columns = [
        _column(list(map(itemgetter(name), rows)), table.c[name].type, plain_moments=on_postgres) for name in names
    ]
    lines = zip(*columns, strict=True)
    listed = ", ".join(names)
    if on_postgres:
        _copy(session, f"COPY {table} ({listed}) FROM STDIN", lines)
    else:
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table} ({listed}) VALUES ({marks})"  # noqa: S608 - our own names
        session.connection().exec_driver_sql(statement, list(lines))


def update_column(session: Session, column: InstrumentedAttribute[Any], values: Mapping[int, int]) -> None:
    """Set an integer *column* of the rows with these ids: ``{id: value}``."""
    table, name = column.class_.__table__, column.key
    ids = list(values)
    if session.get_bind().dialect.name == "postgresql":
        lists = sa.text(
            f"UPDATE {table} SET {name} = pair.value "  # noqa: S608 - our own names
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:values AS bigint[])) AS pair (id, value) "
            f"WHERE {table}.id = pair.id"
        )
        session.execute(lists, {"ids": array_literal(ids), "values": array_literal(values.values())})
        return
    if ids:
        statement = f"UPDATE {table} SET {name} = ? WHERE id = ?"  # noqa: S608 - our own names
        session.connection().exec_driver_sql(statement, [(value, row_id) for row_id, value in values.items()])


def read_known_again(session: Session, model: type[Any], ids: Collection[int]) -> None:
    """Read those of these rows again that the session holds as objects: a statement changed them."""
    changed = frozenset(ids)
    known = [one.id for one in session.identity_map.values() if isinstance(one, model) and one.id in changed]
    if known:
        rows = sa.select(model).where(among(session, model.id, known))
        session.scalars(rows.execution_options(populate_existing=True)).all()


def _copy(session: Session, statement: str, lines: Iterable[tuple[Any, ...]]) -> None:
    with (
        postgres_driver(session.connection()) as driver,
        driver.cursor() as cursor,
        cursor.copy(statement.encode()) as copy,
    ):
        for line in lines:
            copy.write_row(line)


def _column(values: list[Any], kind: sa.types.TypeEngine[Any], *, plain_moments: bool) -> list[Any]:
    """Return *values* as the driver takes them."""
    convert = _converter(kind, plain_moments=plain_moments)
    if convert is None:
        return values
    # Thousands of rows share one state and one moment: the same object is converted once.
    ids = list(map(id, values))
    distinct = dict(zip(ids, values, strict=True))
    converted = {key: None if value is None else convert(value) for key, value in distinct.items()}
    return list(map(converted.__getitem__, ids))


def _converter(kind: sa.types.TypeEngine[Any], *, plain_moments: bool) -> Callable[[Any], Any] | None:
    if isinstance(kind, sa.Enum):
        return _enum_value
    if isinstance(kind, sa.JSON):
        return json.dumps
    if isinstance(kind, MaskedText):
        return phone.mask_in_text
    if isinstance(kind, UTCDateTime):
        return _aware if plain_moments else _sqlite_moment
    if isinstance(kind, sa.Date) and not plain_moments:
        return dt.date.isoformat
    return None


def _enum_value(member: enum.Enum) -> str:
    return str(member.value)


def _aware(at: dt.datetime) -> dt.datetime:
    if at.tzinfo is None:
        raise TypeError("a moment must be aware")
    return at


def _sqlite_moment(at: dt.datetime) -> str:
    # The text that SQLAlchemy's own type writes: UTC, no zone, always with microseconds.
    return _aware(at).astimezone(dt.UTC).isoformat(" ", "microseconds").removesuffix("+00:00")
