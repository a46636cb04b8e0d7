"""A question over a few rows is planned once; its answers are those of the rows that it is asked over."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from supervise.evidence.engine import FEW_ROWS, DuckDBEngine, Files, RecordQuery, Wanted, unbound

SCHEMA = pa.schema([("name", pa.string()), ("amount", pa.int64())])
_ROWS = unbound("rows", SCHEMA)
TOTALS = RecordQuery("totals", _ROWS.group_by("name").aggregate(total=_ROWS.amount.sum()).order_by("name"))


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(tmp_path)


def rows_of(*rows: tuple[str, int]) -> pa.Table:
    """Rows as a table of Arrow."""
    return pa.table([[name for name, _ in rows], [amount for _, amount in rows]], schema=SCHEMA)


def totals(engine: DuckDBEngine, rows: pa.Table | Files) -> dict[str, int]:
    """What the question answers over *rows*."""
    return {row["name"]: row["total"] for row in engine.run(TOTALS, {"rows": rows}).to_pylist()}


def test_a_question_that_was_planned_answers_over_the_rows_of_each_run(engine: DuckDBEngine) -> None:
    assert totals(engine, rows_of(("a", 1), ("a", 2))) == {"a": 3}
    assert totals(engine, rows_of(("b", 5))) == {"b": 5}
    assert totals(engine, rows_of()) == {}


def test_over_many_rows_it_is_planned_anew_and_answers_the_same(engine: DuckDBEngine) -> None:
    many = rows_of(*(("a", 1) for _ in range(FEW_ROWS + 1)))

    assert totals(engine, many.slice(0, FEW_ROWS)) == {"a": FEW_ROWS}
    assert totals(engine, many) == {"a": FEW_ROWS + 1}


def test_threads_that_ask_together_do_not_read_each_others_rows(engine: DuckDBEngine) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: totals(engine, rows_of((str(n), n))), range(40)))

    assert answers == [{str(n): n} for n in range(40)]


def test_of_files_only_the_wanted_values_are_read(engine: DuckDBEngine, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(rows_of(("a", 1), ("b", 2), ("it's", 3)), path)
    files = Files([str(path)], SCHEMA, Wanted("name", ["a", "it's"]))

    assert totals(engine, files) == {"a": 1, "it's": 3}
    assert totals(engine, Files([str(path)], SCHEMA, Wanted("name", []))) == {}


def test_a_question_over_other_columns_is_refused_and_the_next_one_answered(engine: DuckDBEngine) -> None:
    totals(engine, rows_of(("a", 1)))

    with pytest.raises(ValueError, match="name"):
        totals(engine, pa.table({"other": ["a"]}))

    assert totals(engine, rows_of(("a", 4))) == {"a": 4}
