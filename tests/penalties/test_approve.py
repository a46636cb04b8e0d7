"""Approval: checked again, by a second person, posted once, listed to the charged party."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.deputies import OverDeputyLimitError
from supervise.access.roles import Role
from supervise.attribution.decide import decide_verdict
from supervise.attribution.findings import MoneyHangsOnItError
from supervise.attribution.models import Verdict
from supervise.complaints.models import Incident
from supervise.complaints.reference import BackDatedError
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError, NotPermittedError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.models import JournalEntry
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.penalties.approve import (
    AmountChangedError,
    ContentChangedError,
    FindingGoneError,
    Shown,
    approve,
    moved_since,
    return_penalties,
)
from supervise.penalties.authority import NeedsSecondApprovalError, set_authority_limit
from supervise.penalties.belonging import OwnUnitError
from supervise.penalties.models import ObjectionState, Penalty, PenaltyState
from supervise.penalties.objections import OwnApprovalError, decide_objection, file_objection
from supervise.penalties.queries import steps_of_penalty
from tests.factories.access import make_deputy, make_user
from tests.factories.attribution import TRIAGER, find, make_proven_incident, verdict_in_force
from tests.factories.contracts import make_rule
from tests.factories.ledger import out_of_balance_fen
from tests.factories.parties import give_scope, make_unit
from tests.factories.penalties import (
    MAKER,
    Charged,
    approve_all,
    make_charged_branch,
    make_charged_partner,
    make_contact,
    make_supervisor,
    propose,
    shown,
)

TIERS = {
    "basis": "per_offence",
    "amount_fen": 20000,
    "tiers": {
        "window": "rolling_days",
        "days": 90,
        "steps": [{"from_count": 1, "amount_fen": 20000}, {"from_count": 2, "amount_fen": 30000}],
    },
}


def proposed(session: Session, charged: Charged, day: int = 1) -> Penalty:
    at = clock.start_of_day(dt.date(2026, 9, day))
    [penalty] = propose(session, make_proven_incident(session, party=charged.party, occurred_at=at))
    return penalty


def entries(session: Session) -> int:
    return session.scalars(sa.select(sa.func.count()).select_from(JournalEntry)).one()


def test_an_approved_partner_penalty_is_a_contestable_receivable(session: Session) -> None:
    charged = make_charged_partner(session)
    penalty = proposed(session, charged)

    [result] = approve_all(session, penalty)

    assert result.refusal is None
    assert penalty.state is PenaltyState.APPROVED
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 20000
    assert balance_fen(session, AccountCode.PENALTY_DEFERRED, charged.party.id) == -20000
    assert out_of_balance_fen(session) == 0


def test_an_approved_assessment_stays_inside_the_carrier(session: Session) -> None:
    charged = make_charged_branch(session)

    approve_all(session, proposed(session, charged))

    assert balance_fen(session, AccountCode.ASSESSMENT_CONTESTABLE, charged.unit.id) == 20000
    assert balance_fen(session, AccountCode.ASSESSMENT_OFFSET_CONTESTABLE, charged.unit.id) == -20000
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE) == 0


def test_the_entry_names_maker_and_approver(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))

    approve_all(session, penalty)

    entry = session.scalars(
        sa.select(JournalEntry).where(JournalEntry.idempotency_key == f"penalty:approved:{penalty.id}")
    ).one()
    assert (entry.actor_id, entry.approver_id, entry.event) == (MAKER, penalty.approver_id, "penalty.approved")


def test_approval_lists_the_penalty_and_dates_its_deemed_delivery(session: Session) -> None:
    charged = make_charged_partner(session, deemed_days=3)
    make_contact(session, charged)
    penalty = proposed(session, charged)

    approve_all(session, penalty)

    assert penalty.listed_at == penalty.approved_at
    assert penalty.deemed_on is not None
    assert clock.today() + dt.timedelta(days=3) <= penalty.deemed_on <= clock.today() + dt.timedelta(days=14)
    assert [step.to_state for step in steps_of_penalty(session, penalty.id)] == [
        PenaltyState.PROPOSED,
        PenaltyState.APPROVED,
    ]


def test_a_second_click_finds_it_decided_and_posts_nothing(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))
    line = shown(penalty)
    approver = make_supervisor(session).id
    approve(session, [*line, *line], actor_id=approver)

    [again] = approve(session, line, actor_id=approver)

    assert isinstance(again.refusal, AlreadyDecidedError)
    assert entries(session) == 1


def test_a_second_supervisor_finds_it_decided(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))
    approve_all(session, penalty)
    other = make_supervisor(session, username="other").id

    [late] = approve(session, shown(penalty), actor_id=other)

    assert isinstance(late.refusal, AlreadyDecidedError)
    assert penalty.approver_id != other


def test_nobody_approves_their_own_proposal(session: Session) -> None:
    supervisor = make_supervisor(session)
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [penalty] = propose(session, incident, actor_id=supervisor.id)

    [result] = approve(session, shown(penalty), actor_id=supervisor.id)

    assert isinstance(result.refusal, SamePersonError)
    with pytest.raises(IntegrityError, match="two_people"), session.begin_nested():
        session.execute(
            sa.update(Penalty)
            .where(Penalty.id == penalty.id)
            .values(state="approved", approver_id=supervisor.id, approved_at=clock.now())
        )


def test_what_is_approved_is_what_was_shown(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))

    [result] = approve(session, [Shown(penalty.id, "0" * 64)], actor_id=make_supervisor(session).id)

    assert isinstance(result.refusal, ContentChangedError)
    assert entries(session) == 0


def test_nobody_of_the_charged_unit_or_below_it_approves(session: Session) -> None:
    charged = make_charged_branch(session)
    penalty = proposed(session, charged)
    supervisor = make_supervisor(session)
    give_scope(session, user_id=supervisor.id, unit=charged.unit)

    [result] = approve(session, shown(penalty), actor_id=supervisor.id)

    assert isinstance(result.refusal, OwnUnitError)


@pytest.mark.parametrize("is_charged", ["the unit that went", "the unit that stayed"])
def test_nobody_of_a_unit_merged_with_the_charged_one_approves(session: Session, is_charged: str) -> None:
    charged = make_charged_branch(session)
    penalty = proposed(session, charged)
    other = make_unit(session, name="邻市分公司")
    supervisor = make_supervisor(session)
    give_scope(session, user_id=supervisor.id, unit=other)
    goes, stays = (charged.unit, other) if is_charged == "the unit that went" else (other, charged.unit)
    goes.merged_into_id, goes.merged_on = stays.id, clock.today()

    [result] = approve(session, shown(penalty), actor_id=supervisor.id)

    assert isinstance(result.refusal, OwnUnitError)


def test_a_supervisor_of_the_province_above_approves(session: Session) -> None:
    charged = make_charged_branch(session)
    penalty = proposed(session, charged)
    supervisor = make_supervisor(session)
    session.flush()
    province_id = charged.contract.counterparty_unit_id
    give_scope(session, user_id=supervisor.id, unit=session.get_one(type(charged.unit), province_id))

    [result] = approve(session, shown(penalty), actor_id=supervisor.id)

    assert result.refusal is None


@pytest.mark.parametrize(("limit_fen", "permitted"), [(20000, True), (19999, False)])
def test_a_deputy_approves_up_to_the_limit(session: Session, limit_fen: int, *, permitted: bool) -> None:
    deputy = make_user(session, role=Role.TRIAGER)
    make_deputy(session, delegator=make_supervisor(session), deputy=deputy, limit_fen=limit_fen)
    penalty = proposed(session, make_charged_partner(session))

    [result] = approve(session, shown(penalty), actor_id=deputy.id)

    assert (result.refusal is None) is permitted
    if not permitted:
        assert isinstance(result.refusal, OverDeputyLimitError)


def test_who_is_neither_supervisor_nor_deputy_does_not_approve(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))

    [result] = approve(session, shown(penalty), actor_id=make_user(session, role=Role.FINANCE).id)

    assert isinstance(result.refusal, NotPermittedError)


def test_a_line_that_is_none_is_refused_alone(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))

    results = approve(session, [Shown(999_999, ""), *shown(penalty)], actor_id=make_supervisor(session).id)

    assert [type(result.refusal) for result in results] == [NotFoundError, type(None)]


# Checked again at approval


def test_an_overturned_finding_is_not_charged(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [penalty] = propose(session, incident)
    find(session, incident=incident, proven=False)

    [result] = approve_all(session, penalty)

    assert isinstance(result.refusal, FindingGoneError)
    assert penalty.state is PenaltyState.PROPOSED


def test_a_changed_verdict_is_not_charged(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [penalty] = propose(session, incident)
    verdict = verdict_in_force(session, incident.id)
    assert verdict is not None
    decide_verdict(
        session, incident.id, Verdict.OTHER_NETWORK, None, reason="携转用户", shown_id=verdict.id, actor_id=TRIAGER
    )

    [result] = approve_all(session, penalty)

    assert isinstance(result.refusal, FindingGoneError)


def test_another_rule_since_the_proposal_shows_both_amounts(session: Session) -> None:
    charged = make_charged_partner(session)
    penalty = proposed(session, charged)
    dearer = {"basis": "per_offence", "amount_fen": 30000}
    make_rule(session, contract=charged.contract, priority=1, parameters=dearer)

    [result] = approve_all(session, penalty)

    assert str(moved_since(session, penalty)) == str(result.refusal)
    assert isinstance(result.refusal, AmountChangedError)
    assert (result.refusal.parameters["proposed"], result.refusal.parameters["now"]) == ("200.00", "300.00")
    assert entries(session) == 0


def test_tiers_count_what_is_approved_beside_them(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERS)
    first, second = proposed(session, charged, 1), proposed(session, charged, 2)
    assert moved_since(session, second) is None

    results = approve_all(session, second, first)

    assert [result.refusal for result in results] == [None, None]
    assert (first.amount_fen, second.amount_fen) == (20000, 30000)


def test_a_repeat_is_not_approved_before_the_offence_it_repeats(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERS)
    first, second = proposed(session, charged, 1), proposed(session, charged, 2)

    [result] = approve_all(session, second)

    assert isinstance(result.refusal, AmountChangedError)
    approve_all(session, first)
    [again] = approve_all(session, second)
    assert again.refusal is None


def test_a_line_that_falls_out_is_no_earlier_offence_for_the_others(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERS)
    penalties = [proposed(session, charged, day) for day in (1, 2)]
    find(session, incident=session.get_one(Incident, penalties[0].incident_id), proven=False)

    results = approve_all(session, *penalties)

    assert [type(result.refusal) for result in results] == [FindingGoneError, AmountChangedError]


def test_an_older_offence_found_late_does_not_raise_what_is_approved(session: Session) -> None:
    charged = make_charged_partner(session, parameters=TIERS)
    later = proposed(session, charged, 20)
    approve_all(session, later)

    older = proposed(session, charged, 1)
    [result] = approve_all(session, older)

    assert result.refusal is None
    assert (older.amount_fen, later.amount_fen) == (20000, 20000)


def test_capped_lines_are_approved_in_any_order_of_clicks(session: Session) -> None:
    caps = [{"per": "month", "limit_fen": 50000}]
    charged = make_charged_partner(session, parameters={"basis": "per_offence", "amount_fen": 20000, "caps": caps})
    penalties = [proposed(session, charged, day) for day in (1, 2, 3, 4)]

    for penalty in reversed(penalties):
        [result] = approve_all(session, penalty)
        assert result.refusal is None

    assert [penalty.amount_fen for penalty in penalties] == [20000, 20000, 10000, 0]
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 50000
    assert entries(session) == 3  # of an amount that the cap took away nothing is posted


def test_what_holds_approved_money_does_not_change_its_verdict(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [penalty] = propose(session, incident)
    approve_all(session, penalty)
    verdict = verdict_in_force(session, incident.id)
    assert verdict is not None

    with pytest.raises(MoneyHangsOnItError):
        decide_verdict(
            session, incident.id, Verdict.OTHER_NETWORK, None, reason="更正", shown_id=verdict.id, actor_id=TRIAGER
        )


# Returning


def test_a_returned_proposal_can_be_made_anew(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    [penalty] = propose(session, incident)

    [result] = return_penalties(session, [penalty.id], "录音不清晰", actor_id=make_supervisor(session).id)

    assert result.refusal is None
    session.refresh(penalty)
    assert (penalty.state, penalty.return_reason) == (PenaltyState.RETURNED, "录音不清晰")
    [anew] = propose(session, incident)
    assert anew.id != penalty.id


def test_nothing_is_returned_without_a_reason_or_after_approval(session: Session) -> None:
    penalty = proposed(session, make_charged_partner(session))
    approve_all(session, penalty)

    with pytest.raises(InvalidInputError):
        return_penalties(session, [penalty.id], " ", actor_id=1)
    [result] = return_penalties(session, [penalty.id], "理由", actor_id=1)
    assert isinstance(result.refusal, AlreadyDecidedError)


def test_above_the_limit_of_the_role_two_approve_and_only_then_it_is_posted(session: Session) -> None:
    charged = make_charged_partner(session)
    set_authority_limit(
        session, role=Role.SUPERVISOR, limit_fen=15000, reason="授权规定", valid_from=clock.today(), actor_id=1
    )
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))
    first, second = make_supervisor(session), make_supervisor(session, username="second")

    for _click in range(2):
        [result] = approve_all(session, penalty, actor_id=first.id)
        assert isinstance(result.refusal, NeedsSecondApprovalError)
    assert (penalty.state, balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id)) == (
        PenaltyState.PROPOSED,
        0,
    )

    [result] = approve_all(session, penalty, actor_id=second.id)

    assert (result.refusal, penalty.state, penalty.approver_id) == (None, PenaltyState.APPROVED, second.id)
    objection = file_objection(session, penalty.id, "不是我们", Scope.everything(), actor_id=931)
    with pytest.raises(OwnApprovalError):
        decide_objection(session, objection.id, ObjectionState.REJECTED, note="不成立", actor_id=first.id)


def test_a_limit_is_never_back_dated(session: Session) -> None:
    yesterday = clock.today() - dt.timedelta(days=1)

    with pytest.raises(BackDatedError):
        set_authority_limit(
            session, role=Role.SUPERVISOR, limit_fen=15000, reason="授权规定", valid_from=yesterday, actor_id=1
        )
