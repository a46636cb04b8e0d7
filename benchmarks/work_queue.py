"""The queue at 200,000 tickets against the app's static page: fifty fixed rows through the same frame and macros.

First page with its figures, filtered, searched and deep pages, each asked for as a browser asks, by a signed-in
triager who sees all and by a clerk of one branch. Aim: within three times the static page.
Run: ``python -m benchmarks.work_queue`` from the checkout.
"""

import datetime as dt
import gc
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Flask, render_template
from flask.testing import FlaskClient
from jinja2 import ChoiceLoader, FileSystemLoader
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.policy import signed_in
from supervise.access.roles import Role
from supervise.app import create_app
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
from supervise.bulk import insert_rows
from supervise.complaints.models import (
    CallerKind,
    Channel,
    Incident,
    IncidentKind,
    IncidentState,
    LinkHow,
    OffenceType,
    Precision,
    Ticket,
    TicketIncident,
    TicketState,
)
from supervise.complaints.search import Searchable, index_tickets
from supervise.complaints.subscribers import number_ids
from supervise.config import Settings
from supervise.contracts.models import ContractDirection
from supervise.db import Database
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.models import Penalty, PenaltyFamily, PenaltyState
from supervise.phone import NumberingPlan
from tests.databases import clone_sqlite, opened, postgres_server
from tests.factories.access import make_user, sign_in
from tests.factories.complaints import KEYRING
from tests.factories.contracts import make_contract, make_rule
from tests.factories.parties import give_scope, make_party, make_unit

TICKETS = 200_000
#: A province's year and a bit: about 500 complaints a day, a tenth still open.
DAYS = 400
OPEN_SHARE, HALF = 0.1, 0.5
#: Of what is decided; the rest is insufficient evidence.
ATTRIBUTED_SHARE = 0.6
BRANCHES, PARTIES, NUMBERS = 21, 300, 20_000
WARM_UP, ROUNDS = 3, 40
STATIC = "/benchmark/static"
_OPEN = (TicketState.NEW, TicketState.ACCEPTED, TicketState.INVESTIGATING, TicketState.REPLIED)
_WORDS = (
    "推销流量套餐",
    "宽带免费提速",
    "冒充客服升级",
    "反复来电骚扰",
    "短信群发广告",
    "要求赔偿道歉",
    "已明确拒绝仍来电",
)
_CHUNK = 20_000


class World(NamedTuple):
    """Rows that the tickets refer to."""

    units: list[OrgUnit]
    parties: list[Party]
    numbers: list[int]
    offence_id: int
    contract_id: int
    rule_id: int


def make_world(session: Session) -> tuple[World, int, int]:
    """Make units, parties, numbers and the two people; return the world and their ids."""
    province = make_unit(session, name="省公司")
    units = [make_unit(session, name=f"{place}号分公司", parent=province) for place in range(BRANCHES)]
    parties = [
        make_party(session, name=f"外呼代理{place}", sponsor=units[place % BRANCHES]) for place in range(PARTIES)
    ]
    contract = make_contract(session, party=parties[0], unit=units[0])
    rule = make_rule(session, contract=contract)
    triager = make_user(session, role=Role.TRIAGER, locale="zh_Hans")
    clerk = make_user(session, role=Role.CLERK, locale="zh_Hans")
    give_scope(session, user_id=clerk.id, unit=units[3])
    numbers = number_ids(session, KEYRING, [f"139{place:08d}" for place in range(NUMBERS)])
    offence_id = session.scalars(sa.select(OffenceType.id).where(OffenceType.code == "after_refusal")).first()
    assert offence_id is not None
    world = World(units, parties, list(numbers.values()), offence_id, contract.id, rule.id)
    return world, triager.id, clerk.id


