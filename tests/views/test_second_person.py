"""What waits for a second person is listed whole, and every number on a home page is that of the list behind it."""

import html
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.roles import Role
from supervise.compensation.cancel import propose_cancellation
from supervise.compensation.models import PromiseState
from supervise.db import Base
from supervise.desk.second_person import KINDS, waiting_for_second_person
from supervise.desk.worker import Worker
from supervise.evidence.retention import ask_release, place_legal_hold
from supervise.parties.scope import Scope
from tests.authorisation import World, build_world
from tests.factories.access import make_deputy, make_user, sign_in
from tests.factories.attribution import make_proven_incident
from tests.factories.compensation import make_approved_credit, make_credit, make_policy, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT, make_incident, make_ticket
from tests.factories.desk import make_override
from tests.factories.penalties import approve_all, make_charged_branch, make_charged_partner, propose
from tests.factories.settlement import draft_run, make_deposit, make_final_penalty, posted
from tests.views.money_pages import arranged, make_scene, proposed
from tests.views.money_pages import browser as money_browser
from tests.worlds import Clone, Worlds

#: Who writes them decides on them, or they are no proposals: delegations, holds, the ledger's own entries.
NO_PROPOSALS = {"attachment_hold", "deputy", "journal_entry", "regulator_fine"}
_SECTION = re.compile(r'<section class="card"(?: id="([^"]*)")?.*?</section>', re.DOTALL)
_LIST = re.compile(r'<table class="[^"]*" data-rows>.*?<tbody>(.*?)</tbody>', re.DOTALL)
_TASK = re.compile(r'<span class="task-count">(\d+)</span>\s*<a href="([^"]*)">([^<]*)</a>')
#: A row that is shown and is not the reader's turn: a lock, or a sentence that says so.
_SOMEBODY_ELSES = re.compile(r"#lock|You decided it; a second person confirms")


def more_money(session: Session, world: World) -> None:
    """Add to the world what waits for approval, for cancellation and for agreement."""
    charged, branch = make_charged_partner(session), make_charged_branch(session)
    for party in (charged.party, charged.party, branch.party):
        propose(session, make_proven_incident(session, party=party), actor_id=world.users[Role.TRIAGER].id)
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    make_undertaking(session, subscriber=make_victim(session), state=PromiseState.DRAFT)
    make_policy(session, code="DRAFT-1", state=PromiseState.DRAFT)
    make_credit(session, subscriber=victim, occurred_at=CALLED_AT.replace(minute=1))
    for minute in (2, 3):
        credit = make_approved_credit(session, subscriber=victim, occurred_at=CALLED_AT.replace(minute=minute))
    propose_cancellation(session, credit.id, "重复赔偿", actor_id=world.users[Role.FINANCE].id)
    make_override(session)
    hold = place_legal_hold(
        session,
        kind=None,
        from_day=CALLED_AT.date(),
        to_day=None,
        reason="公安调证",
        actor_id=world.users[Role.TRIAGER].id,
    )
    ask_release(session, hold.id, reason="案件已结", actor_id=world.users[Role.TRIAGER].id)
    make_incident(session, ticket=make_ticket(session), caller_number=None)


def whole_world(session: Session) -> World:
    made = build_world(session)
    more_money(session, made)
    return made


@pytest.fixture
def clone(worlds: Worlds) -> Iterator[Clone[World]]:
    with worlds.clone(whole_world) as clone:
        yield clone


@pytest.fixture
def world(app: Flask, clone: Clone[World]) -> World:
    app.config["WTF_CSRF_ENABLED"] = False
    return clone.made


def browser(app: Flask, world: World, role: Role) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("supervise_language", "en")
    with app.app_context(), db.writing() as session:
        sign_in(session, client, world.users[role])
    return client


def rows_of(client: FlaskClient, address: str) -> int:
    """Count the rows of a list that are the reader's turn, page by page; of one section, if the address names it."""
    path, _hash, section = html.unescape(address).partition("#")
    total, seen = 0, set()
    while path and path not in seen:
        seen.add(path)
        page = client.get(path, headers={"Accept-Language": "en"}).text
        total += sum(not _SOMEBODY_ELSES.search(row) for row in _list_rows(page, section))
        following = re.search(r'rel="next"\s+href="([^"]*)"', page)
        path = html.unescape(following[1]) if following else ""
    return total


