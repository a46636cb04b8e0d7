"""Notices: one for each charged party and run, delivered as a whole, on paper where nobody can look, accepted by line."""

import datetime as dt

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise.complaints.models import DayType
from supervise.desk.consistency import discrepancies
from supervise.errors import AlreadyDecidedError, InvalidInputError, NotFoundError
from supervise.parties.scope import Scope
from supervise.penalties.acceptance import AcceptedError, ObjectedError, accept
from supervise.penalties.delivery import (
    AlreadyDeliveredError,
    AlreadyListedError,
    NobodyReachedError,
    list_in_application,
    record_delivery,
)
from supervise.penalties.finalise import finalise_due
from supervise.penalties.models import Penalty, PenaltyState, WindowStart
from supervise.penalties.notice_models import Notice, NoticeLine, NoticeState, state_on
from supervise.penalties.objections import file_objection
from supervise.penalties.windows import acknowledge, open_by_charged_party
from tests.factories.attribution import make_proven_incident
from tests.factories.complaints import CALLED_AT
from tests.factories.contracts import make_contract, make_rule
from tests.factories.penalties import (
    Charged,
    approve_all,
    make_approved_penalty,
    make_charged_branch,
    make_charged_partner,
    make_contact,
    make_supervisor,
    propose,
)

CONTACT = 931
#: A Monday, ten in the morning in China.
MONDAY = dt.datetime(2026, 10, 12, 2, tzinfo=dt.UTC)
LAST_DAY = dt.date(2026, 10, 19)


@pytest.fixture(autouse=True)
def _monday() -> object:
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield traveller


@pytest.fixture
def charged(session: Session) -> Charged:
    charged = make_charged_partner(session, appeal_days=5, deemed_days=3)
    make_contact(session, charged)
    return charged


def own(charged: Charged) -> Scope:
    return Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({charged.party.id}))


def lines_of(session: Session, *charged: Charged) -> list[Penalty]:
    """Two calls of each party, approved in one run."""
    incidents = [make_proven_incident(session, party=one.party) for one in charged for _ in range(2)]
    penalties = propose(session, *incidents)
    assert [result.refusal for result in approve_all(session, *penalties)] == [None] * len(penalties)
    return penalties


def notices(session: Session) -> list[Notice]:
    return list(session.scalars(sa.select(Notice).order_by(Notice.id)))


def on_paper(session: Session) -> tuple[Notice, Penalty]:
    penalty = make_approved_penalty(session, charged=make_charged_partner(session, appeal_days=5))
    return notices(session)[-1], penalty


# Issue and delivery


def test_each_charged_party_of_a_run_gets_one_notice_with_its_own_lines(session: Session, charged: Charged) -> None:
    other = make_charged_branch(session)
    make_contact(session, other, username="manager")

    penalties = lines_of(session, charged, other)

    first, second = notices(session)
    assert [(one.party_id, one.lines, one.total_fen) for one in (first, second)] == [
        (charged.party.id, 2, 40000),
        (other.party.id, 2, 40000),
    ]
    rows = session.execute(sa.select(NoticeLine.penalty_id).where(NoticeLine.notice_id == second.id))
    assert {row.penalty_id for row in rows} == {one.id for one in penalties if one.party_id == other.party.id}
    assert discrepancies(session) == []


def test_opening_one_line_starts_the_window_of_the_whole_notice(session: Session, charged: Charged) -> None:
    first, second = lines_of(session, charged)

    assert open_by_charged_party(session, [first.id], own(charged), actor_id=CONTACT) == [first.id, second.id]

    [notice] = notices(session)
    assert (notice.delivery, notice.delivered_on, notice.recorded_by) == (WindowStart.OPENED, MONDAY.date(), CONTACT)
    assert first.objection_until_on == second.objection_until_on == notice.objection_until_on == LAST_DAY
    assert state_on(notice, LAST_DAY) is NoticeState.RUNNING
    assert state_on(notice, LAST_DAY + dt.timedelta(days=1)) is NoticeState.ENDED


