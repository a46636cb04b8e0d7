"""Pricing a million findings with tiers, aggravations, caps and shares, against posting as many entries; one run.

The engine alone, contract by contract, as recomputing does: a thousand contracts of a thousand findings of a year,
every one priced, capped, explained and shared among three. Posting: ``post`` with all guards on both engines, one
entry for each bearer's part, as approval posts them; beside it, what one entry for each finding would take. Aim: at
most half as long. Peak memory is that of the process after pricing, before any database is opened.
Run: ``python -m benchmarks.pricing`` from the checkout; a number after it says how many findings.
"""

import datetime as dt
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.ledger import BATCH, drafts, peak_memory_mb, post_batches, postgresql, seconds
from supervise import clock
from supervise.contracts.rules import AggravationCode, parse_parameters
from supervise.db import Database
from supervise.ledger.models import Period
from supervise.penalties.pricing import (
    Charge,
    Figure,
    FigureKind,
    Ground,
    History,
    Offence,
    Rule,
    Subject,
    price_calls,
    share_out,
)
from tests.databases import clone_sqlite, migrate, opened

FINDINGS = 1_000_000
PER_CONTRACT = 1_000
POSTED = 100_000
PARAMETERS: dict[str, Any] = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [
            {"from_count": 1, "amount_fen": 20000},
            {"from_count": 2, "amount_fen": 30000},
            {"from_count": 4, "amount_fen": 50000},
        ],
    },
    "aggravations": [{"code": "after_refusal", "multiplier_bp": 15000}],
    "caps": [{"per": "day", "limit_fen": 1_000_000}, {"per": "month", "commission_bp": 3000}],
    "shares": {
        "mode": "percent",
        "parts": [
            {"kind": "org_unit", "share_bp": 2000},
            {"kind": "agent", "share_bp": 5000},
            {"kind": "outsourcer", "share_bp": 3000},
        ],
    },
}
FIRST = dt.date(2026, 1, 1)
REFUSED = (Ground(AggravationCode.AFTER_REFUSAL, {"says": "", "facts": {}}),)


def contract(number: int, rule: Rule) -> tuple[list[Offence], History]:
    """Return the findings of one contract over a year, in no order of time, and its recorded commissions."""
    subject = Subject(number, None)
    offences = []
    for place in range(PER_CONTRACT):
        day = FIRST + dt.timedelta(days=place * 7919 % 365)
        incident = number * PER_CONTRACT + place
        offences.append(
            Offence(
                finding_id=incident,
                incident_id=incident,
                code=("after_refusal", "frequency", "unauthorised_number")[place % 3],
                occurred_at=clock.start_of_day(day) + dt.timedelta(seconds=place * 31 % 86_400),
                occurred_on=day,
                subject=subject,
                rule=rule,
                caller_number=f"1380000{place % 500:04d}",
                subscriber_id=place % 700,
                grounds=REFUSED if place % 4 == 0 else (),
            )
        )
    history = History()
    for month in range(1, 13):
        history.figures[subject, f"2026-{month:02d}", FigureKind.COMMISSION] = Figure(month, 10_000_000)
    return offences, history


def price(findings: int) -> tuple[float, int, int]:
    """Return the seconds that pricing took, what it came to in fen, and how many parts."""
    rule = Rule(1, "R", 1, "0" * 64, parse_parameters(PARAMETERS))
    spent, total_fen, parts = 0.0, 0, 0
    for number in range(findings // PER_CONTRACT):
        offences, history = contract(number, rule)
        # What waits here for its turn is no part of the engine's work: no collection looks through it.
        gc.freeze()
        start = time.perf_counter()
        for outcome in price_calls(offences, history):
            if isinstance(outcome, Charge):
                portions = share_out(outcome, (1, 2, 3))
                parts += len(portions)
                total_fen += sum(portion.gross_fen - portion.capped_fen for portion in portions)
        spent += time.perf_counter() - start
    return spent, total_fen, parts


@contextmanager
def sqlite() -> Iterator[Database]:
    """Open an empty database in a file."""
    with tempfile.TemporaryDirectory() as folder, opened(clone_sqlite(Path(folder))) as database:
        yield database


@contextmanager
def on_postgresql() -> Iterator[Database]:
    """Open an empty database on a server of its own."""
    with postgresql() as server:
        url = server.url(server.create())
        migrate(url)
        with opened(url) as database:
            yield database


def report(database: Database, findings: int, parts: int, spent: float) -> None:
    """Post entries and print how pricing compares."""
    with database.session(writes=True) as session:
        session.add(Period(month=clock.month_of(clock.today()), opened_at=clock.now(), opened_by=None))
    batches = [drafts(str(number), BATCH) for number in range(POSTED // BATCH)]
    each = seconds(partial(post_batches, database, batches)) / POSTED
    print(
        f"{database.dialect:10} posting {1 / each:8,.0f} entries/s   pricing takes {spent / parts / each:.2f} of it"
        f"   ({spent / findings / each:.2f} if a finding were one entry)"
    )


def main() -> None:
    """Price, then post on both engines."""
    findings = int(sys.argv[1]) if len(sys.argv) > 1 else FINDINGS
    spent, total_fen, parts = price(findings)
    print(
        f"pricing {findings:,} findings in {spent:.1f} s: {findings / spent:,.0f}/s, {parts:,} parts, {total_fen} fen"
    )
    print(f"peak memory {peak_memory_mb()} MB")
    for engine in (sqlite, on_postgresql):
        with engine() as database:
            report(database, findings, parts, spent)


if __name__ == "__main__":
    main()