def _list_rows(page: str, section: str) -> Iterator[str]:
    parts = [found[0] for found in _SECTION.finditer(page) if not section or found[1] == section]
    for part in parts:
        for body in _LIST.findall(part):
            yield from re.findall(r"<tr>.*?</tr>", body, re.DOTALL)


@pytest.mark.parametrize("role", Role)
def test_every_number_on_a_home_page_is_the_length_of_the_list_behind_it(app: Flask, world: World, role: Role) -> None:
    client = browser(app, world, role)
    tasks = _TASK.findall(client.get("/", headers={"Accept-Language": "en"}).text)

    listed = {words: rows_of(client, address) for _count, address, words in tasks}

    assert listed == {words: int(count) for count, _address, words in tasks}
    assert tasks or role in {Role.BRANCH_MANAGER, Role.PARTNER_CONTACT, Role.AUDITOR, Role.ADMIN}


def test_the_second_persons_page_names_every_kind_and_lists_each_row(app: Flask, world: World) -> None:
    page = browser(app, world, Role.SUPERVISOR).get("/approvals/second-person", headers={"Accept-Language": "en"}).text

    with app.app_context(), db.reading() as session:
        me = world.users[Role.SUPERVISOR]
        mine = [kind for kind in KINDS if kind.name != "register_changes"]
        worker = Worker(me.id, frozenset(kind.needs for kind in mine), Scope.everything())
        counted = {one.kind.name: one.rows for one in waiting_for_second_person(session, worker)}
    expected = {
        "penalties": 3,
        "credits": 1,
        "overrides": 2,
        # Four wait; this supervisor approved what they are about.
        "objections": 0,
        "reversals": 1,
        "voids": counted["voids"],
        "cancellations": 1,
        "reopenings": 1,
        "undertakings": counted["undertakings"],
        "policies": 2,
        "contracts": 1,
        "rules": 1,
        "hold_releases": 1,
    }
    assert expected.items() <= counted.items()
    for kind in mine:
        assert kind.words in page
    waiting, quiet = page.split("Nothing for you to decide of:")
    assert {kind.name for kind in mine if kind.words in waiting} >= {name for name, rows in counted.items() if rows}
    assert all(kind.words in quiet for kind in mine if not counted[kind.name])
    listed = {kind.name: len(list(_list_rows(page, kind.name))) for kind in mine if kind.endpoint is None}
    assert listed == {**{name: counted[name] for name in listed}, "objections": 4}
    assert page.count("You approved it: somebody else decides") == 4


def test_every_table_of_two_people_is_among_the_kinds() -> None:
    of_two = {
        table.name
        for table in Base.metadata.tables.values()
        for check in table.constraints
        if str(check.name).endswith("_two_people")
    }
    listed = {name for kind in KINDS for name in re.findall(r"(?:FROM|JOIN) (\w+)", str(kind.matters))}

    assert of_two - NO_PROPOSALS - listed == set()


def test_a_deputy_is_not_told_of_amounts_above_the_limit_or_of_own_proposals(app: Flask, world: World) -> None:
    with app.app_context(), db.writing() as session:
        deputy = make_user(session, username="stand-in", role=Role.TRIAGER)
        make_deputy(session, delegator=world.users[Role.SUPERVISOR], deputy=deputy, limit_fen=100_00)
        worker = Worker(deputy.id, frozenset(kind.needs for kind in KINDS), Scope.everything(), 100_00)
        counted = {one.kind.name: one.rows for one in waiting_for_second_person(session, worker)}
        maker = Worker(world.users[Role.TRIAGER].id, worker.permissions, Scope.everything())
        of_maker = {one.kind.name: one.rows for one in waiting_for_second_person(session, maker)}
        client = app.test_client()
        sign_in(session, client, deputy)

    # A penalty of 200 yuan is too much, a credit of 50 is not.
    assert (counted["penalties"], counted["credits"]) == (0, 1)
    assert of_maker["penalties"] == 0
    tasks = _TASK.findall(client.get("/", headers={"Accept-Language": "en"}).text)
    assert {words: rows_of(client, address) for _count, address, words in tasks} == {
        words: int(count) for count, _address, words in tasks
    }


