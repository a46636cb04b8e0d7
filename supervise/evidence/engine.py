"""Asking records: one expression, written once with Ibis, run by DuckDB in this process or by Spark.

Ibis compiles an expression over named tables into the engine's own SQL, once for each process; which rows stand
behind the names (files of the manifest, or a table in memory) is said at each run.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa


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


@dataclass(frozen=True)
class Files:
    """Parquet files that stand behind a table, and the columns that they have."""

    paths: Sequence[str]
    schema: pa.Schema


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
        return connection

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with temporary tables of its own, for one thread."""
        return self._connection.cursor()

    def run(self, query: RecordQuery, tables: Mapping[str, Rows]) -> pa.Table:
        """Return the answer, with ``query.schema``."""
        with self.cursor() as cursor:
            _stand_behind(cursor, tables)
            answer: pa.Table = cursor.sql(query.sql(self.name)).to_arrow_table()
            return answer.cast(query.schema)

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
            cursor.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM {read_parquet(rows.paths)}")  # noqa: S608 - own names
        else:
            cursor.register(name, rows.schema.empty_table())


def read_parquet(paths: Sequence[str]) -> str:
    """Return DuckDB's table function over these files, to stand in a FROM."""
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"
