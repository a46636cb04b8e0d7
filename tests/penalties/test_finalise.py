"""Finality and what comes after: two entries, once, never while an objection is open; reversals by two people."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from supervise.attribution.models import Finding, FindingState
from supervise.desk.consistency import discrepancies
from supervise.errors import AlreadyDecidedError, InvalidInputError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.belonging import OwnUnitError
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import ObjectionState, Penalty, PenaltyState, ReversalState, WindowStart
from supervise.penalties.objections import decide_objection, file_objection, withdraw_objection
from supervise.penalties.queries import reversals_of_penalty
from supervise.penalties.reversals import (
    NotFinalError,
    ReversalOpenError,
    approve_reversal,
    propose_reversal,
    reject_reversal,
)
from supervise.penalties.windows import acknowledge
from tests.factories.attribution import make_proven_incident
from tests.factories.ledger import make_period, out_of_balance_fen
from tests.factories.parties import give_scope
from tests.factories.penalties import (
    Charged,
    approve_all,
    make_approved_penalty,
    make_charged_branch,
    make_charged_partner,
    make_contact,
    make_supervisor,
    propose,
)

CONTACT, FINANCE = 931, 941
MONDAY = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)
#: Acknowledged on the 12th, five working days: the 19th is the last day.
LAST_DAY = dt.date(2026, 10, 19)
DUE = LAST_DAY + dt.timedelta(days=1)
EVERYTHING = Scope.everything()


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session, appeal_days=5, deemed_days=3)


@pytest.fixture
def penalty(session: Session, charged: Charged) -> Penalty:
    penalty = make_approved_penalty(session, charged=charged)
    acknowledge(session, [penalty.id], EVERYTHING, actor_id=CONTACT)
    return penalty


def finalised(session: Session, on: dt.date) -> list[int]:
    with time_machine.travel(dt.datetime.combine(on, dt.time(2), dt.UTC), tick=False):
        return finalise_due(session, on)


def entry(session: Session, key: str) -> JournalEntry:
    return session.scalars(sa.select(JournalEntry).where(JournalEntry.idempotency_key == key)).one()


def test_after_the_last_day_the_penalty_is_receivable_and_income(
    session: Session, charged: Charged, penalty: Penalty
) -> None:
    assert finalised(session, LAST_DAY) == []
    assert finalised(session, DUE) == [penalty.id]

    assert penalty.state is PenaltyState.FINAL
    balances = {
        account: balance_fen(session, account, charged.party.id)
        for account in (
            AccountCode.PENALTY_CONTESTABLE,
            AccountCode.PENALTY_DEFERRED,
            AccountCode.PENALTY_RECEIVABLE,
            AccountCode.PENALTY_INCOME,
        )
    }
    assert list(balances.values()) == [0, 0, 20000, -20000]
    assert out_of_balance_fen(session) == 0


def test_finality_is_two_entries_of_its_day_one_of_them_the_whole_reversal(session: Session, penalty: Penalty) -> None:
    finalised(session, DUE + dt.timedelta(days=4))

    settled, final = entry(session, f"penalty:settled:{penalty.id}"), entry(session, f"penalty:final:{penalty.id}")
    assert settled.reverses_id == entry(session, f"penalty:approved:{penalty.id}").id
    assert final.reverses_id is None
    assert (settled.effective_on, final.effective_on) == (DUE, DUE)


def test_the_job_run_twice_does_nothing_twice(session: Session, penalty: Penalty) -> None:
    finalised(session, DUE)

    assert finalised(session, DUE) == []
    assert session.scalars(sa.select(sa.func.count()).select_from(JournalEntry)).one() == 3


def test_a_branchs_assessment_becomes_final_in_the_internal_books(session: Session) -> None:
    charged = make_charged_branch(session, appeal_days=5)
    penalty = make_approved_penalty(session, charged=charged)
    acknowledge(session, [penalty.id], EVERYTHING, actor_id=CONTACT)

    finalised(session, DUE)

    assert balance_fen(session, AccountCode.ASSESSMENT_FINAL, charged.unit.id) == 20000
    assert balance_fen(session, AccountCode.ASSESSMENT_OFFSET, charged.unit.id) == -20000
    assert balance_fen(session, AccountCode.ASSESSMENT_CONTESTABLE, charged.unit.id) == 0
    assert balance_fen(session, AccountCode.PENALTY_INCOME) == 0


def test_what_nobody_opened_is_deemed_delivered_and_then_final(session: Session, charged: Charged) -> None:
    make_contact(session, charged)
    penalty = make_approved_penalty(session, charged=charged)
    assert penalty.deemed_on == dt.date(2026, 10, 15)

    finalised(session, dt.date(2026, 10, 14))
    assert (penalty.window_start, penalty.objection_until_on) == (None, None)
    finalised(session, dt.date(2026, 10, 16))
    assert (penalty.window_start, penalty.objection_until_on) == (WindowStart.DEEMED, dt.date(2026, 10, 22))

    assert finalised(session, dt.date(2026, 10, 23)) == [penalty.id]


def test_an_open_objection_holds_finality_until_it_is_decided(session: Session, penalty: Penalty) -> None:
    objection = file_objection(session, penalty.id, "不成立", EVERYTHING, actor_id=CONTACT)
    assert finalised(session, DUE) == []
    decided_on = dt.datetime(2026, 10, 28, 2, tzinfo=dt.UTC)
    with time_machine.travel(decided_on, tick=False):
        judge = make_supervisor(session, username="judge")
        decide_objection(session, objection.id, ObjectionState.REJECTED, note="不成立", actor_id=judge.id)

    assert finalised(session, dt.date(2026, 10, 29)) == [penalty.id]

    assert entry(session, f"penalty:final:{penalty.id}").effective_on == dt.date(2026, 10, 28)


def test_a_withdrawn_objection_holds_nothing(session: Session, penalty: Penalty) -> None:
    objection = file_objection(session, penalty.id, "不成立", EVERYTHING, actor_id=CONTACT)
    withdraw_objection(session, objection.id, EVERYTHING, actor_id=CONTACT)

    assert finalised(session, DUE) == [penalty.id]


def test_what_was_reduced_becomes_final_at_the_rest(session: Session, charged: Charged, penalty: Penalty) -> None:
    objection = file_objection(session, penalty.id, "部分不成立", EVERYTHING, actor_id=CONTACT)
    judge = make_supervisor(session, username="judge")
    decide_objection(session, objection.id, ObjectionState.REDUCED, note="部分", actor_id=judge.id, reduced_fen=5000)

    finalised(session, DUE)

    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 15000
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 0


def test_a_wholly_capped_penalty_becomes_final_without_an_entry(session: Session) -> None:
    caps = [{"per": "day", "limit_fen": 20000}]
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps})
    incidents = [
        make_proven_incident(session, party=charged.party, occurred_at=MONDAY - dt.timedelta(hours=hour))
        for hour in (2, 1)
    ]
    penalties = propose(session, *incidents)
    approve_all(session, *penalties)
    ids = [penalty.id for penalty in penalties]
    acknowledge(session, ids, EVERYTHING, actor_id=CONTACT)

    assert finalised(session, DUE) == ids

    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 20000


def test_many_are_finalised_in_portions(session: Session, charged: Charged) -> None:
    ids = [make_approved_penalty(session, charged=charged).id for _ in range(3)]
    acknowledge(session, ids, EVERYTHING, actor_id=CONTACT)

    with time_machine.travel(dt.datetime.combine(DUE, dt.time(2), dt.UTC), tick=False):
        portions = [finalise_due(session, DUE, limit=2) for _ in range(3)]

    assert [len(portion) for portion in portions] == [2, 1, 0]


# Reversal of what is final


@pytest.fixture
def final(session: Session, penalty: Penalty) -> Penalty:
    finalised(session, DUE)
    return penalty


@pytest.fixture
def later(session: Session, final: Penalty) -> object:
    """Early December: October's books may be closed, this month's are open."""
    with time_machine.travel(dt.datetime(2026, 12, 2, 2, tzinfo=dt.UTC), tick=False) as traveller:
        make_period(session)
        yield traveller


@pytest.mark.usefixtures("later")
def test_a_final_penalty_is_reversed_by_two_people_in_the_open_period(
    session: Session, charged: Charged, final: Penalty
) -> None:
    request = propose_reversal(session, final.id, amount_fen=None, reason="法院判决", actor_id=FINANCE)
    assert [row.id for row in reversals_of_penalty(session, final.id)] == [request.id]

    approve_reversal(session, request.id, actor_id=make_supervisor(session).id)

    assert (final.state, final.lifted_fen, request.state) == (PenaltyState.REVERSED, 20000, ReversalState.APPROVED)
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 0
    assert balance_fen(session, AccountCode.PENALTY_INCOME, charged.party.id) == 0
    reversal = entry(session, f"reversal:approved:{request.id}")
    assert (reversal.period, reversal.reverses_id) == ("2026-12", request.entry_id)
    finding = session.get_one(Finding, final.finding_id, populate_existing=True)
    assert (finding.state, finding.held) == (FindingState.OVERTURNED, False)


@pytest.mark.usefixtures("later")
def test_a_part_is_reversed_and_the_rest_stays_owed(session: Session, charged: Charged, final: Penalty) -> None:
    supervisor = make_supervisor(session)
    request = propose_reversal(session, final.id, amount_fen=5000, reason="和解", actor_id=FINANCE)

    approve_reversal(session, request.id, actor_id=supervisor.id)

    assert (final.state, final.lifted_fen) == (PenaltyState.FINAL, 5000)
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 15000
    with pytest.raises(InvalidInputError):
        propose_reversal(session, final.id, amount_fen=15001, reason="和解", actor_id=FINANCE)
    rest = propose_reversal(session, final.id, amount_fen=15000, reason="和解", actor_id=FINANCE)
    approve_reversal(session, rest.id, actor_id=supervisor.id)
    assert final.state is PenaltyState.REVERSED
    assert discrepancies(session) == []


@pytest.mark.usefixtures("later")
def test_nobody_approves_or_rejects_their_own_reversal(session: Session, final: Penalty) -> None:
    supervisor = make_supervisor(session)
    request = propose_reversal(session, final.id, amount_fen=None, reason="误记", actor_id=supervisor.id)

    with pytest.raises(SamePersonError):
        approve_reversal(session, request.id, actor_id=supervisor.id)
    with pytest.raises(SamePersonError):
        reject_reversal(session, request.id, "不同意", actor_id=supervisor.id)


@pytest.mark.usefixtures("later")
def test_nobody_of_the_charged_party_approves_its_reversal(session: Session, charged: Charged, final: Penalty) -> None:
    supervisor = make_supervisor(session)
    give_scope(session, user_id=supervisor.id, party=charged.party)
    request = propose_reversal(session, final.id, amount_fen=None, reason="误记", actor_id=FINANCE)

    with pytest.raises(OwnUnitError):
        approve_reversal(session, request.id, actor_id=supervisor.id)


@pytest.mark.usefixtures("later")
def test_a_rejected_reversal_changes_nothing(session: Session, charged: Charged, final: Penalty) -> None:
    request = propose_reversal(session, final.id, amount_fen=None, reason="误记", actor_id=FINANCE)

    reject_reversal(session, request.id, "证据不足", actor_id=make_supervisor(session).id)

    assert final.state is PenaltyState.FINAL
    assert balance_fen(session, AccountCode.PENALTY_RECEIVABLE, charged.party.id) == 20000
    with pytest.raises(AlreadyDecidedError):
        approve_reversal(session, request.id, actor_id=make_supervisor(session).id)


@pytest.mark.usefixtures("later")
def test_one_reversal_waits_at_a_time_and_each_has_a_reason(session: Session, final: Penalty) -> None:
    with pytest.raises(InvalidInputError):
        propose_reversal(session, final.id, amount_fen=None, reason=" ", actor_id=FINANCE)
    propose_reversal(session, final.id, amount_fen=None, reason="误记", actor_id=FINANCE)

    with pytest.raises(ReversalOpenError):
        propose_reversal(session, final.id, amount_fen=1, reason="误记", actor_id=FINANCE)


def test_what_is_not_final_is_lifted_by_an_objection_not_reversed(session: Session, penalty: Penalty) -> None:
    with pytest.raises(NotFinalError):
        propose_reversal(session, penalty.id, amount_fen=None, reason="误记", actor_id=FINANCE)
