"""A month's settlement of 5,000 parties against the bare posting of the entries that it makes, on both engines.

Settled: computed, approved, posted party by party in the portions of the job, and every notice taken for delivered.
Bare: ``post`` of the very same entries (other keys, other parties), in portions of the same size; nothing is read,
locked, written elsewhere or recorded. The aim: less than twice as long.
Run: ``python -m benchmarks.settlement`` from the checkout.
"""

import datetime as dt
import gc
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.ledger import peak_memory_mb, post_batches, postgresql
from supervise import clock
from supervise.attribution.models import Finding
from supervise.bulk import insert_rows, slices
from supervise.contracts.models import Contract
from supervise.db import Database, reserve_ids
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft
from supervise.ledger.models import Account, JournalEntry, Posting
from supervise.ledger.post import post
from supervise.parties.models import Party
from supervise.penalties.models import Penalty
from supervise.settlement.models import (
    CommissionStatement,
    DepositKind,
    DepositMovement,
    Settlement,
    SettlementLine,
    SettlementState,
)
from supervise.settlement.notices import deem_delivered
from supervise.settlement.posting import PARTIES_AT_ONCE, post_next
from supervise.settlement.runs import approve_run, propose_run
from tests.databases import clone_sqlite, migrate, opened
from tests.factories.attribution import make_proven_incident
from tests.factories.penalties import Charged, make_charged_partner, make_supervisor
from tests.factories.settlement import make_final_penalty

PARTIES = 5_000
FINANCE = 941
#: Every notice counts as delivered by then, in the same month or the next.
DAYS_TO_DELIVERY = dt.timedelta(days=5)
#: Two offences of one call for each party: 300 yuan from the deposit, 100 from the commission.
OFFENCES = ("after_refusal", "without_consent")
PENALTY_FEN, DEPOSIT_FEN, COMMISSION_FEN = 200_00, 300_00, 500_00


def columns(row: Any) -> dict[str, Any]:
    """Return a row as a bulk insert takes it."""
    return {column.key: getattr(row, column.key) for column in sa.inspect(type(row)).column_attrs}


def copies(session: Session, row: Any, times: int, /, **changes: Callable[[int], Any]) -> list[int]:
    """Insert so many copies of *row* with *changes* by place, and return their ids."""
    session.flush()
    model, pattern = type(row), columns(row)
    ids = reserve_ids(session, model.__table__, times)
    insert_rows(
        session,
        model.__table__,
        [{**pattern, "id": id_, **{k: of(n) for k, of in changes.items()}} for n, id_ in enumerate(ids)],
    )
    return ids


def _reference(finding_id: int, place: int) -> str:
    return f"KF-{finding_id}-{place:05d}"


def build(session: Session) -> int:
    """Make the parties, each with two final penalties, a deposit and a commission; return the supervisor."""
    charged: Charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party, codes=OFFENCES)
    findings = session.scalars(sa.select(Finding).where(Finding.incident_id == incident.id).order_by(Finding.id)).all()
    parties = copies(session, charged.party, PARTIES, code=lambda n: f"BENCH-{n:05d}", credit_code=lambda _n: None)
    contracts = copies(
        session, charged.contract, PARTIES, number=lambda n: f"BENCH-{n:05d}", party_id=parties.__getitem__
    )
    penalties: list[tuple[int, int]] = []
    for finding in findings:
        finding.held = True
        pattern = make_final_penalty(session, charged=charged, amount_fen=PENALTY_FEN, finding=finding)
        made = copies(
            session,
            pattern,
            PARTIES,
            reference=partial(_reference, finding.id),
            party_id=parties.__getitem__,
            contract_id=contracts.__getitem__,
        )
        penalties += zip(made, parties, strict=True)
    post_all(session, [final_entry(*one) for one in penalties])
    give_means(session, parties, contracts)
    return make_supervisor(session).id


def give_means(session: Session, parties: list[int], contracts: list[int]) -> None:
    """Let every party have a deposit and a commission."""
    now, today = clock.now(), clock.today()
    ids = reserve_ids(session, DepositMovement.__table__, len(parties))
    made = {"made_by": FINANCE, "made_at": now}
    insert_rows(
        session,
        DepositMovement.__table__,
        [
            {
                "id": id_,
                "party_id": party_id,
                "kind": DepositKind.RECEIVED,
                "amount_fen": DEPOSIT_FEN,
                "evidence": f"BANK-{id_}",
                "effective_on": today,
                **made,
            }
            for id_, party_id in zip(ids, parties, strict=True)
        ],
    )
    post_all(
        session,
        [
            entry(f"deposit:received:{n}", "deposit.received", AccountCode.BANK, AccountCode.DEPOSITS_HELD, one)
            for n, one in zip(ids, parties, strict=True)
        ],
    )
    give_commissions(session, parties, contracts)


def give_commissions(session: Session, parties: list[int], contracts: list[int]) -> None:
    """Let every contract earn something this month."""
    month, made = clock.month_of(clock.today()), {"made_by": FINANCE, "made_at": clock.now()}
    insert_rows(
        session,
        CommissionStatement.__table__,
        [
            {
                "contract_id": contract_id,
                "party_id": party_id,
                "month": month,
                "due_fen": COMMISSION_FEN,
                "deducted_fen": 0,
                **made,
            }
            for contract_id, party_id in zip(contracts, parties, strict=True)
        ],
    )