def fill(session: Session, world: World) -> None:
    """Write the tickets with their calls, verdicts, findings and penalties, a portion at a time."""
    chance = random.Random(20261122)  # noqa: S311 - the same rows every time
    now = clock.now()
    for start in range(1, TICKETS + 1, _CHUNK):
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("t", "i", "l", "a", "v", "c", "f", "p")}
        words: list[Searchable] = []
        for ticket_id in range(start, start + _CHUNK):
            _add(rows, words, world, chance, now, ticket_id)
        for name, model in zip(
            "tilavcfp",
            (Ticket, Incident, TicketIncident, Attribution, IncidentVerdict, VerificationEntry, Finding, Penalty),
            strict=True,
        ):
            insert_rows(session, model.__table__, rows[name])
        index_tickets(session, words)
    if session.get_bind().dialect.name == "postgresql":
        for table in ("ticket", "incident", "ticket_incident", "attribution", "finding", "penalty"):
            session.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {2 * TICKETS})"))


def _add(  # noqa: PLR0917 - rows on their way into tables
    rows: dict[str, list[dict[str, Any]]],
    words: list[Searchable],
    world: World,
    chance: random.Random,
    now: dt.datetime,
    ticket_id: int,
) -> None:
    received = now - dt.timedelta(days=DAYS) * (1 - ticket_id / TICKETS) - dt.timedelta(minutes=5)
    is_open = ticket_id > TICKETS * (1 - 2 * OPEN_SHARE) and chance.random() < HALF
    unit, party = chance.choice(world.units), chance.choice(world.parties)
    number_id, caller = chance.choice(world.numbers), f"025{chance.randrange(60_000_000, 60_002_000)}"
    content = " ".join(chance.sample(_WORDS, 3)) + f" 编号{ticket_id}"
    reference = f"TS{clock.china_day(received):%Y%m%d}-{ticket_id:06d}"
    called = received - dt.timedelta(minutes=chance.randrange(1, 3_000), seconds=ticket_id % 60)
    state = chance.choice(_OPEN) if is_open else TicketState.CLOSED
    replied = received + dt.timedelta(days=1) if state in (TicketState.CLOSED, TicketState.REPLIED) else None
    rows["t"].append(
        {
            "id": ticket_id,
            "reference": reference,
            "channel": chance.choice(list(Channel)),
            "external_ref": f"W{ticket_id:08d}",
            "received_at": received,
            "unit_id": unit.id,
            "number_id": number_id,
            "content": content,
            "sensitive": False,
            "state": state,
            "due_on": clock.china_day(received) + dt.timedelta(days=chance.randrange(5, 20)),
            "due_provisional": False,
            "first_replied_at": replied,
            "resolution_code": "redressed" if replied else None,
            "closed_at": replied if state is TicketState.CLOSED else None,
            "created_by": 1,
            "created_at": received,
            "version": 1,
        }
    )
    is_decided = not is_open or chance.random() < HALF
    is_attributed = is_decided and chance.random() < ATTRIBUTED_SHARE
    rows["i"].append(
        {
            "id": ticket_id,
            "kind": IncidentKind.CALL,
            "number_id": number_id,
            "caller_number": caller,
            "numbering_plan": NumberingPlan.CHINA,
            "occurred_at": called,
            "occurred_on": clock.china_day(called),
            "precision": Precision.MINUTE,
            "answered": True,
            "seconds": 20,
            "caller_kind": CallerKind.HUMAN,
            "flags": [],
            "state": IncidentState.CONFIRMED if is_attributed else IncidentState.REPORTED,
            "unit_id": unit.id,
            "created_at": received,
            "version": 1,
        }
    )
    for incident_id in {ticket_id, max(1, ticket_id - 7) if ticket_id % 10 == 0 else ticket_id}:
        rows["l"].append(
            {
                "ticket_id": ticket_id,
                "incident_id": incident_id,
                "how": LinkHow.REPORTED,
                "linked_by": 1,
                "linked_at": received,
            }
        )
    words.append(Searchable(ticket_id, [reference, f"W{ticket_id:08d}", content, caller]))
    if is_decided:
        _decide(rows, world, ticket_id, unit, party if is_attributed else None, called, received)


