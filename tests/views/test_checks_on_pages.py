"""What a verification finds stands where those look who can do something about it."""

import datetime as dt

import pytest
import time_machine
from flask import Flask

from supervise import clock, db
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.compensation.models import Credit
from supervise.jobs.checking import UNPRICED_AFTER, last_verification, verify_by_night
from supervise.views.background import surroundings
from tests.factories.access import make_user
from tests.factories.attribution import make_proven_incident
from tests.factories.parties import make_party
from tests.ledger.owner import Owner
from tests.views.finance_pages import Office, open_office

FAULT = "The ledger holds, but cases do not agree with it or with each other"


@pytest.fixture
def wary(app: Flask) -> Office:
    """Finance's office, with an administrator and a triager beside it."""
    office = open_office(app)
    with office.app.app_context(), db.writing() as session:
        for role in (Role.ADMIN, Role.TRIAGER):
            user: User = make_user(session, username=role.value, role=role, locale="en")
            office.users[role.value] = user.id
    return office


def damage(app: Flask, credit_id: int, *, by_fen: int = 1) -> None:
    """Let somebody whom no trigger stops change an approved amount."""
    owner = Owner(app.extensions["supervise.db"])
    if owner.database.dialect == "postgresql":
        owner.run("ALTER TABLE credit DISABLE TRIGGER USER")
    owner.run("UPDATE credit SET amount_fen = amount_fen + ? WHERE id = ?", by_fen, credit_id)


def by_night(app: Flask) -> None:
    with app.app_context(), app.test_request_context():
        verify_by_night(surroundings())


def home(office: Office, username: str) -> str:
    return office.browser(username).get("/?lang=en").text


def test_a_sound_night_says_nothing_at_home_and_when_it_was_on_the_page_of_checks(wary: Office) -> None:
    by_night(wary.app)

    assert all(FAULT not in home(wary, username) for username in wary.users)
    page = wary.browser("auditor").get("/ledger/verification?lang=en").text
    assert "Every row holds" in page
    assert "by night" in page


def test_a_fault_of_the_night_is_told_to_finance_auditor_and_administrator(wary: Office) -> None:
    damage(wary.app, wary.credit_ids[0])
    by_night(wary.app)

    assert FAULT in home(wary, "finance")
    assert "/ledger/verification" in home(wary, "auditor")
    assert "flask cases verify" in home(wary, "admin")
    assert FAULT not in home(wary, "clerk")
    page = wary.browser("finance").get("/ledger/verification?lang=en").text
    with wary.app.app_context(), db.reading() as session:
        subscriber_id = session.get_one(Credit, wary.credit_ids[0]).subscriber_id
    assert f"subscriber {subscriber_id}: the credits do not sum to what the ledger holds" in page


def test_a_fault_that_was_repaired_goes_with_the_next_verification(wary: Office) -> None:
    damage(wary.app, wary.credit_ids[0])
    by_night(wary.app)
    damage(wary.app, wary.credit_ids[0], by_fen=-1)

    found = wary.browser("finance")
    answer = found.get(found.post("/ledger/verification").headers["Location"])

    assert "Every row holds" in answer.text
    assert FAULT not in home(wary, "finance")


def test_the_command_names_the_rows_and_fails(wary: Office) -> None:
    runner = wary.app.test_cli_runner()

    sound = runner.invoke(args=["cases", "verify"])
    damage(wary.app, wary.credit_ids[0])
    broken = runner.invoke(args=["cases", "verify"])

    assert (sound.exit_code, broken.exit_code) == (0, 1)
    assert "subscriber " in broken.stderr


def test_an_offence_without_an_amount_is_told_to_the_triager_after_a_week(wary: Office) -> None:
    with wary.app.app_context(), db.writing() as session:
        incident_id = make_proven_incident(session, party=make_party(session)).id
    by_night(wary.app)
    early = home(wary, "triager")

    with time_machine.travel(clock.now() + UNPRICED_AFTER + dt.timedelta(hours=1)):
        by_night(wary.app)
        late = home(wary, "triager")
        with wary.app.app_context(), db.reading() as session:
            last = last_verification(session)
        page = wary.browser("triager").get("/incidents/unpriced").text

    words = "Offences proven a week ago, without an amount"
    assert words not in early
    assert words in late
    assert last is not None
    assert last.message_parameters is not None
    assert last.message_parameters["holds"] == 1
    assert last.message_parameters["unpriced"] == len([incident_id, *wary.credit_ids])
    assert f"/incidents/{incident_id}" in page
