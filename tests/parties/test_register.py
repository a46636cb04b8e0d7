"""The register of parties: codes that check, names that are remembered, ties that are dated."""

import datetime as dt

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.errors import ConflictError
from supervise.parties.credit_code import normalise_credit_code
from supervise.parties.merge import merge_party
from supervise.parties.models import PartyAlias, PartyKind, PartyRelation, PartyStatus, RelationRole
from supervise.parties.refusals import (
    CodeTakenError,
    CreditCodeError,
    CreditCodeTakenError,
    CycleError,
    MergedError,
    NoSponsorError,
    OpenMoneyError,
    PeriodOrderError,
    RelationOverlapError,
    UnitPartyError,
)
from supervise.parties.register import Tie, add_alias, change_status, edit_party, enter_party
from supervise.parties.relations import correct_relation, end_relation, relate
from tests.factories.ledger import make_entry
from tests.factories.parties import EVER_SINCE, make_party, make_relation, make_unit, unit_party

MARCH = dt.date(2026, 3, 1)
DAY = dt.timedelta(days=1)
#: Two real ones: Alibaba (China), Tencent Computer.
GOOD_CODE, OTHER_CODE = "91330100799655058B", "9144030071526726XG"


@pytest.mark.parametrize("code", [GOOD_CODE, OTHER_CODE])
def test_a_real_credit_code_passes(code: str) -> None:
    assert normalise_credit_code(f" {code.lower()[:8]}-{code[8:]} ") == code


@pytest.mark.parametrize(
    "code",
    [
        "91330100799655058A",  # the check character is another
        "91330100799655085B",  # two digits changed places
        "9133010079965505B",  # one is missing
        "9133O100799655058B",  # an O for a zero
        "",
    ],
)
def test_a_wrong_credit_code_is_refused(code: str) -> None:
    with pytest.raises(CreditCodeError):
        normalise_credit_code(code)


def test_a_registered_party_is_tied_to_who_it_works_for(session: Session) -> None:
    branch = unit_party(session, make_unit(session))

    party = enter_party(
        session,
        code="A1",
        kind=PartyKind.AGENT,
        name="宏鼎",
        credit_code=GOOD_CODE,
        tie=Tie(branch.id, RelationRole.SPONSORED_BY, MARCH),
        actor_id=1,
    )

    relation = session.scalars(select(PartyRelation).where(PartyRelation.child_id == party.id)).one()
    assert (relation.parent_id, relation.valid_from, relation.valid_to) == (branch.id, MARCH, None)


def test_a_registered_party_without_anybody_above_is_refused(session: Session) -> None:
    with pytest.raises(NoSponsorError):
        enter_party(session, code="A1", kind=PartyKind.AGENT, name="宏鼎", actor_id=1)


def test_a_claimed_party_may_stand_alone_until_it_is_registered(session: Session) -> None:
    party = enter_party(session, code="A1", kind=PartyKind.AGENT, name="拓见", status=PartyStatus.CLAIMED, actor_id=1)

    with pytest.raises(NoSponsorError):
        change_status(session, party.id, status=PartyStatus.REGISTERED, reason="核实", version=1, actor_id=1)


def test_a_branch_is_not_entered_as_a_party(session: Session) -> None:
    with pytest.raises(UnitPartyError):
        enter_party(session, code="A1", kind=PartyKind.ORG_UNIT, name="城关", actor_id=1)


def test_a_taken_code_is_refused(session: Session) -> None:
    make_party(session, code="A1")

    with pytest.raises(CodeTakenError):
        enter_party(session, code="A1", kind=PartyKind.AGENT, name="宏鼎", status=PartyStatus.CLAIMED, actor_id=1)


def test_a_credit_code_belongs_to_one_party(session: Session) -> None:
    make_party(session, name="宏鼎", credit_code=GOOD_CODE)
    other = make_party(session)

    with pytest.raises(CreditCodeTakenError) as refusal:
        edit_party(
            session,
            other.id,
            name="别家",
            credit_code=GOOD_CODE,
            is_person=False,
            contact=None,
            note=None,
            version=1,
            actor_id=1,
        )

    assert refusal.value.parameters["name"] == "宏鼎"


