"""Twenty thousand penalties proposed, approved and posted in one batch, against bare inserts of the very same rows.

Whole: the decisions as a person takes them (loading facts, pricing with tiers, caps and shares, checking again,
posting, notices, audit). Bare: batch inserts of SQLAlchemy Core into a database whose triggers, CHECKs and foreign
keys were dropped; indexes stay. Aim: at least 0.35 of their speed.
Peers get the same entries, of two lines each, by their own calls in one database transaction, on the same server:
django-hordak (installed into a folder of its own for the run) and pgledger, where ``PGLEDGER_SQL`` names its file.
Aim: at least three times their speed, though they price nothing. What our ledger takes for the same entries alone,
checked, hashed and idempotent as in the decisions, is printed beside it.
Run: ``python -m benchmarks.approval`` from the checkout.
"""

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.ledger import peak_memory_mb, postgresql
from supervise import clock
from supervise.attribution.models import (
    Attribution,
    AttributionState,
    Finding,
    FindingState,
    IncidentVerdict,
    Method,
    Verdict,
)
from supervise.attribution.proof_models import VerificationEntry, VerificationKind, VerificationOutcome
from supervise.bulk import insert_rows, slices
from supervise.complaints.models import (
    CallerKind,
    Channel,
    Incident,
    IncidentKind,
    IncidentState,
    OffenceType,
    Precision,
    Ticket,
    TicketState,
)
from supervise.complaints.subscribers import number_ids
from supervise.db import Base, Database
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.approve import Shown, approve
from supervise.penalties.models import Penalty
from supervise.penalties.propose import propose_penalties
from supervise.phone import NumberingPlan
from tests.databases import clone_sqlite, migrate, opened
from tests.factories.complaints import KEYRING
from tests.factories.contracts import make_contract, make_rule
from tests.factories.ledger import make_period
from tests.factories.parties import make_party, make_unit
from tests.factories.penalties import make_supervisor

LINES = 20_000
PARTIES = 300
#: Entries that the peers make: their time for each does not depend on how many there are.
OF_PEERS = 2_000
#: Tables whose rows a batch writes; a row that was there before is not counted.
WRITTEN = ("penalty", "penalty_step", "notice", "notice_line", "journal_entry", "posting", "audit_event")
MAKER = 7
RULE = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [
            {"from_count": 1, "amount_fen": 20000},
            {"from_count": 20, "amount_fen": 30000},
            {"from_count": 40, "amount_fen": 50000},
        ],
    },
    "caps": [{"per": "month", "limit_fen": 100_000_000}, {"per": "day", "limit_fen": 10_000_000}],
}


class World(NamedTuple):
    """Who is charged, for what."""

    parties: list[Party]
    unit: OrgUnit
    numbers: list[int]
    offence_id: int


def make_world(session: Session) -> World:
    """Make the partners with a contract and a rule each, and the numbers that they called."""
    make_period(session)
    unit = make_unit(session)
    parties = [make_party(session, name=f"外呼代理{place}", sponsor=unit) for place in range(PARTIES)]
    for party in parties:
        make_rule(session, contract=make_contract(session, party=party, unit=unit), parameters=RULE)
    numbers = number_ids(session, KEYRING, [f"139{place:08d}" for place in range(5_000)])
    offence_id = session.scalars(sa.select(OffenceType.id).where(OffenceType.code == "after_refusal")).first()
    assert offence_id is not None
    return World(parties, unit, list(numbers.values()), offence_id)


def prove(session: Session, world: World, count: int = LINES) -> None:
    """Write incidents that somebody reported, with their verdict, verification and proven finding."""
    begun = clock.now() - dt.timedelta(days=40)
    rows: dict[type[Base], list[dict[str, Any]]] = {
        model: [] for model in (Ticket, Incident, Attribution, IncidentVerdict, VerificationEntry, Finding)
    }
    for number in range(1, count + 1):
        called = begun + dt.timedelta(minutes=number % 40_000, seconds=number % 60)
        for model, row in _rows(world, number, called):
            rows[model].append(row)
    for model, made in rows.items():
        for part in slices(made, 20_000):
            insert_rows(session, model.__table__, part)


