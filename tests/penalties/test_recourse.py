"""A regulator's fine is claimed back up to its amount: by two people, from partners and branches, once."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.belonging import OwnUnitError
from supervise.penalties.fine_models import FineRecourse, FineState, RecourseState, RegulatorFine
from supervise.penalties.fine_queries import (
    claims_against_ledger,
    claims_beyond_fine,
    fine_by_id,
    recourse_of_party,
)
from supervise.penalties.fines import (
    DecisionKnownError,
    FineFacts,
    RecourseOpenError,
    cancel_fine,
    record_fine,
    record_fine_payment,
)
from supervise.penalties.recourse import (
    FineCancelledError,
    NotOwedError,
    ReceiptFacts,
    ReceiptKnownError,
    RecourseOverFineError,
    approve_recourse,
    propose_recourse,
    receive_recourse,
    reject_recourse,
    reverse_recourse,
)
from supervise.settlement.checks import received_against_receipts, refunds_against_ledger
from tests.factories.ledger import make_period
from tests.factories.parties import give_scope, make_party, make_unit, unit_party
from tests.factories.penalties import make_supervisor

FINANCE = 931
HUNDRED_THOUSAND = 100_000_00


def facts(unit: OrgUnit, **changes: object) -> FineFacts:
    said: dict[str, object] = {
        "authority": "某省通信管理局",
        "decision_number": "通管罚字2026第12号",
        "decided_on": dt.date(2026, 10, 8),
        "received_on": dt.date(2026, 10, 12),
        "unit_id": unit.id,
        "subject": "未经同意拨打营销电话",
        "legal_basis": "消费者权益保护法第五十六条",
        "amount_fen": HUNDRED_THOUSAND,
    }
    return FineFacts(**said | changes)  # type: ignore[arg-type]


@pytest.fixture
def party(session: Session) -> Party:
    return make_party(session)


@pytest.fixture
def fine(session: Session) -> RegulatorFine:
    make_period(session)
    return record_fine(session, facts(make_unit(session)), actor_id=FINANCE)


def claim(session: Session, fine: RegulatorFine, party: Party, fen: int = 60_000_00) -> FineRecourse:
    return propose_recourse(session, fine.id, party.id, fen, "合同第十二条", actor_id=FINANCE)


def approved(session: Session, fine: RegulatorFine, party: Party, fen: int = 60_000_00) -> FineRecourse:
    return approve_recourse(session, claim(session, fine, party, fen).id, actor_id=make_supervisor(session).id)


def everything_agrees(session: Session) -> bool:
    checks = (claims_beyond_fine, claims_against_ledger, received_against_receipts, refunds_against_ledger)
    return not any(list(check(session)) for check in checks)


def paid(fen: int, reference: str = "BANK-1") -> ReceiptFacts:
    return ReceiptFacts(fen, reference, clock.today())


def test_a_partner_owes_what_is_approved_and_pays_it(session: Session, fine: RegulatorFine, party: Party) -> None:
    line = approved(session, fine, party)
    receive_recourse(session, line.id, paid(45_000_00), actor_id=FINANCE)

    assert balance_fen(session, AccountCode.FINE_RECOVERABLE, party.id) == 15_000_00
    assert balance_fen(session, AccountCode.FINE_RECOURSE, party.id) == -60_000_00
    assert (line.open_fen, fine_by_id(session, fine.id).received_fen) == (15_000_00, 45_000_00)
    assert everything_agrees(session)


def test_a_branchs_part_nets_to_zero_and_is_not_collected(session: Session, fine: RegulatorFine) -> None:
    unit = make_unit(session)
    line = approved(session, fine, unit_party(session, unit))

    assert balance_fen(session, AccountCode.FINE_ASSESSMENT, unit.id) == 60_000_00
    assert balance_fen(session, AccountCode.FINE_ASSESSMENT_OFFSET, unit.id) == -60_000_00
    with pytest.raises(NotOwedError):
        receive_recourse(session, line.id, paid(1_00), actor_id=FINANCE)
    assert everything_agrees(session)


def test_more_than_the_fine_is_refused_with_what_is_left(session: Session, fine: RegulatorFine, party: Party) -> None:
    claim(session, fine, party)

    with pytest.raises(RecourseOverFineError, match=r"40,?000\.00"):
        claim(session, fine, make_party(session), 40_000_01)
    assert claim(session, fine, make_party(session), 40_000_00).state is RecourseState.PROPOSED


def test_the_database_refuses_more_than_the_fine_too(session: Session, fine: RegulatorFine, party: Party) -> None:
    line = claim(session, fine, party)
    columns = {column.key: getattr(line, column.key) for column in sa.inspect(FineRecourse).columns}
    columns |= {"id": line.id + 1, "reference": "ZF-2"}

    with pytest.raises(DBAPIError, match="claimed back"), session.begin_nested():
        session.execute(sa.insert(FineRecourse), [columns])


def test_a_rejected_or_reversed_line_frees_its_room(session: Session, fine: RegulatorFine, party: Party) -> None:
    first = claim(session, fine, party, HUNDRED_THOUSAND)
    supervisor = make_supervisor(session)
    reject_recourse(session, first.id, "比例不对", actor_id=supervisor.id)
    second = approved(session, fine, party, HUNDRED_THOUSAND)
    receive_recourse(session, second.id, paid(30_000_00), actor_id=FINANCE)
    other = make_supervisor(session, username="another")

    reverse_recourse(session, second.id, "法院判决", actor_id=other.id)

    assert balance_fen(session, AccountCode.FINE_RECOVERABLE, party.id) == 0
    assert balance_fen(session, AccountCode.FINE_RECOURSE, party.id) == 0
    assert balance_fen(session, AccountCode.REFUND_DUE, party.id) == -30_000_00
    assert everything_agrees(session)
    claim(session, fine, party, HUNDRED_THOUSAND)


def test_who_proposed_it_does_not_approve_it_nor_who_belongs_to_it(
    session: Session, fine: RegulatorFine, party: Party
) -> None:
    line = claim(session, fine, party)
    supervisor = make_supervisor(session)
    give_scope(session, user_id=supervisor.id, party=party)

    with pytest.raises(SamePersonError):
        approve_recourse(session, line.id, actor_id=FINANCE)
    with pytest.raises(OwnUnitError):
        approve_recourse(session, line.id, actor_id=supervisor.id)


def test_a_line_is_approved_once_and_not_reversed_by_its_approver(
    session: Session, fine: RegulatorFine, party: Party
) -> None:
    line = approved(session, fine, party)
    supervisor = make_supervisor(session)

    with pytest.raises(AlreadyDecidedError):
        approve_recourse(session, line.id, actor_id=supervisor.id)
    with pytest.raises(SamePersonError):
        reverse_recourse(session, line.id, "算错", actor_id=supervisor.id)


def test_a_bank_reference_is_entered_once_and_no_more_than_is_open(
    session: Session, fine: RegulatorFine, party: Party
) -> None:
    line = approved(session, fine, party)
    receive_recourse(session, line.id, paid(10_00), actor_id=FINANCE)

    with pytest.raises(ReceiptKnownError):
        receive_recourse(session, line.id, paid(10_00), actor_id=FINANCE)
    with pytest.raises(InvalidInputError):
        receive_recourse(session, line.id, paid(60_000_00, "BANK-2"), actor_id=FINANCE)


def test_a_decision_is_recorded_once_and_again_after_it_was_cancelled(session: Session, fine: RegulatorFine) -> None:
    unit = make_unit(session)
    with pytest.raises(DecisionKnownError):
        record_fine(session, facts(unit), actor_id=FINANCE)

    cancel_fine(session, fine.id, "录错单位", actor_id=make_supervisor(session).id)

    assert record_fine(session, facts(unit), actor_id=FINANCE).state is FineState.RECORDED


def test_a_fine_is_not_cancelled_by_who_recorded_it_nor_while_it_is_claimed_back(
    session: Session, fine: RegulatorFine, party: Party
) -> None:
    with pytest.raises(SamePersonError):
        cancel_fine(session, fine.id, "录错", actor_id=FINANCE)
    line = claim(session, fine, party)
    supervisor = make_supervisor(session)
    with pytest.raises(RecourseOpenError):
        cancel_fine(session, fine.id, "录错", actor_id=supervisor.id)
    reject_recourse(session, line.id, "撤回", actor_id=supervisor.id)
    cancel_fine(session, fine.id, "录错", actor_id=supervisor.id)
    with pytest.raises(FineCancelledError):
        claim(session, fine, party)


def test_a_recorded_fine_is_not_rewritten(session: Session, fine: RegulatorFine) -> None:
    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(RegulatorFine).values(amount_fen=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_fen": 0},
        {"authority": " "},
        {"received_on": dt.date(2026, 10, 1)},
        {"received_on": dt.date(2999, 1, 1)},
        {"due_on": dt.date(2026, 10, 1)},
    ],
)
def test_what_no_decision_says_is_refused(session: Session, wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        record_fine(session, facts(make_unit(session), **wrong), actor_id=FINANCE)


def test_an_unknown_respondent_is_refused(session: Session) -> None:
    with pytest.raises(NotFoundError):
        record_fine(session, facts(make_unit(session), respondent_ids=[999_999]), actor_id=FINANCE)


def test_its_payment_is_recorded_once(session: Session, fine: RegulatorFine) -> None:
    record_fine_payment(session, fine.id, dt.date(2026, 10, 20), "缴款书0001", actor_id=FINANCE)

    with pytest.raises(AlreadyDecidedError):
        record_fine_payment(session, fine.id, dt.date(2026, 10, 20), "缴款书0002", actor_id=FINANCE)


def test_a_party_sees_its_own_claims_and_no_others(session: Session, fine: RegulatorFine, party: Party) -> None:
    approved(session, fine, party)
    own = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({party.id}))
    strange = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({party.id + 1}))

    assert [row.line.amount_fen for row in recourse_of_party(session, own, party.id)] == [60_000_00]
    assert list(recourse_of_party(session, strange, party.id)) == []
