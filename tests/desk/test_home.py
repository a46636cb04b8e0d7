"""What waits for whom, the figures above the queue, and views that people keep."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import ROLE_PERMISSIONS, Role
from supervise.complaints.models import CalendarYear, TicketState
from supervise.desk import overview
from supervise.desk import worker as limits
from supervise.desk.counts import waiting_counts
from supervise.desk.home import missing_calendars, tasks_of
from supervise.desk.parties import UnknownPartyError, party_named
from supervise.desk.saved_views import NameTakenError, delete_view, save_view, views_for
from supervise.desk.worker import Worker
from supervise.errors import NotFoundError
from supervise.parties.models import PartyAlias
from supervise.parties.scope import Scope
from supervise.penalties.exchange import ask_party
from supervise.penalties.objections import file_objection
from tests.factories.access import make_user
from tests.factories.attribution import attribute, make_proven_incident
from tests.factories.complaints import make_incident, make_ticket
from tests.factories.desk import make_override, make_view
from tests.factories.parties import make_party, make_unit
from tests.factories.penalties import (
    approve_all,
    make_approved_penalty,
    make_charged_partner,
    make_contact,
    make_supervisor,
    propose,
)


def worker(user: User, scope: Scope | None = None) -> Worker:
    return Worker(user.id, ROLE_PERMISSIONS[Role(user.role)], scope or Scope.everything())


def task(session: Session, user: User, words: str, scope: Scope | None = None) -> int:
    tasks = tasks_of(session, worker(user, scope), clock.today())
    return next((one.rows for one in tasks if one.words == words), 0)


def test_a_triager_is_told_of_tickets_and_calls_and_a_supervisor_of_amounts(session: Session) -> None:
    charged = make_charged_partner(session)
    make_incident(session, caller_number=None)
    propose(session, make_proven_incident(session, party=charged.party))
    triager, supervisor = make_user(session, role=Role.TRIAGER), make_supervisor(session)

    assert waiting_counts(session, worker(triager)) == {
        "tickets.queue": 2,
        "incidents.unattributed": 1,
        "register_proposals.index": 0,
    }
    assert waiting_counts(session, worker(supervisor)) == {"approvals.index": 1}


def test_amounts_that_one_made_oneself_do_not_wait_for_one(session: Session) -> None:
    charged, supervisor = make_charged_partner(session), make_supervisor(session)
    propose(session, make_proven_incident(session, party=charged.party), actor_id=supervisor.id)

    assert waiting_counts(session, worker(supervisor))["approvals.index"] == 0


def test_counting_stops_at_the_limit_and_at_the_scope(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COUNT_MAX", 2)
    for _ in range(3):
        make_ticket(session)
    clerk = make_user(session)

    assert waiting_counts(session, worker(clerk)) == {"tickets.queue": 2}
    assert waiting_counts(session, worker(clerk, Scope.nothing())) == {"tickets.queue": 0}


def test_late_work_comes_first(session: Session) -> None:
    today = clock.today()
    clerk = make_user(session)
    make_ticket(session, due_on=today)
    make_ticket(session, due_on=today - dt.timedelta(days=1))

    tasks = tasks_of(session, worker(clerk), today)

    assert [(one.words, one.rows, one.is_urgent) for one in tasks] == [
        ("Late tickets", 1, True),
        ("Tickets to answer", 2, False),
        ("Tickets due today", 1, False),
    ]


def test_an_override_waits_for_others_than_its_maker(session: Session) -> None:
    maker, other = make_supervisor(session), make_supervisor(session, username="second")
    make_override(session, actor_id=maker.id)

    assert task(session, other, "Overrides to confirm") == 1
    assert task(session, maker, "Overrides to confirm") == 0


def test_a_partner_is_told_of_a_penalty_and_an_administrator_of_passwords(session: Session) -> None:
    penalty = make_approved_penalty(session, charged=make_charged_partner(session))
    partner = make_user(session, role=Role.PARTNER_CONTACT)
    admin = make_user(session, role=Role.ADMIN, password_is_initial=True)
    scope = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({penalty.party_id}))

    line, notice = tasks_of(session, worker(partner, scope), clock.today())

    assert (line.words, line.rows, line.endpoint) == ("Penalties to look at", 1, "penalties.index")
    assert (notice.words, notice.rows, notice.endpoint) == ("Notices to open", 1, "notices.index")
    assert task(session, admin, "Users with an initial password") == 1


def test_notices_wait_for_their_readers_or_for_the_post_and_questions_for_answers(session: Session) -> None:
    charged, without_account = make_charged_partner(session), make_charged_partner(session)
    contact = make_contact(session, charged)
    for party in (charged, without_account):
        make_approved_penalty(session, charged=party)
    asker, judge = make_supervisor(session), make_supervisor(session, username="judge")
    scope = Scope(sees_everything=False, unit_ids=frozenset(), party_ids=frozenset({charged.party.id}))

    assert task(session, contact, "Notices to open", scope) == 1
    assert task(session, asker, "Notices to print and deliver") == 1
    penalty = make_approved_penalty(session, charged=charged)
    objection = file_objection(session, penalty.id, "号码当日已退租", scope, actor_id=contact.id)
    ask_party(session, objection.id, "哪天退租?", actor_id=judge.id)

    assert task(session, contact, "Notices to open", scope) == 1  # the second one was opened by objecting
    assert task(session, contact, "Questions about our objections", scope) == 1


def test_the_calendar_of_the_next_year_is_asked_for_from_november_on(session: Session) -> None:
    year = session.merge(CalendarYear(year=2091, source="test", loaded_at=clock.now()))
    session.flush()

    assert missing_calendars(session, dt.date(year.year, 10, 31)) == []
    assert missing_calendars(session, dt.date(year.year, 11, 1)) == [2092]


def test_figures_count_what_waits_and_what_was_approved_this_month(session: Session) -> None:
    today = clock.today()
    charged = make_charged_partner(session)
    make_approved_penalty(session, charged=charged)
    make_ticket(session, due_on=today - dt.timedelta(days=1))
    make_ticket(session, due_on=today, state=TicketState.REPLIED)
    before = overview.month_start(today)

    waiting = overview.waiting_tickets(session, Scope.everything(), today)

    assert (waiting.unanswered, waiting.soon) == (2, 0)
    assert overview.penalties_approved(session, Scope.everything(), before) == (20000, 1)
    assert overview.penalties_approved(session, Scope.everything(), clock.now() + dt.timedelta(hours=1)) == (0, 0)
    assert overview.penalties_approved(session, Scope.nothing(), before) == (0, 0)


def test_proposed_amounts_are_no_money_of_the_month(session: Session) -> None:
    charged = make_charged_partner(session)
    [penalty] = propose(session, make_proven_incident(session, party=charged.party))
    since = overview.month_start(clock.today())
    assert overview.penalties_approved(session, Scope.everything(), since).rows == 0

    approve_all(session, penalty)

    assert overview.penalties_approved(session, Scope.everything(), since).rows == 1


def test_complaints_are_charted_by_the_branch_above_and_the_week(session: Session) -> None:
    today = clock.today()
    province = make_unit(session, name="省公司")
    city = make_unit(session, name="城东分公司", parent=province)
    county = make_unit(session, name="东郊县", parent=city)
    now = clock.now()
    for unit, back in ((city, 0), (county, 0), (county, 14), (county, 100)):
        make_ticket(session, unit=unit, received_at=now - dt.timedelta(days=back))

    weeks = overview.weeks_by_branch(session, Scope.everything(), today)

    assert len(weeks.firsts) == 7
    assert weeks.firsts[-1] <= today < weeks.firsts[-1] + dt.timedelta(days=7)
    assert dict(weeks.series)["城东分公司"] == (0, 0, 0, 0, 1, 0, 2)


def test_more_branches_than_colours_share_the_last_one(session: Session) -> None:
    province = make_unit(session, name="省公司")
    for place in range(8):
        unit = make_unit(session, name=f"{place}号分公司", parent=province)
        make_ticket(session, unit=unit, received_at=clock.now())

    weeks = overview.weeks_by_branch(session, Scope.everything(), clock.today())

    assert len(weeks.series) == 7
    assert weeks.series[-1][1][-1] == 2


def test_parties_are_ranked_by_calls_since_a_day(session: Session) -> None:
    busy, quiet = make_party(session, name="甲"), make_party(session, name="乙")
    for party in (busy, busy, quiet):
        attribute(session, incident=make_incident(session, caller_number=None), party=party)
    day = dt.date(2026, 9, 29)

    assert [(one.name, one.calls) for one in overview.most_complained(session, Scope.everything(), day)] == [
        ("甲", 2),
        ("乙", 1),
    ]
    assert overview.most_complained(session, Scope.everything(), day + dt.timedelta(days=1)) == []


def test_a_view_is_its_owners_and_shared_ones_are_everybodys(session: Session) -> None:
    one, other = make_user(session), make_user(session, username="other")
    save_view(session, name="超时", query="due=late", shared=False, actor_id=one.id)
    shared = save_view(session, name="共享", query="due=today", shared=True, actor_id=one.id)

    assert [line.view.name for line in views_for(session, one.id)] == ["共享", "超时"]
    assert [(line.view.name, line.is_own) for line in views_for(session, other.id)] == [("共享", False)]
    with pytest.raises(NotFoundError):
        delete_view(session, shared.id, actor_id=other.id)
    delete_view(session, shared.id, actor_id=one.id)
    assert views_for(session, other.id) == []


def test_two_views_of_a_user_have_two_names(session: Session) -> None:
    user = make_user(session)
    make_view(session, user_id=user.id, name="超时")

    with pytest.raises(NameTakenError):
        save_view(session, name="超时", query="", shared=False, actor_id=user.id)


def test_a_party_is_found_by_code_name_or_alias_and_never_by_half(session: Session) -> None:
    party = make_party(session, code="HX01", name="华信代理")
    session.add(PartyAlias(party_id=party.id, name="华信", source="来电自称"))
    session.flush()

    assert {party_named(session, text).id for text in ("HX01", "HX01 华信代理", "华信代理", " 华信 ")} == {party.id}
    with pytest.raises(UnknownPartyError):
        party_named(session, "华")


def test_a_name_of_two_parties_is_refused_with_their_codes(session: Session) -> None:
    make_party(session, code="A1", name="同名公司")
    make_party(session, code="A2", name="同名公司")

    with pytest.raises(UnknownPartyError) as refusal:
        party_named(session, "同名公司")

    assert refusal.value.parameters["codes"] == "A1, A2"


def test_a_merged_party_stands_for_the_one_it_became(session: Session) -> None:
    survivor, merged = make_party(session, code="S1"), make_party(session, code="M1")
    merged.merged_into_id = survivor.id
    session.flush()

    assert party_named(session, "M1").id == survivor.id
