"""Two people at once, through the pages: the month that closes, the rule that two activate, the file that two upload."""

import datetime as dt
import io
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from supervise import db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.complaints.models import Incident, Ticket
from supervise.complaints.profiles import profiles_in_use
from supervise.contracts.models import RuleState, RuleVersion
from supervise.contracts.rule_versions import draft_rule
from supervise.contracts.rule_versions import shown as shown_of
from supervise.files.models import BatchState, ImportBatch
from supervise.ledger.models import JournalEntry, Period, PeriodState
from supervise.ledger.periods import open_period
from supervise.ledger.verify import verify
from supervise.penalties.models import Penalty, PenaltyState
from tests.factories.access import make_user, sign_in
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import CALLED_AT
from tests.factories.contracts import rule_draft
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import MAKER, make_charged_partner, propose

#: Half a second before December begins in China.
LAST_MOMENT = dt.datetime(2026, 11, 30, 15, 59, 59, 500_000, tzinfo=dt.UTC)
DECEMBER = dt.datetime(2026, 11, 30, 16, tzinfo=dt.UTC)
APPROVERS = 6
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _no_csrf(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False


def browsers(app: Flask, *names: str, role: Role) -> list[FlaskClient]:
    """A browser for each of these colleagues, signed in."""
    clients = []
    for name in names:
        client = app.test_client()
        with app.app_context(), db.writing() as session:
            known = session.scalars(sa.select(User).where(User.username == name)).one_or_none()
            sign_in(session, client, known or make_user(session, username=name, role=role))
        clients.append(client)
    return clients


def at_once(*acts: Callable[[], TestResponse]) -> list[TestResponse]:
    """Do all of it at the same moment; the answers in the order of the acts."""
    barrier, answers = threading.Barrier(len(acts)), {}

    def run(place: int, act: Callable[[], TestResponse]) -> None:
        barrier.wait()
        answers[place] = act()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[place] for place in range(len(acts))]