def test_a_notice_that_nobody_opens_counts_as_delivered_with_all_its_lines(session: Session, charged: Charged) -> None:
    lines = lines_of(session, charged)

    with time_machine.travel(MONDAY + dt.timedelta(days=4), tick=False):
        finalise_due(session, dt.date(2026, 10, 16), limit=1)

    [notice] = notices(session)
    assert (notice.delivery, notice.delivered_on, notice.recorded_by) == (
        WindowStart.DEEMED,
        dt.date(2026, 10, 15),
        None,
    )
    assert [line.objection_until_on for line in lines] == [dt.date(2026, 10, 22)] * 2


def test_of_two_contracts_on_a_notice_the_later_last_day_holds_for_both(session: Session) -> None:
    october = dt.date(2026, 10, 1)
    charged = make_charged_partner(session, appeal_days=5, ends_on=october)
    later = make_contract(
        session,
        party=charged.party,
        unit=charged.unit,
        starts_on=october,
        appeal_days=30,
        appeal_day_type=DayType.NATURAL,
    )
    make_rule(session, contract=later)
    calls = [CALLED_AT, MONDAY - dt.timedelta(days=3)]
    first, second = propose(
        session, *(make_proven_incident(session, party=charged.party, occurred_at=at) for at in calls)
    )
    approve_all(session, first, second)

    acknowledge(session, [first.id], own(charged), actor_id=CONTACT)

    assert len({first.contract_id, second.contract_id}) == 2
    assert first.objection_until_on == second.objection_until_on == dt.date(2026, 11, 11)


def test_a_notice_and_its_lines_are_not_rewritten(session: Session, charged: Charged) -> None:
    lines_of(session, charged)
    acknowledge(
        session,
        [notice_line.penalty_id for notice_line in session.scalars(sa.select(NoticeLine))],
        own(charged),
        actor_id=CONTACT,
    )
    session.flush()

    for statement in (
        sa.update(Notice).values(total_fen=1),
        sa.update(Notice).values(objection_until_on=LAST_DAY + dt.timedelta(days=9)),
        sa.delete(NoticeLine),
    ):
        with pytest.raises(IntegrityError, match="not rewritten"), session.begin_nested():
            session.execute(statement)


# On paper


def test_a_party_without_a_contact_is_told_on_paper_and_never_by_the_clock(session: Session) -> None:
    notice, penalty = on_paper(session)

    assert notice.by_post
    assert state_on(notice, MONDAY.date()) is NoticeState.TO_POST
    with time_machine.travel(MONDAY + dt.timedelta(days=60), tick=False):
        assert finalise_due(session, dt.date(2026, 12, 11)) == []
    assert penalty.window_start is None


def test_a_recorded_delivery_starts_the_window_on_its_day(session: Session) -> None:
    notice, penalty = on_paper(session)
    supervisor_id = make_supervisor(session).id

    with time_machine.travel(MONDAY + dt.timedelta(days=3), tick=False):
        record_delivery(
            session, notice.id, WindowStart.POSTED, dt.date(2026, 10, 14), "EMS 1101", actor_id=supervisor_id
        )

        assert (penalty.window_start, penalty.objection_until_on) == (WindowStart.POSTED, dt.date(2026, 10, 21))
        assert (notice.recorded_by, notice.delivery_note) == (supervisor_id, "EMS 1101")
        with pytest.raises(AlreadyDeliveredError, match="2026-10-14"):
            record_delivery(
                session, notice.id, WindowStart.HANDED_OVER, dt.date(2026, 10, 15), "张经理", actor_id=supervisor_id
            )


@pytest.mark.parametrize(
    ("how", "on", "note"),
    [
        (WindowStart.POSTED, dt.date(2026, 10, 11), "EMS 1101"),
        (WindowStart.POSTED, dt.date(2026, 10, 13), "EMS 1101"),
        (WindowStart.POSTED, dt.date(2026, 10, 12), "  "),
        (WindowStart.DEEMED, dt.date(2026, 10, 12), "EMS 1101"),
    ],
)
def test_a_delivery_before_the_issue_or_tomorrow_or_without_proof_is_refused(
    session: Session, how: WindowStart, on: dt.date, note: str
) -> None:
    notice, penalty = on_paper(session)

    with pytest.raises(InvalidInputError):
        record_delivery(session, notice.id, how, on, note, actor_id=CONTACT)
    assert penalty.window_start is None