def _rows(world: World, number: int, called: dt.datetime) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    party = world.parties[number % PARTIES]
    received = called + dt.timedelta(hours=1)
    common = {"unit_id": world.unit.id, "number_id": world.numbers[number % len(world.numbers)], "version": 1}
    pointer = {
        "incident_id": number,
        "verdict": Verdict.ATTRIBUTED,
        "party_id": party.id,
        "unit_id": world.unit.id,
    }
    yield (
        Ticket,
        {
            **common,
            "id": number,
            "reference": f"TS-{number:06d}",
            "channel": Channel.REPORT_12321,
            "external_ref": f"W{number:08d}",
            "received_at": received,
            "content": "推销套餐",
            "sensitive": False,
            "state": TicketState.INVESTIGATING,
            "due_on": clock.china_day(received),
            "due_provisional": False,
            "created_by": 1,
            "created_at": received,
        },
    )
    yield (
        Incident,
        {
            **common,
            "id": number,
            "kind": IncidentKind.CALL,
            "caller_number": f"025{60_000_000 + number}",
            "numbering_plan": NumberingPlan.CHINA,
            "occurred_at": called,
            "occurred_on": clock.china_day(called),
            "precision": Precision.SECOND,
            "answered": True,
            "seconds": 20,
            "caller_kind": CallerKind.HUMAN,
            "flags": [],
            "state": IncidentState.CONFIRMED,
            "created_at": received,
        },
    )
    yield (
        Attribution,
        {
            **pointer,
            "id": number,
            "method": Method.PERSON,
            "chain": [[party.id, None]],
            "reasons": [],
            "reason": "核查",
            "state": AttributionState.IN_FORCE,
            "decided_by": 1,
            "decided_at": received,
        },
    )
    yield IncidentVerdict, {**pointer, "attribution_id": number}
    yield (
        VerificationEntry,
        {
            "incident_id": number,
            "kind": VerificationKind.RECORDING_REVIEW,
            "outcome": VerificationOutcome.CONFIRMED,
            "what": "录音",
            "verified_at": received,
            "entered_at": received,
            "entered_by": 1,
        },
    )
    yield (
        Finding,
        {
            "id": number,
            "incident_id": number,
            "attribution_id": number,
            "offence_type_id": world.offence_id,
            "offence_code": "after_refusal",
            "party_id": party.id,
            "state": FindingState.PROVEN,
            "evidence_note": "录音",
            "checklist": {"earlier_refusal": True},
            "found_by": 1,
            "found_at": received,
            "held": False,
            "version": 1,
        },
    )


