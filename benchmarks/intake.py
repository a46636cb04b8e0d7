"""One day of a national complaint site, 24,134 rows in GBK, through the whole import; beside it the bare writing.

Both sides run in this process, on the same machine, one after the other. The bare side writes the very rows that
the import left behind (tickets, incidents, links, steps, words, numbers) by executemany or COPY, without any check,
index of words or encryption: the floor below which no import can go.
"""

import csv
import io
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

PROJECT = Path(__file__).resolve().parent.parent
# The project instead of this folder: a script here may be called like a module of Python's own.
sys.path[0] = str(PROJECT)

from supervise.access.roles import Role  # noqa: E402 - the project is not installed
from supervise.complaints.preview import preview_batch  # noqa: E402
from supervise.db import Base, Database  # noqa: E402
from supervise.donotcall.intake import commit_batch  # noqa: E402
from tests.databases import clone_sqlite, opened, postgres_server  # noqa: E402
from tests.factories.access import make_user  # noqa: E402
from tests.factories.complaints import KEYRING, upload_file  # noqa: E402

ROWS = 24_134
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


def run_import(url: str, path: Path, folder: Path) -> tuple[float, float, float]:
    """Return the seconds of preview and of commit, commits to disk included, and of the processor in both."""
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
        return previewed - started, time.perf_counter() - previewed, time.process_time() - cpu


def rows_of(database: Database) -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """Yield table, columns and rows that the import left, as the driver gives them."""
    with database.engine.connect() as connection:
        for name in TABLES:
            columns = [column.name for column in Base.metadata.tables[name].columns]
            rows = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
            yield name, columns, [tuple(row) for row in rows]


def run_bare(source_url: str, target_url: str) -> tuple[float, float]:
    """Write the same rows into an empty, equally indexed database; return the seconds by clock and processor."""
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
        return time.perf_counter() - started, time.process_time() - cpu


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


def compare(name: str, imported_url: str, bare_url: str, folder: Path) -> None:
    """Print one line for one engine."""
    path = folder / "day.csv"
    make_file(path)
    (preview, commit, cpu), peak = _measured(run_import, imported_url, path, folder)
    (bare, bare_cpu), bare_peak = _measured(run_bare, imported_url, bare_url)
    whole = preview + commit
    print(
        f"{name}: import {whole:.2f} s (preview {preview:.2f}, commit {commit:.2f}), peak {peak:.0f} MB; "
        f"bare writing of the same rows {bare:.2f} s, peak {bare_peak:.0f} MB; ratio {whole / bare:.1f}. "
        # On a busy machine the wall clock says little; a server's own work is not in these figures.
        f"Processor time of our side {cpu:.2f} s and {bare_cpu:.2f} s, ratio {cpu / bare_cpu:.1f}"
    )


def main() -> None:
    """Measure both engines, SQLite first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare("SQLite", clone_sqlite(folder), clone_sqlite(folder), folder)
        with postgres_server() as server:
            names = [server.create(server.template()) for _ in range(2)]
            compare("PostgreSQL", server.url(names[0]), server.url(names[1]), folder)
            for database in names:
                server.drop(database)


if __name__ == "__main__":
    main()
