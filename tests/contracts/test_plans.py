"""The plan catalogue: which plan was published when, at what price, on which channels."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.audit.models import AuditEvent
from supervise.contracts.models import Plan
from supervise.contracts.plan_queries import plan_periods
from supervise.contracts.plans import (
    PlanOverlapError,
    PlanTerms,
    PriceError,
    correct_plan,
    end_publication,
    publish_plan,
)
from supervise.errors import ConflictError
from supervise.parties.models import SalesChannelKind
from supervise.parties.refusals import PeriodOrderError

MARCH = dt.date(2026, 3, 1)
DAY = dt.timedelta(days=1)
HALLS = frozenset({SalesChannelKind.HALL})


def terms(**changed: Any) -> PlanTerms:
    facts: dict[str, Any] = {"name": "畅享套餐", "monthly_price_fen": 59_00, "published_from": MARCH}
    return PlanTerms(**facts | changed)


def publish(session: Session, **changed: Any) -> Plan:
    return publish_plan(session, "CX59", terms(**changed), actor_id=1)


def test_a_plan_is_published_from_its_first_day_until_the_day_without_it(session: Session) -> None:
    row = publish(session, kinds=HALLS, channel_codes=frozenset({"QD001"}))
    end_publication(session, row.id, on=MARCH + 10 * DAY, reason="停售", actor_id=1)
    publish_plan(session, "CX99", terms(), actor_id=1)

    narrowed, everywhere = plan_periods(session)

    assert (narrowed.code, narrowed.published_from, narrowed.published_to) == ("CX59", MARCH, MARCH + 10 * DAY)
    assert (narrowed.kinds, narrowed.channel_codes) == (HALLS, frozenset({"QD001"}))
    assert (everywhere.code, everywhere.published_to) == ("CX99", None)
    assert (everywhere.kinds, everywhere.channel_codes) == (frozenset(), frozenset())


def test_a_code_is_published_once_at_a_time(session: Session) -> None:
    publish(session, published_to=MARCH + DAY)
    with pytest.raises(PlanOverlapError) as refusal:
        publish(session)
    assert refusal.value.parameters["name"] == "畅享套餐"

    publish(session, published_from=MARCH + DAY, monthly_price_fen=69_00)

    assert [one.monthly_price_fen for one in plan_periods(session)] == [59_00, 69_00]
    session.add(Plan(code="CX59", name="重复", monthly_price_fen=1, published_from=MARCH))
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_plan_that_makes_no_sense_is_refused(session: Session) -> None:
    with pytest.raises(PriceError):
        publish(session, monthly_price_fen=-1)
    with pytest.raises(PeriodOrderError):
        publish(session, published_to=MARCH)

    session.add(Plan(code="CX59", name="倒贴", monthly_price_fen=-1, published_from=MARCH))
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_a_correction_replaces_the_channels_and_the_trail_keeps_them(session: Session) -> None:
    row = publish(session, kinds=HALLS)
    online = terms(kinds=frozenset({SalesChannelKind.ONLINE}))

    correct_plan(session, row.id, online, reason="渠道录错", version=1, actor_id=1)

    assert plan_periods(session)[0].kinds == {SalesChannelKind.ONLINE}
    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "plan.corrected")).one()
    assert event.changes == {"channel_kinds": [["hall"], ["online"]]}
    with pytest.raises(ConflictError):
        correct_plan(session, row.id, online, reason="再改", version=1, actor_id=1)
