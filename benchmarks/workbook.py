"""Finance's workbook of 200,000 credits against pandas and openpyxl writing the same rows, each in its own process.

Our side does everything that a download does: it reads the frozen rows from the database, decrypts the subscribers'
numbers, adds up the control sheets and writes the file with its SHA-256. Pandas gets the rows ready made, in memory,
and only its ``to_excel(engine="openpyxl")`` is timed.
"""

import datetime as dt
import importlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from reports.credit_batch import DETAIL_COLUMNS, build_credit_batch_workbook
from reports.workbook import CellKind
from supervise import clock
from supervise.access.roles import Role
from supervise.bulk import insert_rows
from supervise.compensation.models import (
    Credit,
    CreditBatch,
    CreditBatchLine,
    CreditKind,
    CreditNature,
    CreditState,
)
from supervise.compensation.queries import frozen_lines
from supervise.complaints.models import CallerKind, Incident, IncidentKind, IncidentState, Precision
from supervise.complaints.subscribers import full_numbers, number_ids
from supervise.labels import translate, use_locale
from supervise.money import FEN_PER_YUAN
from supervise.phone import NumberingPlan
from tests.databases import clone_sqlite, opened
from tests.factories.access import make_user
from tests.factories.compensation import make_policy
from tests.factories.complaints import CALLED_AT, KEYRING, make_subscriber

LINES = 200_000
NUMBERS = 20_000
AMOUNT_FEN = 50_00
_PARTIES = ("星河呼叫中心有限公司", "联达外呼服务有限公司", "恒通渠道服务有限公司", "=不是公式")
_BRANCHES = ("城东分公司", "城西分公司", "滨江分公司", "开发区分公司", "高新分公司")


def fill(url: str) -> int:
    """Generate one batch of ``LINES`` credits to ``NUMBERS`` subscribers; return its id."""
    with opened(url) as database, database.session(writes=True) as session:
        maker, approver = make_user(session, role=Role.TRIAGER), make_user(session, role=Role.SUPERVISOR)
        digits = [f"139{number:08d}" for number in range(NUMBERS)]
        numbers = list(number_ids(session, KEYRING, digits).values())
        subscriber = make_subscriber(session)
        policy = make_policy(session)
        batch = CreditBatch(
            number="PCPC202611-0001",
            period="2026-11",
            lines_total=LINES,
            total_fen=LINES * AMOUNT_FEN,
            rows_sha256="0" * 64,
            anchor="1 " + "0" * 64 + " 2026-11-22T00:00:00.000000Z",
            locale="zh_Hans",
            frozen_by=approver.id,
            frozen_at=clock.now(),
        )
        session.add(batch)
        session.flush()
        insert_rows(session, Incident.__table__, list(_incidents(numbers)))
        shared = {
            "subscriber_id": subscriber.id,
            "policy_id": policy.id,
            "maker_id": maker.id,
            "approver_id": approver.id,
        }
        insert_rows(session, Credit.__table__, [_credit(n, numbers[n % NUMBERS], shared) for n in range(1, LINES + 1)])
        insert_rows(session, CreditBatchLine.__table__, [_line(n, batch) for n in range(1, LINES + 1)])
        return batch.id


def _incidents(numbers: list[int]) -> Iterator[dict[str, Any]]:
    for n in range(1, LINES + 1):
        at = CALLED_AT + dt.timedelta(seconds=n)
        yield {
            "id": n,
            "kind": IncidentKind.CALL,
            "number_id": numbers[n % NUMBERS],
            "caller_number": "02566040001",
            "numbering_plan": NumberingPlan.CHINA,
            "occurred_at": at,
            "occurred_on": clock.china_day(at),
            "precision": Precision.SECOND,
            "caller_kind": CallerKind.UNKNOWN,
            "flags": [],
            "state": IncidentState.REPORTED,
            "created_at": at,
            "version": 1,
        }


def _credit(n: int, number_id: int, shared: dict[str, int]) -> dict[str, Any]:
    return {
        "id": n,
        "reference": f"PC202611-{n:06d}",
        "kind": CreditKind.PER_CALL,
        "nature": CreditNature.COMPENSATION,
        "incident_id": n,
        "number_id": number_id,
        "amount_fen": AMOUNT_FEN,
        "explanation": {},
        "content_sha256": "0" * 64,
        "tax_label": "话费赔偿支出",
        "gl_account_code": "6711.01",
        "occurred_on": dt.date(2026, 11, 1),
        "period": "2026-11",
        "state": CreditState.BATCHED,
        "proposed_at": CALLED_AT,
        "approved_at": CALLED_AT,
        "rejections": 0,
        "version": 1,
        **shared,
    }


