"""From a journal entry back to the ticket, and the ledger's numbers in words."""

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.compensation.batches import LineOutcome, freeze_batch, mark_lines
from supervise.compensation.lists import lines_of_page
from supervise.compensation.models import Credit
from supervise.complaints.models import Subscriber, Ticket
from supervise.desk.ledger_story import (
    DimensionName,
    UnknownDimensionError,
    dimension_called,
    dimension_names,
    entry_story,
    facts_in_words,
)
from supervise.ledger.chart import DimensionKind
from supervise.penalties.recourse import ReceiptFacts, receive_recourse
from tests.factories.attribution import make_proven_incident
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.contracts import make_contract, make_rule
from tests.factories.ledger import make_period
from tests.factories.parties import make_party, make_unit
from tests.factories.penalties import approve_all, make_charged_partner, propose
from tests.factories.settlement import (
    draft_run,
    make_deposit,
    make_due_recourse,
    make_due_recovery,
    make_final_penalty,
    posted,
    settlement_of,
)

FINANCE = 21


@pytest.fixture
def credit(session: Session) -> Credit:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    return make_approved_credit(session, subscriber=victim)


def test_every_entry_of_a_credit_leads_to_its_call_and_ticket(session: Session, credit: Credit) -> None:
    batch = freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=FINANCE)
    [row] = lines_of_page(session, batch.id)
    mark_lines(session, batch.id, [LineOutcome(row.line.id, "E02")], actor_id=FINANCE)
    keys = [
        f"credit:approved:{credit.id}",
        f"credit:sent:{batch.id}:{credit.id}",
        f"credit:rejected:{row.line.id}",
        f"credit:cancelled:{credit.id}",
    ]

    stories = [entry_story(session, key) for key in keys]

    assert credit.ticket_id is not None
    reference = session.get_one(Ticket, credit.ticket_id).reference
    for story in stories:
        assert story.credit is not None
        assert (story.credit.id, story.credit.reference) == (credit.id, credit.reference)
        assert story.incident is not None
        assert story.incident.id == credit.incident_id
        assert list(story.tickets) == [(credit.ticket_id, reference)]
    assert [story.batch for story in stories] == [None, (batch.id, batch.number), (batch.id, batch.number), None]
    assert facts_in_words(session, keys) == dict.fromkeys(keys, credit.reference)


def test_an_entry_of_a_penalty_leads_to_its_finding_and_call(session: Session) -> None:
    make_period(session)
    party = make_party(session)
    make_rule(session, contract=make_contract(session, party=party, unit=make_unit(session)))
    incident = make_proven_incident(session, party=party)
    [penalty] = propose(session, incident)
    approve_all(session, penalty)

    story = entry_story(session, f"penalty:approved:{penalty.id}")

    assert story.penalty is not None
    assert (story.penalty.id, story.penalty.reference) == (penalty.id, penalty.reference)
    assert story.penalty.offence.code == penalty.offence_code
    assert story.incident is not None
    assert story.incident.id == penalty.incident_id
    assert facts_in_words(session, [f"penalty:final:{penalty.id}"]) == {
        f"penalty:final:{penalty.id}": penalty.reference
    }


def test_entries_of_claims_and_settlements_lead_to_credit_fine_and_notice(session: Session) -> None:
    charged = make_charged_partner(session)
    recovery = make_due_recovery(session, charged=charged)
    claim = make_due_recourse(session, charged=charged)
    receipt = receive_recourse(session, claim.id, ReceiptFacts(1_00, "ICBC-1", clock.today()), actor_id=FINANCE)
    make_deposit(session, charged=charged, amount_fen=500_00)
    run = posted(session, draft_run(session))
    settlement = settlement_of(session, run, charged)
    keys = {
        f"recovery:approved:{recovery.id}": recovery.reference,
        f"recourse:approved:{claim.id}": claim.reference,
        f"recourse:received:{receipt.id}": claim.reference,
        f"settlement:{settlement.id}:deposit": run.number,
    }

    of_recovery, *of_claim, of_settlement = (entry_story(session, key) for key in keys)

    assert of_recovery.recovery == recovery.reference
    assert of_recovery.credit is not None
    assert of_recovery.incident is not None
    assert (of_recovery.credit.id, of_recovery.incident.id) == (recovery.credit_id, recovery.incident_id)
    assert {story.fine and story.fine[0] for story in of_claim} == {claim.fine_id}
    assert of_settlement.settlement == (settlement.id, run.number)
    assert facts_in_words(session, list(keys)) == keys


def test_a_second_refund_of_a_penalty_is_named_by_the_penalty(session: Session) -> None:
    penalty = make_final_penalty(session, charged=make_charged_partner(session))

    # penalty:refund:<penalty>:<refund>
    key = f"penalty:refund:{penalty.id}:99999999"

    assert facts_in_words(session, [key]) == {key: penalty.reference}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "opening",
        "settlement:99999999:deposit",
        "recovery:approved:99999999",
        "recourse:received:99999999",
        "credit:approved:",
        "credit:approved:99999999",
        "penalty:final:99999999",
        "x:y:1",
        "a b:c:1",
    ],
)
def test_a_key_that_leads_nowhere_has_no_story(session: Session, key: str) -> None:
    story = entry_story(session, key)

    assert (story.credit, story.penalty, story.incident, list(story.tickets)) == (None, None, None, [])
    assert facts_in_words(session, [key]) == {}


def test_dimensions_are_named_by_kind_and_a_number_is_masked(session: Session, credit: Credit) -> None:
    party, unit = make_party(session, name="星河呼叫中心"), make_unit(session, name="滨江分公司")
    batch = freeze_batch(session, [credit.id], locale="zh_Hans", anchor="", actor_id=FINANCE)

    names = dimension_names(
        session,
        [
            (DimensionKind.PARTY, party.id),
            (DimensionKind.UNIT, unit.id),
            (DimensionKind.BATCH, batch.id),
            (DimensionKind.SUBSCRIBER, credit.subscriber_id),
            (DimensionKind.NONE, None),
        ],
    )

    account = session.get_one(Subscriber, credit.subscriber_id).account_ref
    assert names[DimensionKind.PARTY, party.id] == DimensionName(party.code, "星河呼叫中心")
    assert names[DimensionKind.UNIT, unit.id] == DimensionName(unit.code, "滨江分公司")
    assert names[DimensionKind.BATCH, batch.id] == DimensionName(batch.number, batch.period)
    shown = names[DimensionKind.SUBSCRIBER, credit.subscriber_id]
    assert shown.code == account
    assert "****" in shown.name
    assert len(names) == 4


def test_a_dimension_is_found_by_what_people_call_it(session: Session, credit: Credit) -> None:
    party = make_party(session)
    account = session.get_one(Subscriber, credit.subscriber_id).account_ref

    assert dimension_called(session, DimensionKind.PARTY, f" {party.code} ") == party.id
    assert dimension_called(session, DimensionKind.SUBSCRIBER, account) == credit.subscriber_id
    for kind in DimensionKind:
        with pytest.raises(UnknownDimensionError):
            dimension_called(session, kind, "no such thing")
