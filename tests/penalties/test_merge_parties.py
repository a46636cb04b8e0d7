"""Two entries of one party are merged only when nothing is on its way between them and us."""

import pytest
from sqlalchemy.orm import Session

from supervise.parties.refusals import OpenMoneyError
from supervise.penalties.merge_parties import merge_parties
from tests.factories.attribution import make_proven_incident
from tests.factories.parties import make_party
from tests.factories.penalties import make_approved_penalty, make_charged_partner, propose
from tests.factories.settlement import make_due_recourse


def test_two_entries_without_money_are_merged(session: Session) -> None:
    party, into = make_party(session), make_party(session)

    merge_parties(session, party.id, into_id=into.id, reason="同一家", actor_id=1)

    assert party.merged_into_id == into.id


def test_a_proposed_penalty_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    propose(session, make_proven_incident(session, party=charged.party))

    with pytest.raises(OpenMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)


def test_an_approved_penalty_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    make_approved_penalty(session, charged=charged)

    with pytest.raises(OpenMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)


def test_a_fine_claimed_back_from_it_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    make_due_recourse(session, charged=charged)

    with pytest.raises(OpenMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)
