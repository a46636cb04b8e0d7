"""One day of a national complaint site, 24,134 rows in GBK, through the whole import; beside it the bare writing.

The import is everything between the upload and the tickets: the file is decrypted and parsed in its child process,
every row is checked and staged, that is committed (*preview*); then the staged rows become tickets, incidents, links,
steps, words and encrypted numbers, with the check for what is known, and that is committed (*commit*).

The bare side writes the very rows that the import left in those six tables, from memory, as the driver takes them,
by executemany or COPY in one transaction, its COMMIT included: no file, no check, no staging, no encryption. Its
database has the same settings, indexes, constraints and triggers. That includes the index of words on PostgreSQL,
which keeps it itself; on SQLite the import alone writes that index (FTS5), and the bare side is spared it.

Each side has a process and an empty database of its own; they take turns. Aim: within four times.
Run: ``python -m benchmarks.intake`` from the checkout.
"""

import csv
import io
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import sqlalchemy as sa

from supervise.access.roles import Role
from supervise.complaints.preview import preview_batch
from supervise.db import Base, Database
from supervise.donotcall.intake import commit_batch
from tests.databases import clone_sqlite, opened, postgres_server
from tests.factories.access import make_user
from tests.factories.complaints import KEYRING, upload_file

ROWS = 24_134
ROUNDS = 5
HEADER = ["转办编号", "转办日期", "举报人号码", "被举报号码", "来电时间", "通话时长", "类型", "举报描述", "地市"]
#: Parents first.
TABLES = ("subscriber_number", "ticket", "incident", "ticket_incident", "ticket_step", "ticket_search")
_OFFERS = ("5G套餐升级", "宽带免费提速", "流量包九折", "积分兑换话费", "保号套餐", "融合套餐赠送手机")
_CITIES = ("南昌", "九江", "赣州", "吉安", "上饶", "宜春")


def make_file(path: Path) -> None:
    """Write the day's file: some callers call often, some subscribers complain often."""
    chance = random.Random(20201130)  # noqa: S311 - the same file every time
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(HEADER)
    for number in range(ROWS):
        minute = chance.randrange(24 * 60)
        offer = chance.choice(_OFFERS)
        lines.writerow(
            [
                f"ZB{number:08d}",
                "2026-09-30",
                f"139{chance.randrange(18_000):08d}",
                f"0791{chance.randrange(80_000_000, 80_002_000)}",
                f"2026-09-29 {minute // 60:02d}:{minute % 60:02d}",
                str(chance.randrange(1, 180)),
                "骚扰电话",
                f"来电自称运营商工作人员。推销{offer}。本人已明确拒绝仍反复来电。要求停止骚扰并赔偿。编号{number}",
                chance.choice(_CITIES),
            ]
        )
    path.write_bytes(text.getvalue().encode("gbk"))


class Imported(NamedTuple):
    """Seconds of an import, commits included; of the processor without the child's and the server's."""

    preview: float
    commit: float
    processor: float

    @property
    def whole(self) -> float:
        """What the bare writing is compared with."""
        return self.preview + self.commit


class Bare(NamedTuple):
    """Seconds of the bare writing."""

    whole: float
    processor: float


class Round(NamedTuple):
    """One import and one bare writing of what it left, and the peak memory of either process in MB."""

    imported: Imported
    peak: float
    bare: Bare
    bare_peak: float


def run_import(url: str, path: Path, folder: Path) -> Imported:
    """Import the file into an empty database."""
    with opened(url) as database:
        with database.session(writes=True) as session:
            actor = make_user(session, role=Role.TRIAGER)
            batch = upload_file(session, path, folder, profile="12321", actor_id=actor.id)
        started, cpu = time.perf_counter(), time.process_time()
        with database.session(writes=True) as session:
            preview_batch(session, KEYRING, folder, batch.id)
        previewed = time.perf_counter()
        with database.session(writes=True) as session:
            done = commit_batch(session, KEYRING, batch.id, actor_id=actor.id)
            assert done.rows_total == ROWS
            assert done.rows_error == 0
        return Imported(previewed - started, time.perf_counter() - previewed, time.process_time() - cpu)


def rows_of(database: Database) -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """Yield table, columns and rows that the import left, as the driver gives them."""
    with database.engine.connect() as connection:
        for name in TABLES:
            columns = [column.name for column in Base.metadata.tables[name].columns]
            rows = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            yield name, columns, [tuple(row) for row in rows]


def run_bare(source_url: str, target_url: str) -> Bare:
    """Write the rows of one database into another, empty one."""
    with opened(source_url) as source, opened(target_url) as target:
        tables = list(rows_of(source))
        with source.engine.connect() as connection, target.engine.connect() as empty:
            # What the rows refer to.
            for name in ("upload", "import_batch"):
                table = Base.metadata.tables[name]
                values = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                empty.execute(sa.insert(table), values)
            empty.commit()
        driver = target.engine.raw_connection()
        started, cpu = time.perf_counter(), time.process_time()
        cursor = driver.cursor()
        if target.dialect == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        for name, columns, rows in tables:
            _write(cursor, target.dialect, name, columns, rows)
        cursor.execute("COMMIT") if target.dialect == "sqlite" else driver.commit()
        return Bare(time.perf_counter() - started, time.process_time() - cpu)


def _write(cursor: Any, dialect: str, name: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    if dialect == "sqlite":
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)
        return
    json_at = {
        at for at, column in enumerate(columns) if isinstance(Base.metadata.tables[name].c[column].type, sa.JSON)
    }
    with cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(["[]" if at in json_at else value for at, value in enumerate(row)])


def _measured(work: Any, *arguments: Any) -> tuple[Any, float]:
    """Run *work* in a process of its own; return its answer and its peak memory in MB."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_and_peak, (work, arguments))


def _and_peak(work: Any, arguments: tuple[Any, ...]) -> tuple[Any, float]:
    answer = work(*arguments)
    return answer, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(name: str, fresh: Callable[[], str], folder: Path) -> None:
    """Print what one engine does; *fresh* gives the URL of an empty database."""
    path = folder / "day.csv"
    make_file(path)
    rounds = []
    for _ in range(ROUNDS):
        url = fresh()
        imported, peak = _measured(run_import, url, path, folder)
        bare, bare_peak = _measured(run_bare, url, fresh())
        rounds.append(Round(imported, peak, bare, bare_peak))
    ratios = sorted(one.imported.whole / one.bare.whole for one in rounds)
    print(f"{name}: import {median(ratios):.1f} times the bare writing ({ratios[0]:.1f} to {ratios[-1]:.1f})")
    if name == "SQLite":
        # The database works inside both processes: on a busy machine this says more than the clock.
        by_processor = median(one.imported.processor / one.bare.processor for one in rounds)
        print(f"  in processor time {by_processor:.1f} times")
    for one in rounds:
        imported, bare = one.imported, one.bare
        print(
            f"  import {imported.whole:.2f} s (preview {imported.preview:.2f}, commit {imported.commit:.2f}; "
            f"processor {imported.processor:.2f}), peak {one.peak:.0f} MB; "
            f"bare {bare.whole:.2f} s (processor {bare.processor:.2f}), peak {one.bare_peak:.0f} MB",
            flush=True,
        )


def main() -> None:
    """Measure both engines, SQLite first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare("SQLite", lambda: clone_sqlite(folder), folder)
        with postgres_server() as server:
            names: list[str] = []

            def fresh() -> str:
                names.append(server.create(server.template()))
                return server.url(names[-1])

            compare("PostgreSQL", fresh, folder)
            for database in names:
                server.drop(database)


if __name__ == "__main__":
    main()