def entry(key: str, event: str, debit: AccountCode, credit: AccountCode, party_id: int) -> EntryDraft:
    """Return a deposit that came in."""
    lines = [(debit, None, DEPOSIT_FEN), (credit, party_id, -DEPOSIT_FEN)]
    return EntryDraft(key=key, event=event, effective_on=clock.today(), lines=lines, actor_id=FINANCE)


def final_entry(penalty_id: int, party_id: int) -> EntryDraft:
    """Return the entry of a penalty that became final."""
    return EntryDraft(
        key=f"penalty:final:{penalty_id}",
        event="penalty.final",
        effective_on=clock.today(),
        lines=[
            (AccountCode.PENALTY_RECEIVABLE, party_id, PENALTY_FEN),
            (AccountCode.PENALTY_INCOME, party_id, -PENALTY_FEN),
        ],
    )


def post_all(session: Session, drafts: list[EntryDraft]) -> None:
    """Post in portions."""
    for portion in slices(drafts):
        post(session, portion)


def decide(database: Database, decision: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Take a decision in a transaction of its own."""
    with database.session(writes=True) as session:
        return decision(session, *arguments, **named)


def settle(database: Database, supervisor_id: int) -> dict[str, float]:
    """Settle the month and return the seconds of each step."""
    month, seconds = clock.month_of(clock.today()), {}
    start = time.perf_counter()
    run = decide(database, propose_run, month, actor_id=FINANCE)
    seconds["computed"] = time.perf_counter() - start
    start = time.perf_counter()
    decide(database, approve_run, run.id, run.content_sha256, actor_id=supervisor_id)
    standing = decide(database, post_next, run.id)
    while standing.done < standing.total:
        standing = decide(database, post_next, run.id)
    seconds["posted"] = time.perf_counter() - start
    start = time.perf_counter()
    with clock.pretending(clock.now() + DAYS_TO_DELIVERY):
        while decide(database, deem_delivered, clock.today()):
            pass
    seconds["notices"] = time.perf_counter() - start
    return seconds


def same_entries(database: Database) -> list[list[EntryDraft]]:
    """Return the entries of the settlement again, with other keys, in portions as large as the job's."""
    with database.session(writes=False) as session:
        rows = session.execute(
            sa.select(
                JournalEntry.idempotency_key, JournalEntry.event, Account.code, Posting.dimension_id, Posting.amount_fen
            )
            .join(Posting, Posting.entry_id == JournalEntry.id)
            .join(Account, Account.id == Posting.account_id)
            .where(JournalEntry.event.like("settlement.%"))
            .order_by(JournalEntry.id, Posting.line)
        ).all()
    lines: dict[tuple[str, str], list[tuple[AccountCode, int | None, int]]] = {}
    for key, event, code, dimension_id, fen in rows:
        lines.setdefault((key, event), []).append((AccountCode(code), (dimension_id or 0) + 10_000_000, fen))
    drafts = [
        EntryDraft(
            key=f"bare:{key}",
            event=event,
            effective_on=clock.today(),
            lines=of_entry,
            actor_id=FINANCE,
            approver_id=1,
            reason="JS202611-01",
        )
        for (key, event), of_entry in lines.items()
    ]
    return [list(portion) for portion in slices(drafts, PARTIES_AT_ONCE)]


def check(database: Database) -> None:
    """Refuse to print figures of a settlement that was not whole."""
    with database.session(writes=False) as session:
        states = set(session.scalars(sa.select(Settlement.state).distinct()))
        waiting = session.scalars(
            sa.select(sa.func.count()).select_from(SettlementLine).where(SettlementLine.collected_fen.is_(None))
        ).one()
        open_fen = session.scalars(
            sa.select(sa.func.sum(Penalty.amount_fen - Penalty.settled_fen)).where(Penalty.reference.like("KF-%-0%"))
        ).one()
        parties = session.scalars(sa.select(sa.func.count(Party.id))).one()
        contracts = session.scalars(sa.select(sa.func.count(Contract.id))).one()
    if states != {SettlementState.POSTED} or parties < PARTIES or contracts < PARTIES:
        raise RuntimeError(f"not settled: {states}, {waiting} lines wait, {open_fen} fen open")


def measure(database: Database) -> None:
    """Print the seconds of one engine and how they compare."""
    supervisor_id = decide(database, build)
    # The rows that the world was made of are no part of anybody's work: no collection looks through them.
    gc.collect()
    gc.freeze()
    seconds = settle(database, supervisor_id)
    check(database)
    portions = same_entries(database)
    start = time.perf_counter()
    post_batches(database, portions)
    bare = time.perf_counter() - start
    steps = "   ".join(f"{name} {value:5.2f} s" for name, value in seconds.items())
    entries, whole = sum(map(len, portions)), sum(seconds.values())
    print(
        f"{database.dialect:10} {PARTIES} parties   {steps}   bare posting of {entries} entries {bare:5.2f} s   "
        f"ratio {whole / bare:.2f}   (without computing {(whole - seconds['computed']) / bare:.2f})"
    )


def main() -> None:
    """Measure both engines."""
    with tempfile.TemporaryDirectory() as folder, opened(clone_sqlite(Path(folder))) as database:
        measure(database)
    with postgresql() as server:
        url = server.url(server.create())
        migrate(url)
        with opened(url) as database:
            measure(database)
    print(f"peak memory {peak_memory_mb()} MB")


if __name__ == "__main__":
    main()
