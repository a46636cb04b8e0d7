"""Late objections and what is said meanwhile: heard only if admitted, lifted by reversal after finality."""

import datetime as dt

import pytest
import time_machine
from sqlalchemy.orm import Session

from supervise.access.models import User
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.admission import admit_late
from supervise.penalties.belonging import NotChargedError
from supervise.penalties.exchange import add_to_objection, ask_party, statements_of
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyState
from supervise.penalties.notice_models import StatementKind
from supervise.penalties.objections import (
    ObjectionOpenError,
    OwnApprovalError,
    decide_objection,
    file_objection,
    withdraw_objection,
)
from supervise.penalties.windows import acknowledge
from tests.factories.ledger import out_of_balance_fen
from tests.factories.penalties import Charged, make_approved_penalty, make_charged_partner, make_supervisor

CONTACT, COLLEAGUE = 931, 932
MONDAY = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)
#: Five working days after the 12th end on the 19th.
LATE = MONDAY + dt.timedelta(days=8)


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session, appeal_days=5)


@pytest.fixture
def penalty(session: Session, charged: Charged) -> Penalty:
    penalty = make_approved_penalty(session, charged=charged)
    acknowledge(session, [penalty.id], own(charged), actor_id=CONTACT)
    return penalty


@pytest.fixture
def judge(session: Session) -> User:
    return make_supervisor(session, username="judge")


def own(charged: Charged) -> Scope:
    return Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({charged.party.id}))


def objection_to(session: Session, penalty: Penalty, charged: Charged) -> Objection:
    return file_objection(session, penalty.id, "该号码当日已退租", own(charged), actor_id=CONTACT)


def finalised(session: Session, at: dt.datetime) -> list[int]:
    return finalise_due(session, at.date())


# Late


def test_a_late_objection_holds_nothing_until_it_is_admitted(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    with time_machine.travel(LATE, tick=False):
        objection = objection_to(session, penalty, charged)
        admit_late(session, objection.id, admitted=True, reason="邮件系统故障", actor_id=judge.id)
        assert finalised(session, LATE) == []

        withdraw_objection(session, objection.id, own(charged), actor_id=CONTACT)
        objection_to(session, penalty, charged)
        assert finalised(session, LATE) == [penalty.id]


def test_a_late_objection_that_is_not_admitted_is_not_decided_nor_made_again(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    with time_machine.travel(LATE, tick=False):
        objection = objection_to(session, penalty, charged)
        admit_late(session, objection.id, admitted=False, reason="无正当理由", actor_id=judge.id)

        with pytest.raises(AlreadyDecidedError):
            decide_objection(session, objection.id, ObjectionState.UPHELD, note="成立", actor_id=judge.id)
        with pytest.raises(ObjectionOpenError):
            objection_to(session, penalty, charged)
    assert objection.state is ObjectionState.NOT_ADMITTED


def test_whoever_approved_does_not_admit_and_nobody_without_a_reason(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    with time_machine.travel(LATE, tick=False):
        objection = objection_to(session, penalty, charged)

        with pytest.raises(OwnApprovalError):
            admit_late(session, objection.id, admitted=True, reason="同意", actor_id=penalty.approver_id or 0)
        with pytest.raises(InvalidInputError):
            admit_late(session, objection.id, admitted=True, reason=" ", actor_id=judge.id)
    assert objection.state is ObjectionState.LATE


def test_a_late_objection_upheld_after_settlement_reverses_and_leaves_a_refund_due(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    with time_machine.travel(LATE, tick=False):
        finalised(session, LATE)
        penalty.settled_fen = 15000  # collected by a settlement run; the books of that are its own
        objection = objection_to(session, penalty, charged)
        admit_late(session, objection.id, admitted=True, reason="邮件系统故障", actor_id=judge.id)

        decide_objection(
            session, objection.id, ObjectionState.REDUCED, note="部分成立", actor_id=judge.id, reduced_fen=12000
        )

    assert (penalty.state, penalty.lifted_fen, penalty.settled_fen, penalty.open_fen) == (
        PenaltyState.FINAL,
        12000,
        8000,
        0,
    )
    assert balance_fen(session, AccountCode.PENALTY_INCOME, charged.party.id) == -8000
    assert balance_fen(session, AccountCode.REFUND_DUE, charged.party.id) == -7000
    assert out_of_balance_fen(session) == 0


# Question and answer, and the second contact


def test_a_question_waits_for_the_party_and_still_holds_finality(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    objection = objection_to(session, penalty, charged)

    ask_party(session, objection.id, "请提供退租凭证", actor_id=judge.id)

    asked = objection.state
    with time_machine.travel(LATE, tick=False):
        assert finalised(session, LATE) == []
        add_to_objection(session, objection.id, "见附件", [], own(charged), actor_id=COLLEAGUE)
    assert (asked, objection.state) == (ObjectionState.INFO_REQUESTED, ObjectionState.OPEN)
    assert [one.kind for one in statements_of(session, [objection.id])[objection.id]] == [
        StatementKind.QUESTION,
        StatementKind.ANSWER,
    ]


def test_a_second_contact_is_told_and_joins_the_first(session: Session, charged: Charged, penalty: Penalty) -> None:
    objection = objection_to(session, penalty, charged)

    with pytest.raises(ObjectionOpenError):
        file_objection(session, penalty.id, "通话时间有误", own(charged), actor_id=COLLEAGUE)
    add_to_objection(session, objection.id, "通话时间有误", [], own(charged), actor_id=COLLEAGUE)

    [added] = statements_of(session, [objection.id])[objection.id]
    assert (added.kind, added.made_by, added.body) == (StatementKind.ADDITION, COLLEAGUE, "通话时间有误")


def test_strangers_and_latecomers_add_nothing(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    objection = objection_to(session, penalty, charged)
    sponsor = Scope(sees_everything=False, unit_ids=frozenset({charged.unit.id}), party_ids=frozenset())

    with pytest.raises(NotFoundError):
        add_to_objection(session, objection.id, "也不服", [], own(make_charged_partner(session)), actor_id=COLLEAGUE)
    with pytest.raises(NotChargedError):
        add_to_objection(session, objection.id, "也不服", [], sponsor, actor_id=COLLEAGUE)
    decide_objection(session, objection.id, ObjectionState.REJECTED, note="不成立", actor_id=judge.id)
    with pytest.raises(AlreadyDecidedError):
        add_to_objection(session, objection.id, "也不服", [], own(charged), actor_id=COLLEAGUE)
