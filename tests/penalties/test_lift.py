"""Taking amounts off: waivers by two people, and what was collected and then lifted is owed back."""

import datetime as dt
from functools import partial

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding, FindingState
from supervise.desk.consistency import discrepancies
from supervise.errors import InvalidInputError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.drafts import EntryDraft, Line
from supervise.ledger.post import post
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.finalise import finalise_due
from supervise.penalties.lift import NothingToLiftError
from supervise.penalties.models import ObjectionState, Penalty, PenaltyState, WaiverReason
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.reversals import approve_reversal, propose_reversal
from supervise.penalties.waivers import (
    ObjectionFirstError,
    WaiverOpenError,
    approve_waiver,
    propose_waiver,
    reject_waiver,
)
from supervise.penalties.windows import acknowledge
from tests.factories.ledger import make_period
from tests.factories.penalties import Charged, make_approved_penalty, make_charged_partner, make_supervisor

CONTACT, FINANCE, PROPOSER = 931, 941, 951
EVERYTHING = Scope.everything()


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session, appeal_days=5, deemed_days=3)


@pytest.fixture
def penalty(session: Session, charged: Charged) -> Penalty:
    return make_approved_penalty(session, charged=charged)


@pytest.fixture
def final(session: Session, penalty: Penalty) -> Penalty:
    acknowledge(session, [penalty.id], EVERYTHING, actor_id=CONTACT)
    with time_machine.travel(dt.datetime(2026, 12, 2, 2, tzinfo=dt.UTC), tick=False):
        make_period(session)
        finalise_due(session, dt.date(2026, 12, 2))
    return penalty


def collected(session: Session, penalty: Penalty, fen: int) -> None:
    """Cash for a penalty, as a settlement books it."""
    lines = [
        Line(AccountCode.BANK, None, fen),
        Line(AccountCode.PENALTY_RECEIVABLE, penalty.party_id, -fen),
    ]
    post(session, [EntryDraft(key="test:cash", event="test.cash", effective_on=dt.date(2026, 10, 12), lines=lines)])
    penalty.settled_fen += fen
    session.flush()


def waived(session: Session, penalty: Penalty, amount_fen: int | None) -> None:
    waiver = propose_waiver(
        session,
        penalty.id,
        amount_fen=amount_fen,
        because=WaiverReason.OVER_LOSS,
        reason="损失仅50元",
        actor_id=PROPOSER,
    )
    approve_waiver(session, waiver.id, actor_id=make_supervisor(session).id)


def test_what_is_reversed_after_it_was_collected_is_owed_back_to_the_party(
    session: Session, charged: Charged, final: Penalty
) -> None:
    collected(session, final, 15000)
    request = propose_reversal(session, final.id, amount_fen=12000, reason="判决", actor_id=FINANCE)

    approve_reversal(session, request.id, actor_id=make_supervisor(session).id)

    # 5,000 were still open; 7,000 of what was collected go back.
    assert (final.lifted_fen, final.settled_fen, final.open_fen) == (12000, 8000, 0)
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 0
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == -7000
    assert balance_fen(session, AccountCode.PENALTY_INCOME, charged.party.id) == -8000


def test_a_waiver_before_finality_takes_the_money_off_and_leaves_the_offence(
    session: Session, charged: Charged, penalty: Penalty
) -> None:
    waived(session, penalty, 15000)

    assert (penalty.state, penalty.open_fen) == (PenaltyState.APPROVED, 5000)
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 5000
    waived(session, penalty, None)
    assert (penalty.state, penalty.open_fen) == (PenaltyState.APPROVED, 0)
    finding = session.get_one(Finding, penalty.finding_id)
    assert (finding.state, finding.held) == (FindingState.PROVEN, True)
    assert discrepancies(session) == []


def test_a_final_penalty_is_waived_out_of_the_income(session: Session, charged: Charged, final: Penalty) -> None:
    waived(session, final, None)

    assert (final.state, final.open_fen) == (PenaltyState.FINAL, 0)
    assert balance_fen(session, AccountCode.PENALTY_INCOME, charged.party.id) == 0


def test_nobody_waives_alone_nor_more_than_is_left(session: Session, penalty: Penalty) -> None:
    supervisor = make_supervisor(session)
    ask = partial(
        propose_waiver, session, penalty.id, because=WaiverReason.OTHER, reason="协商", actor_id=supervisor.id
    )
    with pytest.raises(InvalidInputError):
        ask(amount_fen=20001)
    waiver = ask(amount_fen=None)

    with pytest.raises(SamePersonError):
        approve_waiver(session, waiver.id, actor_id=supervisor.id)
    with pytest.raises(WaiverOpenError):
        ask(amount_fen=100)
    reject_waiver(session, waiver.id, "无依据", actor_id=PROPOSER)
    assert penalty.open_fen == 20000


def test_an_objection_is_heard_before_anything_is_waived(session: Session, penalty: Penalty) -> None:
    objection = file_objection(session, penalty.id, "不是我们", EVERYTHING, actor_id=CONTACT)

    with pytest.raises(ObjectionFirstError):
        waived(session, penalty, None)

    judge = make_supervisor(session, username="judge")
    decide_objection(session, objection.id, ObjectionState.UPHELD, note="查实", actor_id=judge.id)
    with pytest.raises(NothingToLiftError):
        waived(session, penalty, None)