def _line(n: int, batch: CreditBatch) -> dict[str, Any]:
    frozen = {
        "batch": batch.number,
        "line": n,
        "credit": f"PC202611-{n:06d}",
        "account_ref": f"AC7{n:07d}",
        "region": _BRANCHES[n % len(_BRANCHES)],
        "nature": "赔偿",
        "kind": "按次",
        "units": 1,
        "unit_fen": AMOUNT_FEN,
        "amount_fen": AMOUNT_FEN,
        "party": _PARTIES[n % len(_PARTIES)],
        "recovery": "按合同向责任方追偿",
        "gl_account": "6711.01",
        "tax_label": "话费赔偿支出",
        "cost_centre": f"CC-10{n % 5:02d}",
        "ticket": f"TS20261101-{n:06d}",
        "occurred": "2026-11-01 10:20:30",
        "promise": "PC-2026",
        "approver": "王丽华",
        "approved": "2026-11-05 10:00:00",
        "note": "",
    }
    return {"id": n, "batch_id": batch.id, "line": n, "credit_id": n, "amount_fen": AMOUNT_FEN, "frozen": frozen}


class Taken(NamedTuple):
    """What one side took, in seconds by the clock and of the processor."""

    clock: float
    processor: float


class Watch:
    """Takes the time from where it is made."""

    def __init__(self) -> None:
        self._clock, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> Taken:
        """Return what has passed."""
        return Taken(time.perf_counter() - self._clock, time.process_time() - self._processor)


def ours(url: str, batch_id: int, path: Path) -> Taken:
    """Write the workbook as the application does."""
    with opened(url) as database, database.session(writes=False) as session:
        watch = Watch()
        build_credit_batch_workbook(session, KEYRING, batch_id, path)
        return watch.read()


def theirs(url: str, batch_id: int, path: Path) -> Taken:
    """Let pandas write the same rows by openpyxl; only that is timed."""
    with opened(url) as database, database.session(writes=False) as session:
        frame = _frame(session, batch_id)
    watch = Watch()
    frame.to_excel(path, sheet_name="赔偿明细", index=False, engine="openpyxl")
    return watch.read()


def _frame(session: Session, batch_id: int) -> Any:
    # Here, so that the memory of pandas itself is not counted on our side.
    pandas = importlib.import_module("pandas")
    lines = list(frozen_lines(session, batch_id))
    digits = full_numbers(session, KEYRING, [line.number_id for line in lines])
    rows = [line.frozen | {"number": digits[line.number_id]} for line in lines]
    with use_locale("zh_Hans"):
        return pandas.DataFrame(
            {
                translate(column.heading): [
                    int(value) / FEN_PER_YUAN if column.kind is CellKind.YUAN and value is not None else value
                    for value in map(column.value, rows)
                ]
                for column in DETAIL_COLUMNS
            }
        )


def measured(work: Callable[..., Taken], *arguments: object) -> tuple[Taken, float]:
    """Run *work* in a process of its own; return its time and its peak memory in MB, interpreter included."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_peak, (work, arguments))


def _with_peak(work: Callable[..., Taken], arguments: tuple[object, ...]) -> tuple[Taken, float]:
    taken = work(*arguments)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [peak_kb] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return taken, int(peak_kb) / 1024


def main() -> None:
    """Print the seconds and peaks of both sides, and how many times faster ours is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = clone_sqlite(folder)
        batch_id = fill(url)
        mine, my_peak = measured(ours, url, batch_id, folder / "ours.xlsx")
        other, other_peak = measured(theirs, url, batch_id, folder / "theirs.xlsx")
        sizes = [(folder / file).stat().st_size / 1e6 for file in ("ours.xlsx", "theirs.xlsx")]
    print(
        f"{LINES} credits: our workbook {mine.clock:.1f} s, peak {my_peak:.0f} MB, {sizes[0]:.1f} MB on disk; "
        f"pandas with openpyxl {other.clock:.1f} s, peak {other_peak:.0f} MB, {sizes[1]:.1f} MB on disk; "
        f"ours is {other.clock / mine.clock:.1f} times faster (aim: at least 5, under 150 MB). "
        # On a busy machine the wall clock says little.
        f"Processor time {mine.processor:.1f} s and {other.processor:.1f} s, "
        f"ratio {other.processor / mine.processor:.1f}"
    )


if __name__ == "__main__":
    main()