def test_a_notice_on_paper_is_listed_once_somebody_has_an_account_and_counts_from_then(session: Session) -> None:
    charged = make_charged_partner(session, appeal_days=5, deemed_days=3)
    penalty = make_approved_penalty(session, charged=charged)
    [notice] = notices(session)
    make_contact(session, charged)

    with time_machine.travel(MONDAY + dt.timedelta(days=14), tick=False):
        list_in_application(session, notice.id, actor_id=make_supervisor(session).id)

        assert state_on(notice, dt.date(2026, 10, 26)) is NoticeState.ISSUED
        assert notice.counts_on == penalty.deemed_on == dt.date(2026, 10, 29)
        with pytest.raises(AlreadyListedError):
            list_in_application(session, notice.id, actor_id=CONTACT)
        with pytest.raises(IntegrityError, match="listed once"), session.begin_nested():
            session.execute(sa.update(Notice).values(listed_deemed_on=dt.date(2026, 10, 27)))
    # A job that comes late finds the day that was said.
    with time_machine.travel(MONDAY + dt.timedelta(days=18), tick=False):
        finalise_due(session, dt.date(2026, 10, 30))
    assert (notice.delivery, notice.delivered_on) == (WindowStart.DEEMED, dt.date(2026, 10, 29))
    assert penalty.objection_until_on == dt.date(2026, 11, 5)
    assert discrepancies(session) == []


def test_a_contact_who_comes_later_opens_what_waited_on_paper(session: Session) -> None:
    charged = make_charged_partner(session, appeal_days=5)
    penalty = make_approved_penalty(session, charged=charged)
    make_contact(session, charged)

    open_by_charged_party(session, [penalty.id], own(charged), actor_id=CONTACT)

    [notice] = notices(session)
    assert (notice.delivery, penalty.objection_until_on) == (WindowStart.OPENED, LAST_DAY)
    with pytest.raises(AlreadyDeliveredError):
        list_in_application(session, notice.id, actor_id=CONTACT)


def test_what_nobody_can_open_is_not_listed_and_a_listed_notice_still_goes_by_post(session: Session) -> None:
    charged = make_charged_partner(session, appeal_days=5)
    penalty = make_approved_penalty(session, charged=charged)
    [notice] = notices(session)
    with pytest.raises(NobodyReachedError):
        list_in_application(session, notice.id, actor_id=CONTACT)
    make_contact(session, charged)
    list_in_application(session, notice.id, actor_id=CONTACT)

    record_delivery(session, notice.id, WindowStart.HANDED_OVER, MONDAY.date(), "张经理", actor_id=CONTACT)

    assert (penalty.window_start, penalty.objection_until_on) == (WindowStart.HANDED_OVER, LAST_DAY)


# Acceptance


def test_an_accepted_line_is_final_with_the_next_run_and_the_others_wait(session: Session, charged: Charged) -> None:
    first, second = lines_of(session, charged)

    [result] = accept(session, [first.id], own(charged), actor_id=CONTACT)

    assert result.refusal is None
    assert finalise_due(session, MONDAY.date()) == [first.id]
    assert second.state is PenaltyState.APPROVED
    assert second.objection_until_on == LAST_DAY  # the notice was delivered by it
    assert discrepancies(session) == []


def test_what_was_accepted_is_not_objected_to_and_the_other_way_round(session: Session, charged: Charged) -> None:
    first, second = lines_of(session, charged)
    accept(session, [first.id], own(charged), actor_id=CONTACT)
    file_objection(session, second.id, "该号码当日已退租", own(charged), actor_id=CONTACT)

    with pytest.raises(AcceptedError):
        file_objection(session, first.id, "该号码当日已退租", own(charged), actor_id=CONTACT)
    again, objected = accept(session, [first.id, second.id], own(charged), actor_id=CONTACT)

    assert isinstance(again.refusal, AlreadyDecidedError)
    assert isinstance(objected.refusal, ObjectedError)


def test_a_stranger_accepts_nothing(session: Session, charged: Charged) -> None:
    first, _second = lines_of(session, charged)

    [result] = accept(session, [first.id], own(make_charged_partner(session)), actor_id=CONTACT)

    assert isinstance(result.refusal, NotFoundError)
    assert first.window_start is None
