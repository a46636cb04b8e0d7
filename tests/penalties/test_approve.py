"""Approval: checked again, by a second person, posted once."""

from sqlalchemy.orm import Session

from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.penalties.models import PenaltyState
from tests.factories.attribution import make_proven_incident
from tests.factories.penalties import (
    approve_all,
    make_charged_partner,
    propose,
)


def test_an_approved_partner_penalty_is_a_contestable_receivable(session: Session) -> None:
    charged = make_charged_partner(session)
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))

    [result] = approve_all(session, penalty)

    assert result.refusal is None
    assert penalty.state is PenaltyState.APPROVED
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 20000
    assert balance_fen(session, AccountCode.PENALTY_DEFERRED, charged.party.id) == -20000
