"""Approval: checked again, by a second person, posted once."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.roles import Role
from supervise.errors import AlreadyDecidedError, NotPermittedError, SamePersonError
from supervise.ledger.models import JournalEntry, Posting
from supervise.ledger.queries import balance_fen
from supervise.ledger.chart import AccountCode
from supervise.penalties.approve import AmountChangedError, ContentChangedError, FindingGoneError, Shown, approve
from supervise.penalties.models import PenaltyState
from tests.factories.attribution import make_proven_incident
from tests.factories.penalties import (
    MAKER,
    approve_all,
    make_charged_branch,
    make_charged_partner,
    make_supervisor,
    propose,
    shown,
)


def test_an_approved_partner_penalty_is_a_contestable_receivable(session: Session) -> None:
    charged = make_charged_partner(session)
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))

    [result] = approve_all(session, penalty)

    assert result.refusal is None
    assert penalty.state is PenaltyState.APPROVED
    assert balance_fen(session, AccountCode.PENALTY_CONTESTABLE, charged.party.id) == 20000
    assert balance_fen(session, AccountCode.PENALTY_DEFERRED, charged.party.id) == -20000