def _decide(  # noqa: PLR0917 - rows on their way into tables
    rows: dict[str, list[dict[str, Any]]],
    world: World,
    incident_id: int,
    unit: OrgUnit,
    party: Party | None,
    called: dt.datetime,
    received: dt.datetime,
) -> None:
    verdict = Verdict.ATTRIBUTED if party else Verdict.INSUFFICIENT
    party_id = party.id if party else None
    pointer = {"incident_id": incident_id, "verdict": verdict, "party_id": party_id, "unit_id": unit.id}
    rows["v"].append({**pointer, "attribution_id": incident_id})
    rows["a"].append(
        {
            **pointer,
            "id": incident_id,
            "method": Method.PERSON,
            "chain": [[party_id, None]] if party_id else [],
            "reasons": [],
            "reason": "核查",
            "state": AttributionState.IN_FORCE,
            "decided_by": 1,
            "decided_at": received,
        }
    )
    if party_id is None:
        return
    # A trigger refuses a proven finding that no verification confirms.
    rows["c"].append(
        {
            "incident_id": incident_id,
            "kind": VerificationKind.RECORDING_REVIEW,
            "outcome": VerificationOutcome.CONFIRMED,
            "what": "录音",
            "verified_at": received,
            "entered_at": received,
            "entered_by": 1,
        }
    )
    rows["f"].append(
        {
            "id": incident_id,
            "incident_id": incident_id,
            "attribution_id": incident_id,
            "offence_type_id": world.offence_id,
            "offence_code": "after_refusal",
            "party_id": party_id,
            "state": FindingState.PROVEN,
            "evidence_note": "录音",
            "checklist": {"earlier_refusal": True},
            "found_by": 1,
            "found_at": received,
            "held": True,
            "version": 1,
        }
    )
    rows["p"].append(
        {
            "id": incident_id,
            "reference": f"KF-{incident_id:06d}",
            "finding_id": incident_id,
            "incident_id": incident_id,
            "offence_code": "after_refusal",
            "family": PenaltyFamily.EXTERNAL,
            "party_id": party_id,
            "unit_id": unit.id,
            "contract_id": world.contract_id,
            "rule_version_id": world.rule_id,
            "gross_fen": 20000,
            "capped_fen": 0,
            "lifted_fen": 0,
            "amount_fen": 20000,
            "loss_basis_fen": 0,
            "nature": "damages",
            "direction": ContractDirection.WE_BUY,
            "tax_label": "-",
            "gl_account_code": "-",
            "explanation": {},
            "content_sha256": "-",
            "occurred_on": clock.china_day(called),
            "period": clock.month_of(clock.china_day(called)),
            "state": PenaltyState.FINAL,
            "maker_id": 1,
            "proposed_at": received,
            "approver_id": 2,
            "approved_at": received,
            "finalised_at": received,
            "version": 1,
        }
    )


class Page(NamedTuple):
    """A page to ask for."""

    name: str
    query: str


def pages(url: str) -> Iterator[Page]:
    """Yield the pages; deep ones are found by their place, as one who walked there would have it in the address."""
    with opened(url) as database, database.session(writes=False) as session:
        places = []
        for states, offset in ((_OPEN, 15_000), ((TicketState.CLOSED,), 150_000)):
            query = sa.select(Ticket.due_on, Ticket.id).where(Ticket.state.in_(states))
            row = session.execute(query.order_by(Ticket.due_on, Ticket.id).offset(offset).limit(1)).one()
            places.append(f"{row.due_on}.{row.id}")
        unit_id = session.scalars(sa.select(OrgUnit.id).where(OrgUnit.name == "3号分公司")).one()
        party = session.scalars(sa.select(Party.code).where(Party.name == "外呼代理3")).one()
    yield Page("first page with figures", "")
    yield Page("late", "due=late")
    yield Page("filtered: two states, channel, branch", f"state=new&state=investigating&channel=12345&unit={unit_id}")
    yield Page("filtered: party", f"party={party}")
    yield Page("filtered: without a verdict", "undecided=y")
    yield Page("searched: common word", "q=套餐")
    yield Page("searched: one ticket", "q=W00199000")
    yield Page("searched: closed tickets, common word", "q=套餐&state=closed")
    yield Page("deep: 15,000 open tickets on", f"after={places[0]}")
    yield Page("deep: 150,000 closed tickets on", f"state=closed&after={places[1]}")


