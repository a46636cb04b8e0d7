"""Windows and objections: when they start and end, who objects, who decides, what is posted."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.access.models import User
from supervise.attribution.models import Finding, FindingState
from supervise.complaints.models import DayType
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.belonging import OwnUnitError
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyState, WindowStart
from supervise.penalties.objections import (
    ObjectionOpenError,
    OwnApprovalError,
    decide_objection,
    file_objection,
    withdraw_objection,
)
from supervise.penalties.queries import open_objections
from supervise.penalties.windows import NotContestableError, acknowledge, open_by_charged_party
from tests.factories.attribution import make_proven_incident
from tests.factories.ledger import out_of_balance_fen
from tests.factories.parties import give_scope
from tests.factories.penalties import (
    Charged,
    approve_all,
    make_approved_penalty,
    make_charged_branch,
    make_charged_partner,
    make_supervisor,
    propose,
)

CONTACT = 931
#: A Monday, ten in the morning in China.
MONDAY = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session, appeal_days=5)


@pytest.fixture
def penalty(session: Session, charged: Charged) -> Penalty:
    return make_approved_penalty(session, charged=charged)


@pytest.fixture
def judge(session: Session) -> User:
    return make_supervisor(session, username="judge")


def own(charged: Charged) -> Scope:
    return Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({charged.party.id}))


def objection_to(session: Session, penalty: Penalty, charged: Charged) -> Objection:
    return file_objection(session, penalty.id, "该号码当日已退租", own(charged), actor_id=CONTACT)


# Windows


def test_the_first_look_of_the_charged_party_starts_the_window(
    session: Session, charged: Charged, penalty: Penalty
) -> None:
    assert open_by_charged_party(session, [penalty.id], own(charged), actor_id=CONTACT) == [penalty.id]

    assert (penalty.window_start, penalty.window_started_at) == (WindowStart.OPENED, MONDAY)
    assert penalty.objection_until_on == dt.date(2026, 10, 19)  # five working days after the 12th


def test_looking_again_moves_nothing(session: Session, charged: Charged, penalty: Penalty) -> None:
    open_by_charged_party(session, [penalty.id], own(charged), actor_id=CONTACT)

    with time_machine.travel(MONDAY + dt.timedelta(days=2), tick=False):
        assert open_by_charged_party(session, [penalty.id], own(charged), actor_id=CONTACT) == []

    assert penalty.objection_until_on == dt.date(2026, 10, 19)


def test_an_acknowledgement_starts_the_window_too(session: Session, charged: Charged, penalty: Penalty) -> None:
    [result] = acknowledge(session, [penalty.id], own(charged), actor_id=CONTACT)

    assert result.refusal is None
    assert penalty.window_start is WindowStart.ACKNOWLEDGED


def test_calendar_days_are_counted_where_the_contract_says_so(session: Session) -> None:
    charged = make_charged_partner(session, appeal_days=5, appeal_day_type=DayType.NATURAL)
    penalty = make_approved_penalty(session, charged=charged)

    acknowledge(session, [penalty.id], own(charged), actor_id=CONTACT)

    assert penalty.objection_until_on == dt.date(2026, 10, 17)


def test_another_partys_penalty_is_neither_opened_nor_acknowledged(session: Session, penalty: Penalty) -> None:
    stranger = own(make_charged_partner(session))

    assert open_by_charged_party(session, [penalty.id], stranger, actor_id=CONTACT) == []
    [result] = acknowledge(session, [penalty.id], stranger, actor_id=CONTACT)

    assert isinstance(result.refusal, NotFoundError)
    assert penalty.window_start is None


def test_a_proposal_is_not_to_be_acknowledged(session: Session, charged: Charged) -> None:
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))

    [result] = acknowledge(session, [penalty.id], own(charged), actor_id=CONTACT)

    assert isinstance(result.refusal, NotContestableError)


# Filing


def test_an_objection_starts_the_window_and_waits_for_a_supervisor(
    session: Session, charged: Charged, penalty: Penalty
) -> None:
    objection = objection_to(session, penalty, charged)

    assert objection.state is ObjectionState.OPEN
    assert penalty.window_start is WindowStart.OPENED
    assert [row.objection_id for row in open_objections(session, Scope.everything())] == [objection.id]
    assert open_objections(session, own(make_charged_partner(session))) == []


@pytest.mark.parametrize(("days", "state"), [(7, ObjectionState.OPEN), (8, ObjectionState.LATE)])
def test_the_last_day_is_in_time_and_the_next_is_not(
    session: Session, charged: Charged, penalty: Penalty, days: int, state: ObjectionState
) -> None:
    acknowledge(session, [penalty.id], own(charged), actor_id=CONTACT)

    with time_machine.travel(MONDAY + dt.timedelta(days=days), tick=False):
        assert objection_to(session, penalty, charged).state is state


def test_one_objection_at_a_time(session: Session, charged: Charged, penalty: Penalty) -> None:
    objection_to(session, penalty, charged)

    with pytest.raises(ObjectionOpenError):
        objection_to(session, penalty, charged)


def test_an_objection_needs_words_and_a_penalty_in_scope(session: Session, charged: Charged, penalty: Penalty) -> None:
    with pytest.raises(InvalidInputError):
        file_objection(session, penalty.id, "  ", own(charged), actor_id=CONTACT)
    with pytest.raises(NotFoundError):
        file_objection(session, penalty.id, "不是我们", own(make_charged_partner(session)), actor_id=CONTACT)
    with pytest.raises(NotFoundError):
        file_objection(session, 999_999, "不是我们", own(charged), actor_id=CONTACT)


def test_a_withdrawn_objection_may_be_made_again(session: Session, charged: Charged, penalty: Penalty) -> None:
    objection = objection_to(session, penalty, charged)

    withdraw_objection(session, objection.id, own(charged), actor_id=CONTACT)

    assert objection.state is ObjectionState.WITHDRAWN
    with pytest.raises(AlreadyDecidedError):
        withdraw_objection(session, objection.id, own(charged), actor_id=CONTACT)
    assert objection_to(session, penalty, charged).state is ObjectionState.OPEN


# Deciding


def test_an_upheld_objection_voids_the_penalty_and_its_posting(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    objection = objection_to(session, penalty, charged)

    decide_objection(session, objection.id, ObjectionState.UPHELD, note="退租属实", actor_id=judge.id)

    assert (penalty.state, penalty.lifted_fen) == (PenaltyState.VOIDED, 20000)
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 0
    assert balance_fen(session, AccountCode.PENALTY_DEFERRED, charged.party.id) == 0
    assert out_of_balance_fen(session) == 0
    finding = session.get_one(Finding, penalty.finding_id, populate_existing=True)
    assert (finding.state, finding.held) == (FindingState.OVERTURNED, False)


def test_a_reduced_penalty_stays_with_the_rest(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    objection = objection_to(session, penalty, charged)

    decide_objection(
        session, objection.id, ObjectionState.REDUCED, note="部分成立", actor_id=judge.id, reduced_fen=5000
    )

    assert (penalty.state, penalty.amount_fen, penalty.lifted_fen) == (PenaltyState.APPROVED, 20000, 5000)
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 15000


def test_a_rejected_objection_changes_no_money_and_is_not_repeated(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    objection = objection_to(session, penalty, charged)

    decide_objection(session, objection.id, ObjectionState.REJECTED, note="与话单不符", actor_id=judge.id)

    assert (penalty.state, penalty.lifted_fen) == (PenaltyState.APPROVED, 0)
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 20000
    with pytest.raises(ObjectionOpenError):
        objection_to(session, penalty, charged)


def test_a_branchs_objection_is_reversed_in_the_internal_books(session: Session, judge: User) -> None:
    charged = make_charged_branch(session)
    penalty = make_approved_penalty(session, charged=charged)
    branch = Scope(sees_everything=False, unit_ids=frozenset({charged.unit.id}), party_ids=frozenset())
    objection = file_objection(session, penalty.id, "号码非本厅登记", branch, actor_id=CONTACT)

    decide_objection(session, objection.id, ObjectionState.UPHELD, note="属实", actor_id=judge.id)

    assert balance_fen(session, AccountCode.ASSESSMENT_CONTESTABLE, charged.unit.id) == 0


def test_who_approved_does_not_judge(session: Session, charged: Charged, penalty: Penalty) -> None:
    objection = objection_to(session, penalty, charged)

    with pytest.raises(OwnApprovalError):
        decide_objection(
            session, objection.id, ObjectionState.REJECTED, note="不成立", actor_id=penalty.approver_id or 0
        )


def test_who_filed_for_the_party_does_not_judge(session: Session, penalty: Penalty, judge: User) -> None:
    objection = file_objection(session, penalty.id, "对方来函", Scope.everything(), actor_id=judge.id, for_party=True)

    with pytest.raises(SamePersonError):
        decide_objection(session, objection.id, ObjectionState.REJECTED, note="不成立", actor_id=judge.id)
    with pytest.raises(IntegrityError, match="two_people"), session.begin_nested():
        session.execute(
            sa.update(Objection).where(Objection.id == objection.id).values(state="rejected", decided_by=judge.id)
        )


def test_nobody_of_the_charged_unit_judges(session: Session, judge: User) -> None:
    charged = make_charged_branch(session)
    penalty = make_approved_penalty(session, charged=charged)
    give_scope(session, user_id=judge.id, unit=charged.unit)
    objection = file_objection(session, penalty.id, "不成立", Scope.everything(), actor_id=CONTACT)

    with pytest.raises(OwnUnitError):
        decide_objection(session, objection.id, ObjectionState.UPHELD, note="属实", actor_id=judge.id)


@pytest.mark.parametrize("reduced_fen", [None, 0, -1, 20000])
def test_a_reduction_is_neither_nothing_nor_everything(
    session: Session, charged: Charged, penalty: Penalty, judge: User, reduced_fen: int | None
) -> None:
    objection = objection_to(session, penalty, charged)

    with pytest.raises(InvalidInputError):
        decide_objection(
            session, objection.id, ObjectionState.REDUCED, note="部分", actor_id=judge.id, reduced_fen=reduced_fen
        )


def test_a_decision_needs_a_reason_and_is_made_once(
    session: Session, charged: Charged, penalty: Penalty, judge: User
) -> None:
    objection = objection_to(session, penalty, charged)

    with pytest.raises(InvalidInputError):
        decide_objection(session, objection.id, ObjectionState.REJECTED, note=" ", actor_id=judge.id)
    with pytest.raises(InvalidInputError):
        decide_objection(session, objection.id, ObjectionState.WITHDRAWN, note="撤回", actor_id=judge.id)
    decide_objection(session, objection.id, ObjectionState.REJECTED, note="不成立", actor_id=judge.id)
    with pytest.raises(AlreadyDecidedError):
        decide_objection(session, objection.id, ObjectionState.UPHELD, note="成立", actor_id=judge.id)


def test_the_first_offence_lifted_on_appeal_does_not_move_those_approved_after_it(
    session: Session, judge: User
) -> None:
    steps = [{"from_count": count, "amount_fen": fen} for count, fen in ((1, 20000), (2, 30000), (4, 50000))]
    tiers = {"window": "rolling_days", "days": 90, "steps": steps}
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "tiers": tiers})
    days = [dt.date(2026, 3, 1), dt.date(2026, 3, 20), dt.date(2026, 4, 10), dt.date(2026, 5, 15)]
    incidents = [
        make_proven_incident(session, party=charged.party, occurred_at=dt.datetime.combine(day, dt.time(2), dt.UTC))
        for day in days
    ]
    penalties = propose(session, *incidents)
    approve_all(session, *penalties)
    objection = objection_to(session, penalties[0], charged)

    decide_objection(session, objection.id, ObjectionState.UPHELD, note="退租属实", actor_id=judge.id)

    assert [penalty.amount_fen - penalty.lifted_fen for penalty in penalties] == [0, 30000, 30000, 50000]
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 110000


def test_room_under_a_cap_that_an_appeal_frees_is_not_given_away(session: Session, judge: User) -> None:
    caps = [{"per": "month", "limit_fen": 100000}]
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps})
    incidents = [
        make_proven_incident(session, party=charged.party, occurred_at=MONDAY - dt.timedelta(hours=hour))
        for hour in range(6, 0, -1)
    ]
    penalties = propose(session, *incidents)
    approve_all(session, *penalties)
    objection = objection_to(session, penalties[1], charged)

    decide_objection(session, objection.id, ObjectionState.UPHELD, note="属实", actor_id=judge.id)

    assert [penalty.amount_fen for penalty in penalties] == [20000] * 5 + [0]
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 80000
    seventh = make_proven_incident(session, party=charged.party, occurred_at=MONDAY)
    assert [penalty.amount_fen for penalty in propose(session, seventh)] == [0]
