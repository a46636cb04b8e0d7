"""A part of an import is the same whether it was sorted in memory or on the disk."""

import datetime as dt
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from supervise.evidence.engine import DuckDBEngine
from supervise.evidence.partitions import PartitionWriter, Written
from supervise.evidence.record_types import CALLS
from supervise.evidence.rows import stored_schema
from supervise.evidence.store import RecordStore
from supervise.evidence.warehouse import Warehouse

DAY = dt.date(2026, 11, 3)
IN_MEMORY, ON_DISK = 1 << 30, 0


def call(row_number: int, record_id: str, seconds: int = 5) -> dict[str, object]:
    """A call as an import sets it down."""
    begun = dt.datetime.combine(DAY, dt.time(), dt.UTC) + dt.timedelta(seconds=row_number)
    return {
        "platform": "crm", "record_id": record_id, "caller": "02988880000", "talk_seconds": seconds,
        "subscriber_index": f"{int(record_id[1:]) % 97:032x}", "started_at": begun, "on_day": DAY, "minute_of_day": 1,
        "row_number": row_number, "source_id": 7,
    }  # fmt: skip


def written(
    folder: Path, rows: list[dict[str, object]], at_hand_bytes: int, existing: list[str]
) -> tuple[Written, Path]:
    """What a writer makes of *rows*, and the folder of its warehouse."""
    folder.mkdir()
    engine = DuckDBEngine(folder / "scratch")
    warehouse = Warehouse(RecordStore(str(folder), engine, engine))
    writer = PartitionWriter(CALLS, warehouse, folder / "scratch", engine, 1, at_hand_bytes)
    batches = pa.Table.from_pylist(rows, stored_schema(CALLS)).to_batches(max_chunksize=50)
    writer.spill(iter(batches))
    [spilt] = writer.spilt({7: "crm"})
    assert (spilt.on_day, spilt.platform) == (DAY, "crm")
    return writer.write(spilt, existing), folder


@pytest.fixture
def rows() -> list[dict[str, object]]:
    """Two hundred calls in any order; one of them again, and one again with other values."""
    chosen = [call(n, f"C{n}") for n in range(1, 201)]
    chosen += [{**chosen[4], "row_number": 201}, {**chosen[9], "row_number": 202, "talk_seconds": 99}]
    random.Random(5).shuffle(chosen)  # noqa: S311 - the same order every time
    return chosen


def test_memory_and_disk_give_the_same_rows_in_the_same_order(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    both = [written(tmp_path / str(size), rows, size, []) for size in (IN_MEMORY, ON_DISK)]

    tables = [pq.read_table(folder / str(part.path), partitioning=None) for part, folder in both]
    assert tables[0].equals(tables[1])
    assert tables[0].schema.equals(CALLS.schema)
    keys = list(zip(tables[0]["subscriber_index"].to_pylist(), tables[0]["started_at"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    for part, _folder in both:
        assert (part.rows, part.known, part.refused.rows) == (200, 1, 1)
        [(row_number, _remarks)] = part.refused.kept
        assert row_number == 202


@pytest.mark.parametrize("size", [IN_MEMORY, ON_DISK])
def test_what_the_store_has_already_is_not_written_again(
    tmp_path: Path, rows: list[dict[str, object]], size: int
) -> None:
    first, folder = written(tmp_path / "first", rows, size, [])
    stored = str(folder / str(first.path))

    again, _folder = written(tmp_path / "again", [*rows, call(300, "C300")], size, [stored])

    assert (again.rows, again.known, again.refused.rows) == (1, 201, 1)