def measure(url: str, instance: Path, user_ids: tuple[int, int]) -> list[str]:
    """Return a line for each page, and one for peak memory; run in a process of its own."""
    app = create_app(
        Settings(
            database_url=url,
            instance=instance,
            keyring=KEYRING,
            secret_key="not a secret: benchmarks only, long enough",  # noqa: S106
            demo=False,
            secure_cookies=False,
            anchor_file=instance / "anchors.txt",
        )
    )
    add_static_page(app)
    lines = []
    for name, user_id in zip(("triager, all branches", "clerk, one branch"), user_ids, strict=True):
        client = browser(app, user_id)
        lines.append(f"  {name}")
        for page in pages(url):
            static, asked = p50(client, f"/tickets/?{page.query}")
            lines.append(
                f"    {page.name}: {asked * 1000:.1f} ms, static {static * 1000:.1f}: {asked / static:.2f} times"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines.append(f"  peak memory {peak:.0f} MB")
    return lines


def add_static_page(app: Flask) -> None:
    """Fifty fixed rows through the frame and the macros of the queue, without a question to the database."""
    folder = FileSystemLoader(Path(__file__).parent)
    app.jinja_loader = ChoiceLoader([app.jinja_loader, folder]) if app.jinja_loader else folder

    @app.get(STATIC)
    @signed_in
    def static_page() -> str:
        return render_template("static_page.html", now=clock.now(), state=TicketState.INVESTIGATING)


def browser(app: Flask, user_id: int) -> FlaskClient:
    """Return a signed-in client."""
    client = app.test_client()
    database: Database = app.extensions["supervise.db"]
    with database.session(writes=True) as session:
        user = session.get_one(User, user_id)
        sign_in(session, client, user)
    # As gunicorn.conf.py has every process do once it is loaded.
    gc.collect()
    gc.freeze()
    return client


def p50(client: FlaskClient, address: str) -> tuple[float, float]:
    """Return the medians of the static page and of *address*, asked for in turn: what slows one slows the other."""
    times: dict[str, list[float]] = {STATIC: [], address: []}
    for turn in range(WARM_UP + ROUNDS):
        for one, taken in times.items():
            started = time.perf_counter()
            response = client.get(one)
            if turn >= WARM_UP:
                taken.append(time.perf_counter() - started)
            assert response.status_code == HTTPStatus.OK, (one, response.status_code)
    return statistics.median(times[STATIC]), statistics.median(times[address])


def log_into(path: Path) -> None:
    """Log each request as in production, but not between the figures."""
    sys.stderr = path.open("a", encoding="utf-8")


def compare(name: str, url: str, instance: Path) -> None:
    """Fill a database and print what its pages take."""
    with opened(url) as database:
        with database.session(writes=True) as session:
            world, *user_ids = make_world(session)
            fill(session, world)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # What a running database does by itself soon after.
            connection.exec_driver_sql("ANALYZE" if database.dialect == "sqlite" else "VACUUM ANALYZE")
    with multiprocessing.get_context("spawn").Pool(1, log_into, (instance / "requests.log",)) as pool:
        lines = pool.apply(measure, (url, instance, tuple(user_ids)))
    print(name, *lines, sep="\n", flush=True)


def main() -> None:
    """Measure both engines, SQLite first."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Path(folder)
        compare("SQLite", clone_sqlite(instance), instance)
        with postgres_server() as server:
            name = server.create(server.template())
            compare("PostgreSQL", server.url(name), instance)
            server.drop(name)


if __name__ == "__main__":
    main()
