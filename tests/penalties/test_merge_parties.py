"""Two entries of one party are merged only when nothing is on its way between them and us."""

import pytest
from sqlalchemy.orm import Session

from supervise.parties.refusals import OpenMoneyError
from supervise.parties.scope import Scope
from supervise.penalties.merge_parties import merge_parties
from supervise.penalties.models import ObjectionState
from supervise.penalties.objections import decide_objection, file_objection
from tests.factories.attribution import make_proven_incident
from tests.factories.fines import make_recourse
from tests.factories.parties import make_party
from tests.factories.penalties import make_approved_penalty, make_charged_partner, make_supervisor, propose
from tests.factories.recoveries import make_recovery
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


def test_a_proposed_claim_of_a_fine_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    make_recourse(session, party_id=charged.party.id)

    with pytest.raises(OpenMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)


def test_a_proposed_recovery_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    penalty = make_approved_penalty(session, charged=charged)
    make_recovery(session, penalty)
    objection = file_objection(session, penalty.id, "号码当日已停用", Scope.everything(), actor_id=931)
    judge = make_supervisor(session, username="judge")
    decide_objection(session, objection.id, ObjectionState.UPHELD, note="属实", actor_id=judge.id)

    with pytest.raises(OpenMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)
