"""A second person approves a credit once, and it becomes payable in the ledger."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.models import Finding, FindingState
from supervise.compensation.approve import (
    AboveLimitError,
    ContentChangedError,
    Shown,
    approve_credits,
    return_credits,
)
from supervise.compensation.models import Credit, CreditNature, CreditState
from supervise.compensation.propose import propose_credits
from supervise.errors import AlreadyDecidedError, NotFoundError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from tests.factories.compensation import (
    APPROVER,
    MAKER,
    make_credit,
    make_undertaking,
    make_victim,
    shown,
)
from tests.factories.ledger import out_of_balance_fen


def test_an_approved_credit_is_payable_to_the_subscriber(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)

    [result] = approve_credits(session, [shown(credit)], actor_id=APPROVER)

    session.refresh(credit)
    assert result.refusal is None
    assert (credit.state, credit.approver_id) == (CreditState.APPROVED, APPROVER)
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE, victim.id) == -50_00
    assert balance_fen(session, AccountCode.COMPENSATION_EXPENSE, victim.unit_id) == 50_00
    assert out_of_balance_fen(session) == 0


def test_a_reward_has_an_expense_account_of_its_own(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim, nature=CreditNature.REWARD)
    credit = make_credit(session, subscriber=victim)

    approve_credits(session, [shown(credit)], actor_id=APPROVER)

    assert balance_fen(session, AccountCode.REWARD_EXPENSE, victim.unit_id) == 50_00
    assert balance_fen(session, AccountCode.COMPENSATION_EXPENSE, victim.unit_id) == 0


def test_the_maker_cannot_approve(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)

    [result] = approve_credits(session, [shown(credit)], actor_id=MAKER)

    assert isinstance(result.refusal, SamePersonError)
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == 0


def test_approving_twice_posts_once(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)
    approve_credits(session, [shown(credit)], actor_id=APPROVER)

    [again] = approve_credits(session, [shown(credit)], actor_id=APPROVER)

    assert isinstance(again.refusal, AlreadyDecidedError)
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == -50_00


def test_what_changed_since_it_was_shown_is_not_approved(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)

    [result] = approve_credits(session, [Shown(credit.id, "0" * 64)], actor_id=APPROVER)

    assert isinstance(result.refusal, ContentChangedError)


def test_a_deputy_approves_up_to_the_limit_only(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)

    [above] = approve_credits(session, [shown(credit)], actor_id=APPROVER, limit_fen=49_99)
    [within] = approve_credits(session, [shown(credit)], actor_id=APPROVER, limit_fen=50_00)

    assert isinstance(above.refusal, AboveLimitError)
    assert within.refusal is None


def test_a_credit_whose_finding_was_overturned_falls_out(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)
    session.execute(
        update(Finding).values(state=FindingState.OVERTURNED, overturned_by=MAKER, overturned_at=clock.now())
    )

    [result] = approve_credits(session, [shown(credit)], actor_id=APPROVER)

    assert result.refusal is not None
    assert balance_fen(session, AccountCode.COMPENSATION_PAYABLE) == 0


def test_one_bad_line_does_not_stop_the_others(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)

    results = approve_credits(session, [Shown(999_999_999, "0" * 64), shown(credit)], actor_id=APPROVER)

    assert isinstance(results[0].refusal, NotFoundError)
    assert results[1].refusal is None


def test_a_returned_credit_can_be_proposed_anew(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)

    [returned] = return_credits(session, [credit.id], "金额请复核", actor_id=APPROVER)
    assert credit.incident_id is not None
    [again] = propose_credits(session, [credit.incident_id], actor_id=MAKER)

    session.refresh(credit)
    assert returned.refusal is None
    assert (credit.state, credit.return_reason) == (CreditState.RETURNED, "金额请复核")
    assert again.refusal is None


def test_an_approved_credit_cannot_be_returned(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    credit = make_credit(session, subscriber=victim)
    approve_credits(session, [shown(credit)], actor_id=APPROVER)

    [result] = return_credits(session, [credit.id], "太迟", actor_id=APPROVER)

    assert isinstance(result.refusal, AlreadyDecidedError)
    assert session.scalars(select(Credit.state)).one() is CreditState.APPROVED
