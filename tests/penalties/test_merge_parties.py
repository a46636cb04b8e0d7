"""Two entries of one party are merged at once when nothing is open, else by two people; nothing proposed is lost."""

from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.db import Database
from supervise.desk.consistency import discrepancies
from supervise.errors import AlreadyDecidedError, NotFoundError, NotPermittedError, SamePersonError
from supervise.parties.merge_models import MergeState, PartyMerge
from supervise.parties.models import Party
from supervise.parties.open_money import open_money
from supervise.parties.refusals import OpenMoneyError
from supervise.parties.scope import Scope
from supervise.penalties.merge_parties import (
    MergeWaitsError,
    NoOpenMoneyError,
    ProposedMoneyError,
    approve_merge,
    merge_or_propose,
    merge_parties,
    propose_merge,
    reject_merge,
    withdraw_merge,
)
from supervise.penalties.models import ObjectionState, Penalty
from supervise.penalties.objections import decide_objection, file_objection
from supervise.penalties.propose import propose_penalties
from tests.factories.access import make_deputy, make_user
from tests.factories.attribution import make_proven_incident
from tests.factories.fines import make_recourse
from tests.factories.parties import make_party
from tests.factories.penalties import make_approved_penalty, make_charged_partner, make_merger, make_supervisor, propose
from tests.factories.recoveries import make_recovery
from tests.factories.settlement import draft_run, make_deposit, make_due_recourse, make_final_penalty, posted
from tests.penalties.test_races import at_once


def test_two_entries_without_money_are_merged(session: Session) -> None:
    party, into = make_party(session), make_party(session)

    merge_parties(session, party.id, into_id=into.id, reason="同一家", actor_id=1)

    assert party.merged_into_id == into.id


def test_a_proposed_penalty_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    propose(session, make_proven_incident(session, party=charged.party))

    with pytest.raises(ProposedMoneyError):
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

    with pytest.raises(ProposedMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)


def test_a_proposed_recovery_stands_in_the_way(session: Session) -> None:
    charged = make_charged_partner(session)
    penalty = make_approved_penalty(session, charged=charged)
    make_recovery(session, penalty)
    objection = file_objection(session, penalty.id, "号码当日已停用", Scope.everything(), actor_id=931)
    judge = make_supervisor(session, username="judge")
    decide_objection(session, objection.id, ObjectionState.UPHELD, note="属实", actor_id=judge.id)

    with pytest.raises(ProposedMoneyError):
        merge_parties(session, charged.party.id, into_id=make_party(session).id, reason="x", actor_id=1)


def test_open_money_of_a_merged_entry_stays_its_own_and_is_settled_as_before(session: Session) -> None:
    charged = make_charged_partner(session)
    penalty = make_final_penalty(session, charged=charged, amount_fen=200_00)
    make_deposit(session, charged=charged, amount_fen=150_00)
    into = make_party(session)

    merge = merge_or_propose(session, charged.party.id, into_id=into.id, reason="同一家", actor_id=931)
    assert isinstance(merge, PartyMerge)
    assert (merge.open_fen, charged.party.merged_into_id) == (350_00, None)
    approve_merge(session, merge.id, actor_id=make_supervisor(session).id)
    posted(session, draft_run(session))

    assert (merge.state, charged.party.merged_into_id) == (MergeState.APPROVED, into.id)
    assert (penalty.settled_fen, penalty.open_fen) == (150_00, 50_00)
    assert open_money(session, [charged.party.id, into.id])[charged.party.id].owed_fen == 50_00
    assert [one for one in discrepancies(session) if one.table != "credit"] == []


def test_a_merger_is_not_approved_by_its_proposer_nor_beyond_authority_nor_twice(session: Session) -> None:
    merge = make_merger(session, actor_id=make_supervisor(session, username="first").id)
    second = make_supervisor(session, username="second")
    deputy = make_user(session, username="deputy", role=Role.TRIAGER)
    make_deputy(session, delegator=second, deputy=deputy, limit_fen=199_99)

    with pytest.raises(SamePersonError):
        approve_merge(session, merge.id, actor_id=merge.proposed_by)
    with pytest.raises(NotPermittedError):
        approve_merge(session, merge.id, actor_id=deputy.id)
    reject_merge(session, merge.id, note="不是同一家", actor_id=second.id)
    with pytest.raises(AlreadyDecidedError):
        approve_merge(session, merge.id, actor_id=second.id)
    assert session.get_one(Party, merge.party_id).merged_into_id is None


def test_what_is_proposed_after_the_proposal_stands_in_the_way(session: Session) -> None:
    merge = make_merger(session)
    propose(session, make_proven_incident(session, party=session.get_one(Party, merge.party_id)))

    with pytest.raises(ProposedMoneyError):
        approve_merge(session, merge.id, actor_id=make_supervisor(session).id)


def test_a_merger_waits_once_and_only_its_proposer_takes_it_back(session: Session) -> None:
    merge = make_merger(session, actor_id=5)

    with pytest.raises(MergeWaitsError):
        propose_merge(session, merge.party_id, into_id=merge.into_id, reason="再次", actor_id=6)
    with pytest.raises(NotFoundError):
        withdraw_merge(session, merge.id, actor_id=6)
    withdraw_merge(session, merge.id, actor_id=5)
    assert merge.state is MergeState.WITHDRAWN


def test_an_entry_without_open_money_needs_no_second_person(session: Session) -> None:
    party, into = make_party(session), make_party(session)

    with pytest.raises(NoOpenMoneyError):
        propose_merge(session, party.id, into_id=into.id, reason="同一家", actor_id=1)
    assert merge_or_propose(session, party.id, into_id=into.id, reason="同一家", actor_id=1) is into


def test_the_database_keeps_what_was_proposed_and_by_whom(session: Session) -> None:
    merge = make_merger(session)

    with pytest.raises(DBAPIError, match="not rewritten"), session.begin_nested():
        session.execute(sa.update(PartyMerge).where(PartyMerge.id == merge.id).values(open_fen=1))


def test_of_two_who_approve_a_merger_at_once_one_merges(database: Database) -> None:
    with database.session(writes=True) as session:
        merge = make_merger(session)
        judges = [make_supervisor(session, username=name).id for name in ("one", "two")]

    outcomes = at_once(database, *(partial(approve_merge, merge_id=merge.id, actor_id=one) for one in judges))

    assert sorted(isinstance(one, AlreadyDecidedError) for one in outcomes) == [False, True]
    with database.session(writes=False) as session:
        assert session.get_one(Party, merge.party_id).merged_into_id == merge.into_id


def test_a_merger_and_a_proposal_at_once_never_lose_the_proposal(database: Database) -> None:
    with database.session(writes=True) as session:
        merge = make_merger(session)
        call = make_proven_incident(session, party=session.get_one(Party, merge.party_id)).id
        judge = make_supervisor(session).id

    at_once(
        database,
        partial(approve_merge, merge_id=merge.id, actor_id=judge),
        partial(propose_penalties, incident_ids=[call], actor_id=5),
    )

    with database.session(writes=False) as session:
        merged = session.get_one(Party, merge.party_id).merged_into_id is not None
        charged = session.scalars(sa.select(Penalty.party_id).where(Penalty.incident_id == call)).all()
        # Charged before, it stands in the way of the merger; charged after, it names whom the call names.
        assert charged == [merge.party_id]
        assert merged or session.get_one(PartyMerge, merge.id).state is MergeState.OPEN
