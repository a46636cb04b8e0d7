"""Files that the purge of evidence leaves while a penalty or an objection rests on them."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.files.vault import purge_attachments
from supervise.parties.scope import Scope
from supervise.penalties.admission import admit_late
from supervise.penalties.kept_evidence import files_in_dispute
from supervise.penalties.models import ObjectionState, Penalty, WaiverReason
from supervise.penalties.objections import file_objection
from supervise.penalties.waivers import approve_waiver, propose_waiver
from tests.factories.parties import make_file_entry, make_party
from tests.factories.penalties import (
    Charged,
    make_approved_penalty,
    make_charged_partner,
    make_objection_file,
    make_supervisor,
)
from tests.factories.settlement import make_final_penalty

CONTACT = 931


@pytest.fixture
def charged(session: Session) -> Charged:
    return make_charged_partner(session)


def purged(session: Session) -> list[int]:
    return purge_attachments(session, clock.now() + dt.timedelta(days=1), kept=files_in_dispute())


def scan_of(session: Session, charged: Charged) -> int:
    attachment_id = make_file_entry(session, party=charged.party).attachment_id
    assert attachment_id is not None
    return attachment_id


def waive(session: Session, penalty: Penalty) -> None:
    waiver = propose_waiver(
        session, penalty.id, amount_fen=None, because=WaiverReason.HARDSHIP, reason="经营困难", actor_id=CONTACT
    )
    approve_waiver(session, waiver.id, actor_id=make_supervisor(session, username="judge").id)


def test_the_compliance_file_of_a_party_stays_until_its_last_penalty_is_done_with(
    session: Session, charged: Charged
) -> None:
    scan, of_nobody = scan_of(session, charged), make_file_entry(session, party=make_party(session)).attachment_id
    penalty = make_final_penalty(session, charged=charged)

    assert purged(session) == [of_nobody]
    waive(session, penalty)
    assert purged(session) == [scan]


def test_the_file_of_a_party_that_was_merged_away_stays_for_the_penalties_of_the_other(
    session: Session, charged: Charged
) -> None:
    old = make_party(session)
    scan = make_file_entry(session, party=old).attachment_id
    old.merged_into_id = charged.party.id
    make_approved_penalty(session, charged=charged)

    assert scan is not None
    assert purged(session) == []


def test_what_came_with_an_objection_stays_while_it_waits_even_if_nothing_is_owed(
    session: Session, charged: Charged
) -> None:
    scan = scan_of(session, charged)
    penalty = make_final_penalty(session, charged=charged)
    penalty.settled_fen = penalty.amount_fen
    session.flush()
    late = file_objection(session, penalty.id, "号码非本公司", Scope.everything(), actor_id=CONTACT)
    file = make_objection_file(session, late.id)
    assert late.state is ObjectionState.LATE

    assert purged(session) == []

    admit_late(
        session, late.id, admitted=False, reason="逾期且无理由", actor_id=make_supervisor(session, username="judge").id
    )
    assert purged(session) == sorted([scan, file.id])
