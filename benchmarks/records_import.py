"""Five million calls from one CSV file into the record store; beside it DuckDB's own copy to Parquet.

The import is everything: the file's hash and encoding, every cell read and checked, every subscriber's number keyed,
rows set down by platform and day, compared for duplicates, sorted by subscriber, written, hashed, put in place and
committed to the manifest, in a process that has imported a small file before, as a worker has. The copy is
``COPY (FROM read_csv(...)) TO ... (PARTITION_BY day)`` with DuckDB's own settings and as many threads: no checks, no
keys, no order.

Each side has a process of its own; they take turns. Aims: at least a quarter of the copy's speed, and memory that
stays where it is as the file grows tenfold. Run: ``python -m benchmarks.records_import`` from the checkout.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb
from flask import Flask

from supervise import db
from supervise.evidence.importing import run_import
from supervise.evidence.manifest import open_import
from supervise.evidence.models import RecordImport, RecordImportState, RecordKind
from supervise.evidence.store import SESSION_KEY, open_store
from tests.databases import clone_sqlite
from tests.factories.complaints import KEYRING
from tests.factories.records import make_source

ROWS = 5_000_000
SMALL = ROWS // 10
THREADS = 2
DAYS = 10
#: Two platforms, 50,000 calling numbers, two million subscribers; the same file every time.
GENERATED = """
    SELECT format('C{:010d}', n) AS "话单号", 'P' || (n % 2) AS "平台",
        format('025660{:05d}', hash(n) % 50000) AS "主叫号码",
        format('139{:08d}', hash(n + 1) % 2000000) AS "被叫号码",
        strftime(begun, '%Y-%m-%d %H:%M:%S') AS "开始时间",
        strftime(begun + to_seconds(ring + talk), '%Y-%m-%d %H:%M:%S') AS "结束时间",
        ring AS "振铃时长", talk AS "通话时长", CASE WHEN talk > 0 THEN '是' ELSE '否' END AS "是否接通",
        '5G升级' || (n % 20) AS "活动", 10000 + hash(n + 2) % 5000 AS "工号", format('REC-{:09d}', n) AS "录音编号"
    FROM (
        SELECT range AS n, TIMESTAMP '{since}' + to_seconds((hash(range) % {seconds})::BIGINT) AS begun,
            (hash(range + 3) % 30)::BIGINT AS ring,
            CASE WHEN hash(range + 4) % 5 < 3 THEN (hash(range + 5) % 300)::BIGINT ELSE 0 END AS talk
        FROM range({rows})
    )
"""


class Taken(NamedTuple):
    """Seconds by the clock and of the processor, peak memory in MB."""

    clock: float
    processor: float
    peak: float = 0.0


def make_file(path: Path, rows: int, since: str = "2026-10-01") -> None:
    """Write a file of *rows* calls, of the days from *since* on."""
    generated = (
        GENERATED.replace("{rows}", str(rows)).replace("{seconds}", str(DAYS * 86_400)).replace("{since}", since)
    )
    duckdb.execute(f"COPY ({generated}) TO '{path}' (FORMAT csv, HEADER)")


def ours(path: Path, folder: Path, rows: int) -> Taken:
    """Import the file as a worker does that has imported one before."""
    app = Flask(__name__)
    store = open_store("duckdb", str(folder / "evidence"), folder / "scratch")
    db.init_app(app, clone_sqlite(folder), {SESSION_KEY: store})
    with app.app_context():
        with db.writing() as session:
            for code in ("P0", "P1"):
                make_source(session, code=code)
        make_file(folder / "first.csv", 1_000, "2026-08-01")
        imported(folder / "first.csv", 1_000)
        return imported(path, rows)


def imported(path: Path, rows: int) -> Taken:
    """Import one file."""
    with db.writing() as session:
        size = path.stat().st_size
        batch = open_import(session, RecordKind.CALLS, file_name=path.name, size_bytes=size, actor_id=1)
    started, cpu = time.perf_counter(), time.process_time()
    with path.open("rb") as file:
        run_import(KEYRING, batch.id, file, lambda _done, _total: None)
    taken = Taken(time.perf_counter() - started, time.process_time() - cpu)
    with db.reading() as session:
        done = session.get_one(RecordImport, batch.id)
        assert done.state is RecordImportState.COMMITTED
        assert done.rows_new == rows
    return taken


def theirs(path: Path, folder: Path, rows: int) -> Taken:
    """Let DuckDB copy the file."""
    with duckdb.connect(config={"threads": THREADS}) as connection:
        started, cpu = time.perf_counter(), time.process_time()
        copied = connection.execute(
            f"""COPY (SELECT *, "开始时间"::DATE AS day FROM read_csv('{path}')) TO '{folder / "copied"}'
            (FORMAT parquet, PARTITION_BY (day))"""
        ).fetchone()
        assert copied == (rows,)
        return Taken(time.perf_counter() - started, time.process_time() - cpu)


def measured(work: Callable[[Path, Path, int], Taken], path: Path, rows: int) -> Taken:
    """Run *work* in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as name, multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_peak, (work, path, Path(name), rows))


def _with_peak(work: Callable[[Path, Path, int], Taken], path: Path, folder: Path, rows: int) -> Taken:
    taken = work(path, folder, rows)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak_kb] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return taken._replace(peak=int(peak_kb) / 1024)


def main() -> None:
    """Print both sides at a tenth of the rows and at all of them."""
    peaks = []
    for rows in (SMALL, ROWS):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "calls.csv"
            make_file(path, rows)
            size = path.stat().st_size / 1e6
            other = measured(theirs, path, rows)
            mine = measured(ours, path, rows)
        peaks.append(mine.peak)
        print(
            f"{rows} calls, {size:.0f} MB of CSV: import {mine.clock:.1f} s ({rows / mine.clock:,.0f} rows/s, "
            f"processor {mine.processor:.1f} s), peak {mine.peak:.0f} MB; "
            f"DuckDB's copy {other.clock:.1f} s (processor {other.processor:.1f} s), peak {other.peak:.0f} MB; "
            f"{other.clock / mine.clock:.2f} of its speed (aim: 0.25), "
            # On a busy machine the clock says little.
            f"by processor time {other.processor / mine.processor:.2f}",
            flush=True,
        )
    print(f"memory grows {peaks[1] / peaks[0]:.2f} times as the file grows tenfold")


if __name__ == "__main__":
    main()
