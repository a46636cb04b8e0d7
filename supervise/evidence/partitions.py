"""From rows on their way to files of the store: set down by platform and day, compared with what is known, sorted.

DuckDB does it within a fixed memory, and spills to the import's own folder: a file ten times as long takes no more.
"""

import datetime as dt
import re
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from supervise.evidence.engine import DuckDBEngine, read_parquet
from supervise.evidence.record_types import RecordType
from supervise.evidence.rows import REFUSED_KEPT, ROW_NUMBER, SOURCE_ID, Refused, stored_schema
from supervise.evidence.warehouse import Warehouse, digest_of
from supervise.files.remarks import Remark, remark
from supervise.labels import N_

_ROW_GROUP = 122_880
#: So many rows are set down at once; more would only take memory.
_PIECE_ROWS = 1 << 17
#: More days than a calendar has: platform and day as one number.
_DAYS_MAX = 10_000_000
_EPOCH = dt.date(1970, 1, 1)
_NOT_IN_A_NAME = re.compile("[^A-Za-z0-9_-]")


class Spilt(NamedTuple):
    """The rows of one platform and day that the file brought."""

    source_id: int
    platform: str
    on_day: dt.date
    files: tuple[str, ...]


class Written(NamedTuple):
    """What came of them: the new file (None: nothing was new), and what was known or refused."""

    spilt: Spilt
    path: str | None
    rows: int
    size_bytes: int
    sha256: str | None
    known: int
    refused: Refused