def test_an_edit_over_somebody_elses_is_refused(session: Session) -> None:
    party = make_party(session)

    with pytest.raises(ConflictError):
        edit_party(
            session,
            party.id,
            name="x",
            credit_code=None,
            is_person=False,
            contact=None,
            note=None,
            version=7,
            actor_id=1,
        )


def test_the_trail_keeps_no_name_of_a_person(session: Session) -> None:
    person = make_party(session, name="张三丰", kind=PartyKind.EMPLOYEE_CALLER, is_person=True)

    edit_party(
        session,
        person.id,
        name="李四光",
        credit_code=None,
        is_person=True,
        contact=None,
        note=None,
        version=1,
        actor_id=1,
    )

    event = session.execute(text("SELECT action, changes FROM audit_event ORDER BY id DESC LIMIT 1")).one()
    assert event.action == "party.edited"
    assert "张三丰" not in str(event.changes)
    assert "\\u5f20" not in str(event.changes)


def test_one_parent_per_role_at_a_time(session: Session) -> None:
    child, first, second = (make_party(session, name=name) for name in ("子", "甲", "乙"))
    make_relation(session, child=child, parent=first, role=RelationRole.SUB_AGENT_OF, valid_to=MARCH)

    with pytest.raises(RelationOverlapError) as refusal:
        relate(
            session,
            child_id=child.id,
            parent_id=second.id,
            role=RelationRole.SUB_AGENT_OF,
            valid_from=MARCH - DAY,
            actor_id=1,
        )

    assert refusal.value.parameters["name"] == "甲"
    relate(
        session,
        child_id=child.id,
        parent_id=second.id,
        role=RelationRole.SUB_AGENT_OF,
        valid_from=MARCH,
        actor_id=1,
    )


def test_another_role_is_another_matter(session: Session) -> None:
    child, first, second = make_party(session), make_party(session), make_party(session)
    make_relation(session, child=child, parent=first, role=RelationRole.SUB_AGENT_OF)

    relation = relate(
        session,
        child_id=child.id,
        parent_id=second.id,
        role=RelationRole.STAFFED_TO,
        valid_from=MARCH,
        actor_id=1,
    )

    assert relation.valid_to is None


def test_the_database_refuses_two_parents_in_one_role(session: Session) -> None:
    child, parent = make_party(session), make_party(session)
    make_relation(session, child=child, parent=parent)

    session.add(
        PartyRelation(
            child_id=child.id, parent_id=make_party(session).id, role=RelationRole.SPONSORED_BY, valid_from=MARCH
        )
    )

    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_no_party_stands_above_itself(session: Session) -> None:
    low, middle, high = make_party(session), make_party(session), make_party(session)
    make_relation(session, child=low, parent=middle, role=RelationRole.STAFFED_TO)
    make_relation(session, child=middle, parent=high, role=RelationRole.CONTRACTED_BY, valid_from=MARCH)

    with pytest.raises(CycleError) as refusal:
        relate(
            session,
            child_id=high.id,
            parent_id=low.id,
            role=RelationRole.CONTRACTED_BY,
            valid_from=EVER_SINCE,
            actor_id=1,
        )

    assert refusal.value.parameters["day"] == "2026-03-01"


def test_what_would_be_a_circle_on_no_day_is_allowed(session: Session) -> None:
    one, other = make_party(session), make_party(session)
    make_relation(session, child=one, parent=other, role=RelationRole.CONTRACTED_BY, valid_to=MARCH)

    relation = relate(
        session,
        child_id=other.id,
        parent_id=one.id,
        role=RelationRole.CONTRACTED_BY,
        valid_from=MARCH,
        actor_id=1,
    )

    assert relation.child_id == other.id


def test_an_end_put_off_may_not_close_a_circle(session: Session) -> None:
    one, other = make_party(session), make_party(session)
    relation = make_relation(session, child=one, parent=other, role=RelationRole.CONTRACTED_BY, valid_to=MARCH)
    make_relation(session, child=other, parent=one, role=RelationRole.CONTRACTED_BY, valid_from=MARCH)

    with pytest.raises(CycleError):
        end_relation(session, relation.id, on=MARCH + DAY, reason="x", actor_id=1)


def test_a_relation_does_not_end_before_it_begins(session: Session) -> None:
    relation = make_relation(session, child=make_party(session), parent=make_party(session), valid_from=MARCH)

    with pytest.raises(PeriodOrderError):
        end_relation(session, relation.id, on=MARCH, reason=None, actor_id=1)


