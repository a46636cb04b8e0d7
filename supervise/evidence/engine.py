"""Asking records: one expression, written once with Ibis, run by DuckDB in this process or by Spark.

Ibis compiles an expression over named tables into the engine's own SQL, once for each process; which rows stand
behind the names (files of the manifest, or a table in memory) is said at each run. DuckDB takes longer to plan a
question about one incident than to answer it: over tables of a few rows, it is planned once.
"""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

#: Over tables that have no more rows, a plan is good whatever the rows are.
FEW_ROWS = 1_000


@dataclass(frozen=True, eq=False)
class RecordQuery:
    """A question to the records: its name, and an expression over unbound tables."""

    name: str
    expression: ir.Table

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The columns of the answer; every engine gives exactly these."""
        return self.expression.schema().to_pyarrow()

    def sql(self, dialect: str) -> str:
        """Return the query in the SQL of *dialect* (``duckdb``, ``pyspark``)."""
        return _compiled(self, dialect)


@functools.cache
def _compiled(query: RecordQuery, dialect: str) -> str:
    return str(ibis.to_sql(query.expression, dialect=dialect))


class Wanted(NamedTuple):
    """The few values of a column at which a query looks; rows with other values need not be read."""

    column: str
    values: Sequence[str]


@dataclass(frozen=True)
class Files:
    """Parquet files that stand behind a table, and the columns that they have."""

    paths: Sequence[str]
    schema: pa.Schema
    #: None: all of their rows.
    wanted: Wanted | None = None


#: What stands behind a table's name.
Rows: TypeAlias = "Files | pa.Table"


class Engine(Protocol):
    """What runs queries."""

    name: str

    def run(self, query: RecordQuery, tables: Mapping[str, Rows]) -> pa.Table:
        """Return the answer, with ``query.schema``."""

    def plan(self, query: RecordQuery, tables: Mapping[str, Rows]) -> str:
        """Return how the engine goes about it, after having run it: which files it opened, how many rows it read."""


def unbound(name: str, schema: pa.Schema) -> ir.Table:
    """Return a table with these columns, to write expressions over; what it holds is said when a query runs."""
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=name)


@dataclass(eq=False)
class DuckDBEngine:
    """The embedded engine: in this process, within a fixed memory, spilling to *folder*."""

    folder: Path
    memory: str = "384MB"
    threads: int = 2
    name: str = field(default="duckdb", init=False)
    #: Those that no thread is using.
    _planned: dict[RecordQuery, list["_Planned"]] = field(default_factory=lambda: defaultdict(list), init=False)

    @functools.cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        spill = self.folder / "spill"
        spill.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings: dict[str, Any] = {
            "memory_limit": self.memory,
            "threads": self.threads,
            "temp_directory": str(spill),
            # A closed network: what is not in the wheel must not be looked for.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        # A file is never written again under its name.
        connection.execute("SET GLOBAL parquet_metadata_cache = true")
        return connection

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with temporary tables of its own, for one thread."""
        return self._connection.cursor()

    def run(self, query: RecordQuery, tables: Mapping[str, Rows]) -> pa.Table:
        """Return the answer, with ``query.schema``."""
        with self.cursor() as cursor:
            at_hand = {name: _at_hand(cursor, rows) for name, rows in tables.items()}
            few = {name: rows for name, rows in at_hand.items() if isinstance(rows, pa.Table) and len(rows) <= FEW_ROWS}
            if len(few) == len(tables):
                return self._answer(query, few).cast(query.schema)
            _stand_behind(cursor, at_hand)
            answer: pa.Table = cursor.sql(query.sql(self.name)).to_arrow_table()
            return answer.cast(query.schema)

    def _answer(self, query: RecordQuery, tables: Mapping[str, pa.Table]) -> pa.Table:
        idle = self._planned[query]
        try:
            planned = idle.pop()
        except IndexError:
            planned = _Planned(self.cursor(), query.sql(self.name), tables)
        answer = planned.answer(tables)
        # One that failed is not used again.
        idle.append(planned)
        return answer

    def plan(self, query: RecordQuery, tables: Mapping[str, Rows]) -> str:
        """Return the plan that was run, with the files and rows that each step read."""
        with self.cursor() as cursor:
            _stand_behind(cursor, tables)
            steps = cursor.execute(f"EXPLAIN ANALYZE {query.sql(self.name)}").fetchall()
            return "\n".join(text for _kind, text in steps)


def _stand_behind(cursor: duckdb.DuckDBPyConnection, tables: Mapping[str, Rows]) -> None:
    for name, rows in tables.items():
        if isinstance(rows, pa.Table):
            cursor.register(name, rows)
        elif rows.paths:
            cursor.execute(f"CREATE TEMP VIEW {name} AS {_select(rows)}")
        else:
            cursor.register(name, rows.schema.empty_table())


def _at_hand(cursor: duckdb.DuckDBPyConnection, rows: Rows) -> Rows:
    """Return *rows* in memory if that is known to take little; else as they are."""
    if isinstance(rows, pa.Table):
        return rows
    if not rows.paths:
        return rows.schema.empty_table()
    return rows if rows.wanted is None else cursor.sql(_select(rows)).to_arrow_table()


def _select(rows: Files) -> str:
    query = f"SELECT * FROM {read_parquet(rows.paths)}"  # noqa: S608 - own names
    if rows.wanted is None:
        return query
    values = ", ".join(map(_quoted, rows.wanted.values)) or "NULL"
    return f"{query} WHERE {rows.wanted.column} IN ({values})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class _Slot:
    """What a question that was planned once reads under a name: any rows of one schema, by Arrow's own protocol."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self.clear()

    def fill(self, rows: pa.Table) -> None:
        """Let the question read *rows* the next time."""
        self.rows = rows.cast(self._schema)

    def clear(self) -> None:
        """Keep nobody's rows."""
        self.rows = self._schema.empty_table()

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)


class _Planned:
    """A question that was planned once, over tables whose few rows change; for one thread at a time."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, pa.Table]) -> None:
        self._cursor = cursor
        self._slots = {name: _Slot(rows.schema) for name, rows in tables.items()}
        for name, slot in self._slots.items():
            cursor.register(name, slot)
        cursor.execute(f"PREPARE question AS {sql}")

    def answer(self, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Return the answer over *tables*, which have the columns of the first ones."""
        for name, slot in self._slots.items():
            slot.fill(tables[name])
        answer: pa.Table = self._cursor.sql("EXECUTE question").to_arrow_table()
        for slot in self._slots.values():
            slot.clear()
        return answer


def read_parquet(paths: Sequence[str]) -> str:
    """Return DuckDB's table function over these files, to stand in a FROM."""
    listed = ", ".join(map(_quoted, paths))
    return f"read_parquet([{listed}], hive_partitioning = false)"