@dataclass(frozen=True)
class PartitionWriter:
    """Writes the partitions of one import."""

    kind_of: RecordType
    warehouse: Warehouse
    scratch: Path
    engine: DuckDBEngine
    import_id: int
    #: A part of so many bytes, unpacked, is sorted in memory; a longer one by DuckDB, on the disk.
    at_hand_bytes: int = 64 << 20

    def spill(self, rows: Iterator[pa.RecordBatch]) -> None:
        """Set *rows* down by platform and day; the next are made in this thread while some are written in another."""
        waiting: list[pa.RecordBatch] = []
        pieces = count()
        with ThreadPoolExecutor(max_workers=1) as pool:
            writing: Future[None] | None = None
            for batch in rows:
                waiting.append(batch)
                if sum(map(len, waiting)) >= _PIECE_ROWS:
                    _ended(writing)
                    writing = pool.submit(self._set_down, waiting, next(pieces))
                    waiting = []
            _ended(writing)
        if waiting:
            self._set_down(waiting, next(pieces))
        # What follows is DuckDB's.
        pa.default_memory_pool().release_unused()

    def _set_down(self, batches: list[pa.RecordBatch], piece: int) -> None:
        """Write a file for each platform and day among *batches*."""
        table = pa.Table.from_batches(batches).combine_chunks()
        batches.clear()
        days = table["on_day"].cast(pa.int32()).cast(pa.int64())
        places = pc.add(pc.multiply(table[SOURCE_ID], _DAYS_MAX), days)
        table = table.take(pc.sort_indices(places))
        start = 0
        for counted in sorted(pc.value_counts(places).to_pylist(), key=lambda one: one["values"]):
            source_id, day = divmod(counted["values"], _DAYS_MAX)
            folder = self.scratch / "spilt" / str(source_id) / (_EPOCH + dt.timedelta(days=day)).isoformat()
            folder.mkdir(parents=True, exist_ok=True)
            # Read once and deleted: packing it costs more than the disk.
            with pa.OSFile(str(folder / f"{piece}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as sink:
                sink.write_table(table.slice(start, counted["counts"]))
            start += counted["counts"]

    def spilt(self, platforms: dict[int, str]) -> list[Spilt]:
        """Return what was set down, by day."""
        found = []
        for folder in (self.scratch / "spilt").glob("*/*"):
            source_id, day = int(folder.parent.name), dt.date.fromisoformat(folder.name)
            files = tuple(sorted(map(str, folder.glob("*.arrow"))))
            found.append(Spilt(source_id, platforms[source_id], day, files))
        return sorted(found, key=lambda one: (one.on_day, one.platform))

    def write(self, spilt: Spilt, existing: Sequence[str]) -> Written:
        """Write the rows that neither this file nor the files *existing* of that platform and day had before."""
        fetched = [str(self.warehouse.fetch(path, self.scratch)) for path in existing]
        is_short = sum(Path(file).stat().st_size for file in spilt.files) <= self.at_hand_bytes
        ours = pa.concat_tables(map(_read, spilt.files)) if is_short else _OnDisk(self.kind_of, spilt.files)
        with self.engine.cursor() as cursor:
            cursor.register("ours", ours)
            judged = _judge(cursor, self.kind_of, fetched)
            part = self.scratch / f"{secrets.token_hex(8)}.parquet"
            if isinstance(ours, pa.Table):
                ours = _in_order(cursor, self.kind_of, ours, skips_judged=judged)
                cursor.unregister("ours")
                rows = _write_at_hand(self.kind_of, ours, part)
            else:
                rows = _write_from_disk(cursor, self.kind_of, part, skips_judged=judged)
            known, refused = _counts(cursor) if judged else (0, Refused(0, ()))
        if not rows:
            part.unlink()
            return Written(spilt, None, 0, 0, None, known, refused)
        name = f"{_NOT_IN_A_NAME.sub('_', spilt.platform)}-{self.import_id}-{secrets.token_hex(4)}.parquet"
        path = f"{self.kind_of.kind.value}/day={spilt.on_day}/{name}"
        size, digest = part.stat().st_size, digest_of(part)
        self.warehouse.place(part, path)
        return Written(spilt, path, rows, size, digest, known, refused)


class _OnDisk:
    """Rows that were set down; DuckDB reads them a file at a time, as often as it asks (Arrow's own protocol)."""

    def __init__(self, kind_of: RecordType, files: Sequence[str]) -> None:
        self._schema = stored_schema(kind_of)
        self._files = files

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        batches = (batch for file in self._files for batch in _read(file).to_batches())
        return pa.RecordBatchReader.from_batches(self._schema, batches).__arrow_c_stream__(requested_schema)


def _read(file: str) -> pa.Table:
    with pa.OSFile(file) as source:
        return pa.ipc.open_file(source).read_all()


def _ended(writing: "Future[None] | None") -> None:
    if writing is not None:
        writing.result()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _judge(cursor: duckdb.DuckDBPyConnection, kind_of: RecordType, existing: Sequence[str]) -> bool:
    """Make the table ``judged`` of the rows that are not new, if there are any: known, or in contradiction."""
    doubtful = "SELECT record_id FROM ours GROUP BY record_id HAVING count(*) > 1"
    content = "row(" + ", ".join(f'"{name}"' for name in kind_of.schema.names) + ")"
    stored = "SELECT record_id, content FROM doubted WHERE false"
    if existing:
        theirs = read_parquet(existing)
        doubtful += f" UNION SELECT record_id FROM ours WHERE record_id IN (SELECT record_id FROM {theirs})"  # noqa: S608 - own names
        stored = f"SELECT record_id, {content} AS content FROM {theirs}"  # noqa: S608 - own names
    cursor.execute(f"CREATE TEMP TABLE doubtful AS {doubtful}")
    if not cursor.execute("SELECT record_id FROM doubtful LIMIT 1").fetchall():
        return False
    cursor.execute(
        f"""CREATE TEMP TABLE judged AS
        WITH doubted AS (
            SELECT record_id, {ROW_NUMBER}, {content} AS content FROM ours
            WHERE record_id IN (SELECT record_id FROM doubtful)
        ), firsts AS (
            SELECT record_id, min({ROW_NUMBER}) AS first_row, arg_min(content, {ROW_NUMBER}) AS content
            FROM doubted GROUP BY record_id
        ), stored AS ({stored})
        SELECT doubted.{ROW_NUMBER}, stored.record_id IS NOT NULL AS is_stored, firsts.first_row,
            doubted.content IS NOT DISTINCT FROM
            CASE WHEN stored.record_id IS NULL THEN firsts.content ELSE stored.content END AS is_same
        FROM doubted JOIN firsts ON firsts.record_id = doubted.record_id
        LEFT JOIN stored ON stored.record_id = doubted.record_id
        WHERE stored.record_id IS NOT NULL OR doubted.{ROW_NUMBER} <> firsts.first_row"""  # noqa: S608 - own names
    )
    return True


def _in_order(
    cursor: duckdb.DuckDBPyConnection, kind_of: RecordType, ours: pa.Table, *, skips_judged: bool
) -> pa.Table:
    """Return the new rows of *ours* in the order and with the columns of the store."""
    if skips_judged:
        judged = cursor.sql(f"SELECT {ROW_NUMBER} FROM judged").to_arrow_table()[ROW_NUMBER]  # noqa: S608 - own names
        ours = ours.filter(pc.invert(pc.is_in(ours[ROW_NUMBER], judged.combine_chunks())))
    order = pc.sort_indices(ours, [(name, "ascending") for name in _order(kind_of)])
    return ours.select(kind_of.schema.names).take(order)


def _write_at_hand(kind_of: RecordType, rows: pa.Table, target: Path) -> int:
    """Write *rows*; return how many they are."""
    pq.write_table(
        rows,
        target,
        row_group_size=_ROW_GROUP,
        compression="zstd",
        compression_level=1,
        # What a file is sorted by hardly repeats.
        use_dictionary=[name for name in kind_of.schema.names if name not in _order(kind_of)],
        store_schema=False,
    )
    return len(rows)


def _write_from_disk(
    cursor: duckdb.DuckDBPyConnection, kind_of: RecordType, target: Path, *, skips_judged: bool
) -> int:
    """Write the new rows in order, sorted outside of the memory; return how many they are."""
    columns = ", ".join(f'"{name}"' for name in kind_of.schema.names)
    new = f"WHERE {ROW_NUMBER} NOT IN (SELECT {ROW_NUMBER} FROM judged)" if skips_judged else ""  # noqa: S608 - own names
    counted = cursor.execute(
        f"COPY (SELECT {columns} FROM ours {new} ORDER BY {', '.join(_order(kind_of))}) TO {_quoted(str(target))} "  # noqa: S608 - own names
        f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {_ROW_GROUP})"
    ).fetchone()
    return int(counted[0]) if counted else 0


def _order(kind_of: RecordType) -> tuple[str, str, str]:
    return kind_of.sorted_by, kind_of.moment, "record_id"


def _counts(cursor: duckdb.DuckDBPyConnection) -> tuple[int, Refused]:
    counted = cursor.execute("SELECT count(*) FILTER (is_same), count(*) FILTER (NOT is_same) FROM judged").fetchone()
    known, refused = counted or (0, 0)
    first = f"SELECT {ROW_NUMBER}, is_stored, first_row FROM judged WHERE NOT is_same ORDER BY 1 LIMIT {REFUSED_KEPT}"  # noqa: S608 - own names
    rows = cursor.execute(first).fetchall()
    kept = [(number, [_contradiction(is_stored=is_stored, first_row=row)]) for number, is_stored, row in rows]
    return known, Refused(refused, kept)


def _contradiction(*, is_stored: bool, first_row: int) -> Remark:
    if is_stored:
        return remark(N_("The store has other values of this record; if this file is right, import it as a correction"))
    return remark(N_("Row %(row)d has the same record id with other values"), row=first_row)
