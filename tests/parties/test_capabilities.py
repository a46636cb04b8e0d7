"""What parties may do, and to whom channel codes lead: dated, one at a time, corrected with the trail kept."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.errors import ConflictError
from supervise.parties.capabilities import correct_capability, end_capability, grant_capability
from supervise.parties.capability_queries import capability_periods
from supervise.parties.merge import merge_party
from supervise.parties.models import Capability, PartyCapability, PartyStatus, SalesChannel, SalesChannelKind
from supervise.parties.refusals import (
    CapabilityOverlapError,
    MergedError,
    PeriodOrderError,
    SalesChannelOverlapError,
    TerminatedPartyError,
)
from supervise.parties.sales_channel_queries import sales_channel_periods
from supervise.parties.sales_channels import assign_channel, correct_channel, end_channel
from supervise.parties.units import merge_unit
from tests.factories.parties import make_capability, make_channel, make_party, make_unit, unit_party

MARCH = dt.date(2026, 3, 1)
DAY = dt.timedelta(days=1)


def grant(session: Session, party_id: int, **changed: Any) -> PartyCapability:
    facts: dict[str, Any] = {
        "capability": Capability.OUTBOUND_CALL,
        "area_unit_id": None,
        "valid_from": MARCH,
        "source": "外呼授权书",
    }
    return grant_capability(session, party_id=party_id, **facts | changed, actor_id=1)


def test_a_capability_holds_from_its_first_day_until_the_day_without_it(session: Session) -> None:
    agent = make_party(session)
    row = grant(session, agent.id)

    end_capability(session, row.id, on=MARCH + 10 * DAY, reason="合同终止", actor_id=1)

    [period] = capability_periods(session)
    assert period == (agent.id, Capability.OUTBOUND_CALL, None, MARCH, MARCH + 10 * DAY)


def test_the_same_may_be_granted_for_another_area_but_not_twice_for_one(session: Session) -> None:
    agent, area = make_party(session, name="宏鼎"), make_unit(session)
    grant(session, agent.id)
    grant(session, agent.id, area_unit_id=area.id)

    for area_unit_id in (None, area.id):
        with pytest.raises(CapabilityOverlapError) as refusal:
            grant(session, agent.id, area_unit_id=area_unit_id, valid_from=MARCH + DAY)
        assert refusal.value.parameters["name"] == "宏鼎"


@pytest.mark.parametrize("with_area", [False, True])
def test_the_database_refuses_a_second_row_of_a_capability(session: Session, with_area: bool) -> None:  # noqa: FBT001
    agent = make_party(session)
    area_unit_id = make_unit(session).id if with_area else None
    grant(session, agent.id, area_unit_id=area_unit_id)

    with pytest.raises(IntegrityError):
        make_capability(session, party=agent, area_unit_id=area_unit_id)
    session.rollback()


def test_who_takes_nothing_new_is_granted_nothing(session: Session) -> None:
    gone, merged = make_party(session, status=PartyStatus.TERMINATED), make_party(session)
    merge_party(session, merged.id, into_id=make_party(session).id, reason="同一家", actor_id=1)

    with pytest.raises(TerminatedPartyError):
        grant(session, gone.id)
    with pytest.raises(MergedError):
        grant(session, merged.id)
    with pytest.raises(PeriodOrderError):
        grant(session, make_party(session).id, valid_to=MARCH)


def test_a_correction_keeps_what_was_and_notices_a_colleague(session: Session) -> None:
    row = grant(session, make_party(session).id)
    change: dict[str, Any] = {"valid_to": None, "source": "补充协议", "reason": "日期录错", "actor_id": 1}

    correct_capability(session, row.id, valid_from=MARCH + DAY, version=1, **change)

    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "party.capability_corrected")).one()
    assert event.changes is not None
    assert event.changes["valid_from"] == [f"{MARCH}", f"{MARCH + DAY}"]
    assert event.changes["source"] == ["外呼授权书", "补充协议"]
    with pytest.raises(ConflictError):
        correct_capability(session, row.id, valid_from=MARCH, version=1, **change)


def test_a_later_end_may_not_run_into_the_next_period(session: Session) -> None:
    agent = make_party(session)
    first = grant(session, agent.id, valid_to=MARCH + DAY)
    grant(session, agent.id, valid_from=MARCH + DAY)

    with pytest.raises(CapabilityOverlapError):
        end_capability(session, first.id, on=MARCH + 2 * DAY, reason=None, actor_id=1)


def test_a_merged_partys_periods_are_the_survivors(session: Session) -> None:
    old, new = make_party(session), make_party(session)
    grant(session, old.id)
    make_channel(session, party=old)
    merge_party(session, old.id, into_id=new.id, reason="同一家", actor_id=1)

    assert [period.party_id for period in capability_periods(session)] == [new.id]
    assert [period.party_id for period in sales_channel_periods(session)] == [new.id]


def assign(session: Session, party_id: int, **changed: Any) -> SalesChannel:
    facts: dict[str, Any] = {
        "channel_code": "QD001",
        "name": "三里店营业厅",
        "kind": SalesChannelKind.HALL,
        "valid_from": MARCH,
    }
    return assign_channel(session, party_id=party_id, **facts | changed, actor_id=1)


def test_a_channel_code_leads_to_one_party_after_another(session: Session) -> None:
    first, second = make_party(session), make_party(session)
    row = assign(session, first.id)

    end_channel(session, row.id, on=MARCH + DAY, reason="转让", actor_id=1)
    assign(session, second.id, valid_from=MARCH + DAY)

    assert [(one.channel_code, one.party_id) for one in sales_channel_periods(session)] == [
        ("QD001", first.id),
        ("QD001", second.id),
    ]


def test_a_channel_code_that_leads_to_somebody_is_refused_in_words_and_by_the_database(session: Session) -> None:
    holder = make_party(session, name="宏鼎")
    row = assign(session, holder.id)

    with pytest.raises(SalesChannelOverlapError) as refusal:
        assign(session, make_party(session).id, valid_from=MARCH + DAY)
    assert (refusal.value.parameters["code"], refusal.value.parameters["name"]) == ("QD001", "宏鼎")
    with pytest.raises(IntegrityError):
        make_channel(session, party=holder, channel_code=row.channel_code)
    session.rollback()


def test_a_channel_is_corrected_to_another_party_but_not_to_one_that_is_gone(session: Session) -> None:
    row, right = assign(session, make_party(session).id), make_party(session)
    gone = make_party(session, status=PartyStatus.TERMINATED)

    def correct(party_id: int, version: int) -> None:
        correct_channel(
            session,
            row.id,
            name="三里店合作厅",
            kind=SalesChannelKind.AGENT_OUTLET,
            party_id=party_id,
            valid_from=MARCH,
            valid_to=None,
            reason="录错归属",
            version=version,
            actor_id=1,
        )

    correct(right.id, 1)

    assert (row.party_id, row.kind, row.version) == (right.id, SalesChannelKind.AGENT_OUTLET, 2)
    with pytest.raises(ConflictError):
        correct(right.id, 1)
    with pytest.raises(TerminatedPartyError):
        correct(gone.id, 2)


def test_a_merged_branchs_channels_go_over_on_the_day_and_its_capabilities_do_not(session: Session) -> None:
    old, new = make_unit(session), make_unit(session)
    from_party, to_party = unit_party(session, old), unit_party(session, new)
    make_channel(session, party=from_party)
    make_capability(session, party=from_party)

    merge_unit(session, old.id, into_id=new.id, on=MARCH, reason="机构调整", actor_id=1)

    periods = [(one.party_id, one.valid_to) for one in sales_channel_periods(session)]
    assert periods == [(from_party.id, MARCH), (to_party.id, None)]
    assert session.scalars(select(PartyCapability.party_id)).all() == [from_party.id]
