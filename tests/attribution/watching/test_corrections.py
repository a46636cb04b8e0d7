"""A register behind what was found is corrected: the days that it speaks of are due again, and no others."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.rounds import WATCH, note_round
from supervise.attribution.watching.corrections import CONCERNED
from supervise.attribution.watching.keeping import due_days, keep, look
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.looking import Watch, rows_of
from supervise.attribution.watching.models import WatchedIncident, WatchFindingDay
from supervise.attribution.watching.opening import Opened, open_incidents
from supervise.contracts.plans import PlanTerms, publish_plan
from supervise.db import Database
from supervise.donotcall.models import PermissionScope
from supervise.donotcall.record import record_refusal
from supervise.evidence.models import RecordKind
from supervise.parties.capabilities import grant_capability
from supervise.parties.models import Capability, SalesChannelKind
from supervise.parties.numbers import correct_period, end_holding, hold
from supervise.parties.sales_channels import assign_channel
from supervise.parties.staff import assign_staff_number
from supervise.views.audit_actions import ACTIONS
from tests.databases import opened
from tests.factories.complaints import KEYRING
from tests.factories.complaints import make_number as make_subscriber
from tests.factories.parties import make_capability, make_holder, make_number, make_party, make_unit
from tests.factories.records import write_records
from tests.worlds import Worlds

FIRST, DAY, LAST = (dt.date(2026, 9, day) for day in (10, 20, 29))
LOOKED_AT = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
CORRECTED_AT = LOOKED_AT + dt.timedelta(hours=5)


@pytest.fixture(scope="module")
def standing_database(worlds: Worlds) -> Iterator[Database]:
    with worlds.clone(make_watched) as clone, opened(clone.url) as database:
        yield database


def make_watched(session: Session) -> None:
    """Calls by night and orders on three days, looked through for every kind."""
    make_capability(session, party=make_party(session, code="P-2"))
    with clock.pretending(LOOKED_AT - dt.timedelta(days=1)):
        publish_plan(session, "PLAN1", PlanTerms("套餐一", 5900, FIRST - dt.timedelta(days=90)), actor_id=1)
    for day in (FIRST, DAY, LAST):
        at = clock.from_china(dt.datetime.combine(day, dt.time(22)))
        call = {"caller": "02988880000", "subscriber": "13912345678", "started_at": at, "staff_number": "8001"}
        write_records(session, KEYRING, RecordKind.CALLS, [call])
        order = {"subscriber": "13912345678", "ordered_at": at, "channel_code": "QD01", "plan_after": "PLAN1"}
        write_records(session, KEYRING, RecordKind.ORDERS, [order], platform="boss")
    look_through(session, LOOKED_AT)


def look_through(session: Session, at: dt.datetime) -> None:
    with clock.pretending(at):
        for day, kinds in due_days(session).items():
            for kind in kinds:
                looked = look(session, kind, day)
                assert looked is not None
                keep(session, looked)
        note_round(session, WATCH, at)
        session.flush()


def due(session: Session, kind: Irregularity) -> list[dt.date]:
    return [day for day, kinds in sorted(due_days(session).items()) if kind in kinds]


def late_holder(session: Session) -> None:
    number = make_number(session)
    hold(session, number_id=number.id, party_id=_party(session), held_from=_at(DAY), source="补录", actor_id=1)


def late_worker(session: Session) -> None:
    assign_staff_number(
        session, carrier_code="CU", staff_number="8001", employer_id=_party(session), valid_from=DAY, actor_id=1
    )


def late_channel(session: Session) -> None:
    assign_channel(
        session,
        channel_code="QD01",
        name="合作厅",
        kind=SalesChannelKind.AGENT_OUTLET,
        party_id=_party(session),
        valid_from=DAY,
        actor_id=1,
    )


def late_capability(session: Session) -> None:
    grant_capability(
        session,
        party_id=_party(session),
        capability=Capability.OUTBOUND_CALL,
        area_unit_id=None,
        valid_from=DAY,
        valid_to=None,
        source="授权书",
        actor_id=1,
    )


def late_plan(session: Session) -> None:
    publish_plan(session, "PLAN2", PlanTerms("套餐二", 7900, DAY), actor_id=1)


def late_refusal(session: Session) -> None:
    record_refusal(
        session,
        number_id=make_subscriber(session).id,
        scope=PermissionScope.MARKETING_CALLS,
        said_at=_at(DAY),
        channel="12321",
        source="12321-77",
        actor_id=1,
    )


def _party(session: Session) -> int:
    return make_party(session, code="P-9").id


def _at(day: dt.date) -> dt.datetime:
    return clock.from_china(dt.datetime.combine(day, dt.time(12)))


@pytest.mark.parametrize(
    ("correct", "kind", "other"),
    [
        (late_holder, Irregularity.OUTSIDE_HOURS, Irregularity.PLAN_UNKNOWN),
        (late_worker, Irregularity.STAFF_PACE, Irregularity.PORT_VOLUME),
        (late_channel, Irregularity.PLAN_NOT_ON_CHANNEL, Irregularity.OUTSIDE_HOURS),
        (late_capability, Irregularity.NO_PERMISSION, Irregularity.OUTSIDE_HOURS),
        (late_plan, Irregularity.PLAN_UNPUBLISHED, Irregularity.ORDER_STEP_MISSING),
        (late_refusal, Irregularity.AFTER_REFUSAL, Irregularity.OUTSIDE_HOURS),
    ],
)
def test_what_a_register_says_later_of_an_earlier_day_makes_that_day_and_those_after_it_due(
    session: Session, correct: Callable[[Session], None], kind: Irregularity, other: Irregularity
) -> None:
    assert due_days(session) == {}

    with clock.pretending(CORRECTED_AT):
        correct(session)

    assert due(session, kind) == [DAY, LAST]
    assert due(session, other) == []

    look_through(session, CORRECTED_AT + dt.timedelta(hours=1))
    assert due_days(session) == {}


def test_a_register_that_is_kept_from_today_on_makes_no_earlier_day_due(session: Session) -> None:
    with clock.pretending(CORRECTED_AT):
        number = make_number(session)
        holder = hold(
            session, number_id=number.id, party_id=_party(session), held_from=clock.now(), source="合同", actor_id=1
        )
        end_holding(session, holder.id, at=clock.now() + dt.timedelta(days=9), reason=None, actor_id=1)

    assert due_days(session) == {}


def test_a_corrected_period_concerns_the_days_between_as_it_was_and_as_it_is(session: Session) -> None:
    holder = make_holder(session, party=make_party(session, code="P-9"), held_from=_at(FIRST), held_to=_at(LAST))

    with clock.pretending(CORRECTED_AT):
        correct_period(
            session,
            holder.id,
            held_from=_at(FIRST),
            held_to=_at(DAY),
            reason="补录",
            version=holder.version,
            actor_id=1,
        )

    assert due(session, Irregularity.OUTSIDE_HOURS) == [FIRST, DAY, LAST]
    look_through(session, CORRECTED_AT + dt.timedelta(hours=1))

    with clock.pretending(CORRECTED_AT + dt.timedelta(hours=2)):
        end_holding(session, holder.id, at=_at(DAY - dt.timedelta(days=5)), reason=None, actor_id=1)

    assert due(session, Irregularity.OUTSIDE_HOURS) == [DAY]


def test_a_day_that_was_looked_through_while_a_correction_was_under_way_is_done_once_more(session: Session) -> None:
    with clock.pretending(CORRECTED_AT):
        late_holder(session)

    look_through(session, CORRECTED_AT + dt.timedelta(minutes=1))
    assert due(session, Irregularity.OUTSIDE_HOURS) == [DAY, LAST]

    look_through(session, CORRECTED_AT + dt.timedelta(minutes=11))
    assert due_days(session) == {}


def test_a_line_whose_records_are_another_partys_keeps_its_address_and_what_was_opened_from_it(
    session: Session,
) -> None:
    nobody = session.scalars(
        sa.select(WatchFindingDay).where(
            WatchFindingDay.kind == Irregularity.OUTSIDE_HOURS, WatchFindingDay.on_day == DAY
        )
    ).one()
    rows = rows_of(Watch(session, DAY), Irregularity.OUTSIDE_HOURS, None).to_pylist()
    open_incidents(session, Irregularity.OUTSIDE_HOURS, rows, unit_id=None, actor_id=1)

    with clock.pretending(CORRECTED_AT):
        unit = make_unit(session)
        agent = make_party(session, code="P-9", sponsor=unit)
        number = make_number(session)
        hold(session, number_id=number.id, party_id=agent.id, held_from=_at(FIRST), source="补录", actor_id=1)
    look_through(session, CORRECTED_AT + dt.timedelta(hours=1))

    lines = {
        line.party_id: line
        for line in session.scalars(
            sa.select(WatchFindingDay).where(
                WatchFindingDay.kind == Irregularity.OUTSIDE_HOURS, WatchFindingDay.on_day == DAY
            )
        )
    }
    assert lines[None].id == nobody.id
    assert (lines[None].records, lines[None].is_suspected) == (0, False)
    assert (lines[agent.id].records, lines[agent.id].unit_id, lines[agent.id].is_suspected) == (1, unit.id, True)

    again = rows_of(Watch(session, DAY), Irregularity.OUTSIDE_HOURS, agent.id).to_pylist()
    opened = open_incidents(session, Irregularity.OUTSIDE_HOURS, again, unit_id=unit.id, actor_id=1)
    assert [one.outcome for one in opened] == [Opened.BEFORE]
    assert session.scalar(sa.select(sa.func.count()).select_from(WatchedIncident)) == 1


def test_every_action_that_is_said_to_concern_findings_is_one_that_the_trail_knows() -> None:
    assert set(ACTIONS) >= set(CONCERNED)
