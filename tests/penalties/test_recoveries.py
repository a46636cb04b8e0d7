"""Recovery of credits from the party: the examples of domain.md 7.8 with registers, ledger and two people."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise.compensation.models import CreditState
from supervise.complaints.models import Incident
from supervise.errors import AlreadyDecidedError, InvalidInputError, SamePersonError
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.models import PartyKind, RelationRole
from supervise.penalties.recoveries import (
    NoRecoveryClauseError,
    NothingToRecoverError,
    approve_recoveries,
    fall_with_findings,
    propose_recoveries,
    void_recovery,
)
from supervise.penalties.recovery_models import Recovery, RecoveryState
from supervise.penalties.recovery_queries import (
    due_recoveries,
    recoveries_against_ledger,
    recoveries_beyond_paid,
)
from tests.factories.attribution import make_proven_incident
from tests.factories.contracts import make_contract, make_rule
from tests.factories.parties import make_party, make_relation
from tests.factories.penalties import (
    MAKER,
    Charged,
    approve_all,
    make_charged_partner,
    make_supervisor,
    propose,
)
from tests.factories.recoveries import pay

FLAT: dict[str, Any] = {"basis": "per_offence", "amount_fen": 20000}


def recovered(session: Session, incident: Incident) -> list[Recovery]:
    [result] = propose_recoveries(session, [incident.id], actor_id=MAKER)
    if result.refusal is not None:
        raise result.refusal
    query = sa.select(Recovery).where(Recovery.incident_id == incident.id, Recovery.state != RecoveryState.VOIDED)
    return list(session.scalars(query.order_by(Recovery.id)))


def approve_recovered(session: Session, *recoveries: Recovery, actor_id: int | None = None) -> list[Any]:
    lines = [(recovery.id, recovery.content_sha256) for recovery in recoveries]
    results = approve_recoveries(session, lines, actor_id=actor_id or make_supervisor(session).id)
    return [result.refusal for result in results]


def recovering(session: Session, **clause: Any) -> Charged:
    return make_charged_partner(session, parameters={**FLAT, **clause})


def test_7_8_example_1_the_party_owes_the_credit_beside_the_fine(session: Session) -> None:
    charged = recovering(session, recovery_bp=10000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 5000)
    [fine] = propose(session, incident)
    approve_all(session, fine)

    [recovery] = recovered(session, incident)
    assert approve_recovered(session, recovery) == [None]

    assert (fine.amount_fen, fine.loss_basis_fen, recovery.amount_fen) == (20000, 5000, 5000)
    assert balance_fen(session, AccountCode.COMPENSATION_RECOVERABLE, charged.party.id) == 5000
    assert balance_fen(session, AccountCode.COMPENSATION_RECOVERY, charged.party.id) == -5000
    assert list(recoveries_against_ledger(session)) == list(recoveries_beyond_paid(session)) == []


def test_7_8_example_2_half_is_recovered_and_the_carrier_bears_the_rest(session: Session) -> None:
    charged = recovering(session, recovery_bp=5000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 15000)

    assert [recovery.amount_fen for recovery in recovered(session, incident)] == [7500]


@pytest.mark.parametrize(("base", "left"), [("call_proven", [9000, 6000]), ("finding", [])])
def test_7_8_example_3_after_the_fine_falls_it_stays_or_falls_as_the_rule_says(
    session: Session, base: str, left: list[int]
) -> None:
    parts = [{"kind": "agent", "share_bp": 6000}, {"kind": "outsourcer", "share_bp": 4000}]
    clause = {"shares": {"mode": "joint", "parts": parts}, "recovery_bp": 10000, "recovery_base": base}
    charged = make_charged_partner(session)
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=charged.party, role=RelationRole.CONTRACTED_BY)
    make_rule(session, contract=make_contract(session, party=outsourcer, unit=charged.unit), parameters=FLAT | clause)
    incident = make_proven_incident(session, party=outsourcer)
    pay(session, incident, 15000)
    approve_recovered(session, *recovered(session, incident))

    finding_id = session.scalars(sa.select(Recovery.finding_id).distinct()).one()
    fall_with_findings(session, [finding_id], actor_id=make_supervisor(session).id)

    live = sa.select(Recovery.amount_fen).where(Recovery.state == RecoveryState.APPROVED).order_by(Recovery.id)
    assert list(session.scalars(live)) == left
    assert balance_fen(session, AccountCode.COMPENSATION_RECOVERABLE) == sum(left)


def test_what_billing_has_not_credited_is_not_recovered(session: Session) -> None:
    charged = recovering(session, recovery_bp=10000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 5000, state=CreditState.APPROVED)

    with pytest.raises(NothingToRecoverError):
        recovered(session, incident)


def test_a_credit_is_recovered_once(session: Session) -> None:
    charged = recovering(session, recovery_bp=10000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 5000)
    propose(session, incident)
    due_before = [due.incident_id for due in due_recoveries(session)]
    recovered(session, incident)

    with pytest.raises(NothingToRecoverError):
        recovered(session, incident)

    assert (due_before, due_recoveries(session)) == ([incident.id], [])


def test_without_a_clause_nothing_is_recovered(session: Session) -> None:
    charged = make_charged_partner(session)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 5000)

    with pytest.raises(NoRecoveryClauseError):
        recovered(session, incident)


def test_the_maker_does_not_approve_and_the_approver_does_not_take_back(session: Session) -> None:
    charged = recovering(session, recovery_bp=10000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 5000)
    [recovery] = recovered(session, incident)
    approver = make_supervisor(session)

    [own] = approve_recovered(session, recovery, actor_id=MAKER)
    assert isinstance(own, SamePersonError)
    approve_recovered(session, recovery)
    [twice] = approve_recovered(session, recovery, actor_id=make_supervisor(session, username="other").id)

    assert isinstance(twice, AlreadyDecidedError)
    with pytest.raises(SamePersonError):
        void_recovery(session, recovery.id, "重复", actor_id=approver.id)
    with pytest.raises(InvalidInputError):
        void_recovery(session, recovery.id, " ", actor_id=MAKER)


def test_a_recovery_taken_back_is_reversed_and_can_be_proposed_anew(session: Session) -> None:
    charged = recovering(session, recovery_bp=10000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 5000)
    [first] = recovered(session, incident)
    approve_recovered(session, first)

    void_recovery(session, first.id, "算错", actor_id=make_supervisor(session, username="other").id)
    [second] = recovered(session, incident)

    assert balance_fen(session, AccountCode.COMPENSATION_RECOVERABLE) == 0
    assert (first.state, second.state) == (RecoveryState.VOIDED, RecoveryState.PROPOSED)


def test_the_database_itself_refuses_more_than_the_rule_takes_and_any_edit(session: Session) -> None:
    charged = recovering(session, recovery_bp=5000)
    incident = make_proven_incident(session, party=charged.party)
    pay(session, incident, 10000)
    [recovery] = recovered(session, incident)
    row = {column.name: getattr(recovery, column.name) for column in Recovery.__table__.columns if column.name != "id"}
    other = make_party(session)

    with pytest.raises(DBAPIError, match="more would be recovered"), session.begin_nested():
        session.execute(sa.insert(Recovery).values(**row | {"reference": "ZC-2", "party_id": other.id}))
    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(Recovery).values(amount_fen=1))