def correct(session: Session, relation: PartyRelation, *, valid_from: dt.date, version: int = 1) -> None:
    correct_relation(
        session,
        relation.id,
        valid_from=valid_from,
        valid_to=relation.valid_to,
        reason="录入有误",
        version=version,
        actor_id=1,
    )


def test_a_tie_is_corrected_and_the_trail_keeps_its_period(session: Session) -> None:
    relation = make_relation(session, child=make_party(session), parent=make_party(session))
    later = EVER_SINCE + dt.timedelta(days=30)

    correct(session, relation, valid_from=later)

    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "party.relation_corrected")).one()
    assert (relation.valid_from, relation.version) == (later, 2)
    assert (event.subject_id, event.reason) == (str(relation.child_id), "录入有误")
    assert event.changes is not None
    assert event.changes["valid_from"] == [f"{EVER_SINCE}", f"{later}"]


def test_a_corrected_tie_may_not_overlap_another_close_a_circle_or_overwrite_a_colleagues(session: Session) -> None:
    lower, upper, other = make_party(session), make_party(session), make_party(session)
    until = EVER_SINCE + dt.timedelta(days=30)
    make_relation(session, child=lower, parent=other, valid_to=until)
    make_relation(session, child=upper, parent=lower, valid_to=until, role=RelationRole.STAFFED_TO)
    relation = make_relation(session, child=lower, parent=upper, valid_from=until)
    free = make_relation(session, child=lower, parent=upper, valid_from=until, role=RelationRole.SUB_AGENT_OF)

    with pytest.raises(RelationOverlapError):
        correct(session, relation, valid_from=EVER_SINCE)
    with pytest.raises(CycleError):
        correct(session, free, valid_from=EVER_SINCE)
    with pytest.raises(ConflictError):
        correct(session, relation, valid_from=until, version=9)


def test_a_branch_stands_where_the_tree_of_units_says(session: Session) -> None:
    with pytest.raises(UnitPartyError):
        relate(
            session,
            child_id=unit_party(session, make_unit(session)).id,
            parent_id=make_party(session).id,
            role=RelationRole.CONTRACTED_BY,
            valid_from=MARCH,
            actor_id=1,
        )


def test_an_alias_is_noted_once(session: Session) -> None:
    party = make_party(session)

    for _ in range(2):
        add_alias(session, party.id, name="联通外呼", source="投诉", actor_id=1)

    assert session.scalars(select(PartyAlias.name).where(PartyAlias.party_id == party.id)).all() == ["联通外呼"]


def test_a_merged_entry_leads_to_the_one_that_stays_in_one_step(session: Session) -> None:
    first, second, third = (make_party(session, name=name) for name in ("甲", "乙", "丙"))

    merge_party(session, first.id, into_id=second.id, reason="同一家", actor_id=1)
    merge_party(session, second.id, into_id=third.id, reason="同一家", actor_id=1)

    session.refresh(first)
    assert (first.merged_into_id, second.merged_into_id) == (third.id, third.id)
    assert session.scalars(select(PartyAlias.name).where(PartyAlias.party_id == third.id)).all() == ["乙"]


def test_a_merged_entry_takes_nothing_new(session: Session) -> None:
    old, new = make_party(session), make_party(session)
    merge_party(session, old.id, into_id=new.id, reason="同一家", actor_id=1)

    with pytest.raises(MergedError):
        relate(
            session,
            child_id=new.id,
            parent_id=old.id,
            role=RelationRole.CONTRACTED_BY,
            valid_from=MARCH,
            actor_id=1,
        )


def test_two_links_of_one_chain_are_not_one_party(session: Session) -> None:
    worker, employer = make_party(session), make_party(session)
    make_relation(session, child=worker, parent=employer, role=RelationRole.STAFFED_TO)

    for party, into in ((worker, employer), (employer, worker), (worker, worker)):
        with pytest.raises(CycleError):
            merge_party(session, party.id, into_id=into.id, reason="x", actor_id=1)


def test_an_entry_with_open_money_is_not_merged_away(session: Session) -> None:
    party, into = make_party(session), make_party(session)
    make_entry(session, dimension_id=party.id)

    with pytest.raises(OpenMoneyError):
        merge_party(session, party.id, into_id=into.id, reason="x", actor_id=1)

    assert party.merged_into_id is None