def seconds(work: Callable[[], Any]) -> float:
    """Return how long *work* takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def propose_all(database: Database) -> None:
    """Propose every penalty in one decision."""
    with database.session(writes=True) as session:
        results = propose_penalties(session, range(1, LINES + 1), actor_id=MAKER)
    refused = [result.refusal for result in results if result.refusal is not None]
    assert not refused, str(refused[0])


def approve_all(database: Database, approver_id: int) -> None:
    """Approve and post every penalty in one decision."""
    with database.session(writes=True) as session:
        query = sa.select(Penalty.id, Penalty.content_sha256).join(Incident, Incident.id == Penalty.incident_id)
        shown = [Shown(*row) for row in session.execute(query.order_by(Incident.occurred_at, Penalty.id))]
        results = approve(session, shown, actor_id=approver_id)
    refused = [result.refusal for result in results if result.refusal is not None]
    assert not refused, str(refused[0])


def rows_of(database: Database) -> dict[sa.Table, list[dict[str, Any]]]:
    """Return the rows that the batch wrote, as Core takes them."""
    with database.engine.connect() as connection:
        tables = [Base.metadata.tables[name] for name in WRITTEN if name in Base.metadata.tables]
        return {table: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables}


def strip(database: Database) -> None:
    """Take every trigger, CHECK and foreign key off the tables that the batch writes; keys and indexes stay."""
    names = "(" + ", ".join(f"'{name}'" for name in WRITTEN) + ")"
    if database.dialect == "sqlite":
        sa.event.listen(database.engine, "connect", _switch_checks_off)
        triggers = f"SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN {names}"
    else:
        triggers = (
            "SELECT 'DROP TRIGGER ' || tgname || ' ON ' || tgrelid::regclass FROM pg_trigger "
            f"WHERE NOT tgisinternal AND tgrelid::regclass::text IN {names} UNION ALL "
            "SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || conname || ' CASCADE' "
            f"FROM pg_constraint WHERE contype IN ('c', 'f') AND conrelid::regclass::text IN {names} ORDER BY 1"
        )
    with database.engine.begin() as connection:
        for drop in connection.exec_driver_sql(triggers).scalars().all():
            connection.exec_driver_sql(drop)


def _switch_checks_off(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = 0")
    connection.execute("PRAGMA ignore_check_constraints = 1")


def insert_bare(database: Database, rows: dict[sa.Table, list[dict[str, Any]]]) -> None:
    """Insert the rows, table by table, and hold the findings, in two transactions as the decisions do."""
    proposed = {"penalty"}
    for first in (True, False):
        with database.session(writes=True) as session:
            for table, made in rows.items():
                if made and (table.name in proposed) is first:
                    session.connection().execute(sa.insert(table), made)
            if not first:
                session.connection().execute(sa.update(Finding).values(held=True))


def measure(database: Database, bare: Database) -> float:
    """Print what one engine takes, and return the seconds of the whole."""
    with database.session(writes=True) as session:
        prove(session, make_world(session))
        approver_id = make_supervisor(session).id
    with bare.session(writes=True) as session:
        prove(session, make_world(session))
    strip(bare)
    _analyze(database)
    proposing = seconds(lambda: propose_all(database))
    approving = seconds(lambda: approve_all(database, approver_id))
    rows = rows_of(database)
    inserting = seconds(lambda: insert_bare(bare, rows))
    whole = proposing + approving
    print(
        f"{database.dialect:10} {LINES} lines: proposed in {proposing:.1f} s, approved and posted in {approving:.1f} s "
        f"({LINES / whole:.0f}/s); bare inserts of {sum(map(len, rows.values()))} rows {inserting:.1f} s: "
        f"{inserting / whole:.2f} of their speed",
        flush=True,
    )
    return whole


def _analyze(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Only what holds rows: plans that were made for an empty ledger would scan it whole, as no running one does.
        for table in ("ticket", "incident", "attribution", "incident_verdict", "verification_entry", "finding"):
            connection.exec_driver_sql(
                f"ANALYZE {table}" if database.dialect == "sqlite" else f"VACUUM ANALYZE {table}"
            )


# The peers

HORDAK = """
import json, sys, time
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **json.loads(sys.argv[1])}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SECRET_KEY="benchmark",
    CURRENCIES=["CNY"], DEFAULT_CURRENCY="CNY", HORDAK_INTERNAL_CURRENCY="CNY", HORDAK_CURRENCIES=["CNY"],
    HORDAK_DECIMAL_PLACES=2,
)
django.setup()
from django.core.management import call_command
from django.db import transaction
from hordak.models import Account, AccountType
from moneyed import Money
call_command("migrate", verbosity=0)
count = int(sys.argv[2])
pairs = [
    (
        Account.objects.create(name=f"receivable {n}", code=f"1{n:04d}", type=AccountType.asset, currencies=["CNY"]),
        Account.objects.create(name=f"deferred {n}", code=f"2{n:04d}", type=AccountType.liability, currencies=["CNY"]),
    )
    for n in range(300)
]
started = time.perf_counter()
with transaction.atomic():
    for n in range(count):
        receivable, deferred = pairs[n % 300]
        receivable.transfer_to(deferred, Money(200 + n, "CNY"))