def test_a_user_without_sight_of_all_rows_has_nothing_to_decide(app: Flask, world: World) -> None:
    assert world.users
    with app.app_context(), db.reading() as session:
        worker = Worker(1, frozenset(kind.needs for kind in KINDS), Scope.nothing())
        assert {one.rows for one in waiting_for_second_person(session, worker)} == {0}


def test_a_branch_is_sent_to_its_own_assessments_and_a_partner_to_its_damages_only(app: Flask) -> None:
    scene = arranged(app, make_scene)

    def approve_one_each(session: Session) -> None:
        of_partner = proposed(session, scene.partner, scene.people["triager"])
        of_branch = proposed(session, scene.branch, scene.people["triager"])
        approve_all(session, of_partner, of_branch, actor_id=scene.people["supervisor"])

    arranged(app, approve_one_each)

    def told(name: str) -> list[tuple[str, int, int]]:
        client = money_browser(app, name)
        tasks = _TASK.findall(client.get("/", headers={"Accept-Language": "en"}).text)
        return [(words, int(count), rows_of(client, address)) for count, address, words in tasks]

    # The sponsor sees the partner's damages, but only the partner can acknowledge them.
    assert told("sponsor") == []
    assert told("manager") == [("Penalties to look at", 1, 1), ("Notices to open", 1, 1)]
    assert told("contact") == [("Penalties to look at", 1, 1), ("Notices to open", 1, 1)]
    assert told("rival") == []


def test_each_home_page_counts_the_notices_and_penalties_of_its_reader_once(app: Flask) -> None:
    scene = arranged(app, make_scene)

    def charge_and_settle(session: Session) -> None:
        of_partner = proposed(session, scene.partner, scene.people["triager"])
        of_branch = proposed(session, scene.branch, scene.people["triager"])
        proposed(session, scene.partner, scene.people["triager"], occurred_at=CALLED_AT.replace(minute=9))
        approve_all(session, of_partner, of_branch, actor_id=scene.people["supervisor"])
        alone = make_charged_partner(session)
        approve_all(session, proposed(session, alone, scene.people["triager"]), actor_id=scene.people["supervisor"])
        make_final_penalty(session, charged=scene.partner)
        make_deposit(session, charged=scene.partner, amount_fen=1_000_00)
        posted(session, draft_run(session))

    arranged(app, charge_and_settle)

    def told(name: str) -> dict[str, int]:
        client = money_browser(app, name)
        page = client.get("/", headers={"Accept-Language": "en"}).text
        tasks = _TASK.findall(page)
        assert {words: rows_of(client, address) for _count, address, words in tasks} == {
            words: int(count) for count, _address, words in tasks
        }
        stats = re.findall(r"(\w+ of \w+) approved this month.*?(\d+) penalt", page, re.DOTALL)
        return {words: int(count) for count, _address, words in tasks} | {words: int(rows) for words, rows in stats}

    assert told("contact") == {
        "Penalties to look at": 1,
        "Notices to open": 1,
        "Settlement notices to acknowledge": 1,
        "Damages of partners": 2,
    }
    assert told("manager") == {
        "Penalties to look at": 1,
        "Notices to open": 1,
        "Assessments of branches": 1,
        "Damages of partners": 0,
    }
    assert told("sponsor") == {"Assessments of branches": 0, "Damages of partners": 2}
    supervisor, finance = told("supervisor2"), told("finance")
    assert (supervisor["Penalties to approve"], supervisor["Notices to print and deliver"]) == (1, 1)
    assert (supervisor["Assessments of branches"], supervisor["Damages of partners"]) == (1, 3)
    assert finance["Settlement notices that have not arrived"] == 1
    assert (finance["Assessments of branches"], finance["Damages of partners"]) == (1, 3)