def statuses(answers: Sequence[TestResponse]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def made(app: Flask, make: Callable[[Session], T]) -> T:
    with app.app_context(), db.writing() as session:
        return make(session)


def test_a_month_that_two_close_is_closed_once_while_others_post_into_it(app: Flask) -> None:
    with time_machine.travel(LAST_MOMENT - dt.timedelta(days=10), tick=True):
        shown = made(app, _six_proposals)
    with time_machine.travel(LAST_MOMENT, tick=True):
        approvers = browsers(app, *(f"approver{n}" for n in range(APPROVERS)), role=Role.SUPERVISOR)
        closers = browsers(app, "finance", "finance2", role=Role.FINANCE)

    def approve(client: FlaskClient, line: str) -> TestResponse:
        return client.post("/approvals/penalties", data={"picked": line, "action": "approve"})

    def close(client: FlaskClient) -> TestResponse:
        # Tried again until an attempt has begun in December: that one's answer counts.
        while True:
            is_over = dt.datetime.now(dt.UTC) >= DECEMBER
            answer = client.post("/ledger/periods/2026-11/close", data={"seen": "y"})
            if is_over or answer.status_code != 409:
                return answer

    with time_machine.travel(LAST_MOMENT, tick=True):
        answers = at_once(
            *(
                lambda client=client, line=line: approve(client, line)
                for client, line in zip(approvers, shown, strict=True)
            ),
            *(lambda client=client: close(client) for client in closers),
        )

    assert statuses(answers[:APPROVERS]) == [200] * APPROVERS
    assert statuses(answers[APPROVERS:]) == [303, 409]
    keyring = app.extensions["supervise.settings"].keyring
    with app.app_context(), db.reading() as session:
        assert session.get_one(Period, "2026-11").state is PeriodState.CLOSED
        approved = session.scalars(sa.select(Penalty.id).where(Penalty.state == PenaltyState.APPROVED)).all()
        entries = session.scalars(sa.select(JournalEntry)).all()
        # Whatever came before the closing is in November, whatever came after in December, and each just once.
        assert sorted(entry.idempotency_key for entry in entries) == sorted(
            f"penalty:approved:{id_}" for id_ in approved
        )
        assert len(approved) == APPROVERS
        assert out_of_balance_fen(session) == 0
        assert verify(session, keyring).holds


def _six_proposals(session: Session) -> list[str]:
    charged = make_charged_partner(session)
    if session.get(Period, "2026-11") is None:
        open_period(session, "2026-11", actor_id=None)
    open_period(session, "2026-12", actor_id=None)
    times = [CALLED_AT + dt.timedelta(hours=hour) for hour in range(APPROVERS)]
    penalties = propose(session, *(make_proven_incident(session, party=charged.party, occurred_at=at) for at in times))
    return [f"{penalty.id}:{penalty.content_sha256}" for penalty in penalties]


def test_a_rule_that_two_put_into_force_is_put_into_force_once(app: Flask) -> None:
    def draft(session: Session) -> tuple[int, str]:
        charged = make_charged_partner(session)
        today = dt.date(2030, 1, 1)
        rule = draft_rule(
            session, charged.contract.id, rule_draft(code=charged.rule.code, valid_from=today), actor_id=MAKER
        )
        return rule.id, shown_of(rule)

    rule_id, shown = made(app, draft)
    clients = browsers(app, "supervisor", "supervisor2", "supervisor3", role=Role.SUPERVISOR)

    answers = at_once(
        *(
            lambda client=client: client.post(f"/contracts/rules/{rule_id}/activate", data={"shown_sha256": shown})
            for client in clients
        )
    )

    assert statuses(answers) == [303, 409, 409]
    with app.app_context(), db.reading() as session:
        rule = session.get_one(RuleVersion, rule_id)
        assert rule.state is RuleState.ACTIVE
        before = session.scalars(sa.select(RuleVersion).where(RuleVersion.id != rule_id)).one()
        assert before.valid_to == rule.valid_from
        events = sa.select(sa.func.count(AuditEvent.id)).where(
            AuditEvent.action == "rule.activated", AuditEvent.subject_id == str(rule_id)
        )
        assert session.scalar(events) == 1


def test_two_rivals_for_one_price_are_not_both_put_into_force(app: Flask) -> None:
    def rivals(session: Session) -> list[tuple[int, str]]:
        charged = make_charged_partner(session)
        drafts = [
            draft_rule(
                session,
                charged.contract.id,
                rule_draft(code=f"RIVAL-{name}", offence_code="after_refusal", valid_from=dt.date(2030, 1, 1)),
                actor_id=MAKER,
            )
            for name in ("A", "B")
        ]
        return [(rule.id, shown_of(rule)) for rule in drafts]

    drafts = made(app, rivals)
    clients = browsers(app, "supervisor", "supervisor2", role=Role.SUPERVISOR)

    answers = at_once(
        *(
            lambda client=client, rule=rule: client.post(
                f"/contracts/rules/{rule[0]}/activate", data={"shown_sha256": rule[1]}
            )
            for client, rule in zip(clients, drafts, strict=True)
        )
    )

    assert statuses(answers) == [303, 409]
    with app.app_context(), db.reading() as session:
        active = sa.select(sa.func.count(RuleVersion.id)).where(
            RuleVersion.code.startswith("RIVAL-"), RuleVersion.state == RuleState.ACTIVE
        )
        assert session.scalar(active) == 1


def test_a_file_that_two_upload_and_take_over_at_once_makes_each_ticket_once(app: Flask) -> None:
    with app.app_context(), db.reading() as session:
        profile = next(one for one in profiles_in_use(session) if one.code == "12321")
    lines = ["转办编号,转办日期,举报人号码,被举报号码,来电时间,举报描述"]
    lines += [
        f"T{n:03d},2026-09-29 11:00:00,1390000{n:04d},0298888{n:04d},2026-09-29 10:{n:02d}:00,推销" for n in range(40)
    ]
    content = "\n".join(lines).encode("utf-8-sig")
    clients = browsers(app, "triager", "triager2", role=Role.TRIAGER)

    def upload(client: FlaskClient, name: str) -> TestResponse:
        data = {"file": (io.BytesIO(content), name), "profile": str(profile.id)}
        return client.post("/imports/new?kind=complaints", data=data)

    uploaded = at_once(
        *(
            lambda client=client, name=name: upload(client, name)
            for client, name in zip(clients, ("a.csv", "b.csv"), strict=True)
        )
    )
    assert statuses(uploaded) == [303, 303]
    taken = at_once(
        *(
            lambda client=client, answer=answer: client.post(f"{answer.location}/take-over")
            for client, answer in zip(clients, uploaded, strict=True)
        )
    )

    assert all(answer.status_code in {303, 409} for answer in taken)
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Ticket.id))) == 40
        assert session.scalar(sa.select(sa.func.count(Incident.id))) == 40
        batches = session.scalars(sa.select(ImportBatch).order_by(ImportBatch.id)).all()
        assert len({batch.upload_id for batch in batches}) in {1, 2}
        assert BatchState.COMMITTED in {batch.state for batch in batches}