print(time.perf_counter() - started)
"""


def hordak(server_uri: str, folder: Path) -> float:
    """Return the seconds that django-hordak needs for each entry."""
    packages = folder / "hordak"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), "django-hordak", "psycopg"]
    subprocess.run(install, check=True)  # noqa: S603 - our own command
    info = psycopg.conninfo.conninfo_to_dict(server_uri)
    target = {
        "NAME": info["dbname"],
        "USER": info["user"],
        "HOST": info["host"],
        "PORT": str(info.get("port", "")),
        "PASSWORD": info.get("password", ""),
    }
    run = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", HORDAK, json.dumps(target), str(OF_PEERS)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(packages)},
    )
    return float(run.stdout.strip().splitlines()[-1]) / OF_PEERS


def pgledger(connection: psycopg.Connection[Any], path: Path) -> dict[str, float]:
    """Return the seconds that pgledger needs for each transfer, by one call for each and by one call for all."""
    # Its ids are ULIDs from another file; plain text costs it less.
    connection.execute("CREATE FUNCTION uuid_to_ulid(id uuid) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT id::text'")
    connection.execute(path.read_bytes())
    accounts = [[_account(connection, f"{name} {n}") for name in ("receivable", "deferred")] for n in range(PARTIES)]
    transfers = [(*accounts[n % PARTIES], 200 + n) for n in range(OF_PEERS)]
    connection.commit()
    call = b"SELECT count(*) FROM pgledger_create_transfers(ARRAY[(%s, %s, %s)::transfer_request])"
    one_by_one = seconds(lambda: _committed(connection, [(call, transfer) for transfer in transfers]))
    requests = ", ".join(f"('{one}', '{other}', {amount})::transfer_request" for one, other, amount in transfers)
    whole = f"SELECT count(*) FROM pgledger_create_transfers(ARRAY[{requests}])".encode()
    together = seconds(lambda: _committed(connection, [(whole, None)]))
    return {"pgledger, call by call": one_by_one / OF_PEERS, "pgledger, one call": together / OF_PEERS}


def post_alone(url: str) -> float:
    """Return the seconds that our ledger needs for each of the same entries, posted in one call."""
    with opened(url) as database:
        with database.session(writes=True) as session:
            world = make_world(session)
            party_ids = [party.id for party in world.parties]
        drafts = [_draft(number, party_ids[number % PARTIES]) for number in range(LINES)]

        def posted() -> None:
            with database.session(writes=True) as session:
                post(session, drafts)

        return seconds(posted) / LINES


def _draft(number: int, party_id: int) -> EntryDraft:
    return EntryDraft(
        key=f"penalty:approved:{number}",
        event="penalty.approved",
        effective_on=clock.today(),
        lines=[
            Line(AccountCode.PENALTY_CONTESTABLE, party_id, 200 + number),
            Line(AccountCode.PENALTY_DEFERRED, party_id, -200 - number),
        ],
        actor_id=MAKER,
        approver_id=1,
    )


def _committed(connection: psycopg.Connection[Any], calls: Sequence[tuple[bytes, Any]]) -> None:
    for call, values in calls:
        connection.execute(call, values)
    connection.commit()


def _account(connection: psycopg.Connection[Any], name: str) -> str:
    [account_id] = connection.execute("SELECT id FROM pgledger_create_account(%s, 'CNY')", [name]).fetchone() or [""]
    return str(account_id)


def against_peers(server: Any, whole: float, folder: Path) -> None:
    """Print how the whole decision compares with the peers' entries alone."""
    path = os.environ.get("PGLEDGER_SQL")
    peers: dict[str, float] = {"django-hordak": hordak(_plain(server.url(server.create())), folder)}
    if path:
        with psycopg.connect(_plain(server.url(server.create()))) as connection:
            peers |= pgledger(connection, Path(path))
    else:
        print("pgledger   not measured: set PGLEDGER_SQL to its pgledger.sql")
    url = server.url(server.create())
    migrate(url)
    alone = post_alone(url)
    print(f"our ledger alone       {1 / alone:.0f} entries/s", flush=True)
    for name, each in peers.items():
        print(
            f"{name:22} {1 / each:.0f} entries/s: the whole decision {each * LINES / whole:.1f} times as fast, "
            f"our ledger alone {each / alone:.1f} times",
            flush=True,
        )


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def run(urls: Sequence[str]) -> float:
    """Measure one engine on two databases."""
    with opened(urls[0]) as database, opened(urls[1]) as bare:
        return measure(database, bare)


def main() -> None:
    """Measure both engines, then the peers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run([clone_sqlite(folder), clone_sqlite(folder)])
        with postgresql() as server:
            urls = [server.url(server.create()) for _ in range(2)]
            for url in urls:
                migrate(url)
            whole = run(urls)
            against_peers(server, whole, folder)
    print(f"peak memory {peak_memory_mb()} MB")


if __name__ == "__main__":
    main()
