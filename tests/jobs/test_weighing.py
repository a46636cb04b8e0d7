"""Weighing in the background: kept part by part, resumed after a kill, and again only for what changed."""

import datetime as dt

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.attribution.models import IncidentSuggestion
from supervise.attribution.unattributed import Says, count_unattributed, proven_incident_ids
from supervise.cipher import Keyring
from supervise.config import Settings
from supervise.jobs.surroundings import Surroundings
from supervise.jobs.weighing import weigh_incidents, weigh_what_changed
from supervise.parties.scope import Scope
from tests.factories.complaints import CALLED_AT, make_incident
from tests.factories.complaints import make_number as make_called
from tests.factories.parties import make_holder, make_party
from tests.factories.records import record_calls

LINE = "02988880000"


def make_calls(session: Session) -> list[int]:
    """Calls that a record proves, that the register alone names, and that nothing names; one at a fraction of a second."""
    make_holder(session, party=make_party(session), digits=LINE)
    at = CALLED_AT + dt.timedelta(microseconds=42_000)
    proven = make_incident(session, number=make_called(session), caller_number=LINE, occurred_at=at)
    record_calls(session, proven)
    registered = make_incident(session, caller_number=LINE, occurred_at=CALLED_AT + dt.timedelta(hours=3))
    unknown = make_incident(session, caller_number="17199900001")
    return [proven.id, registered.id, unknown.id]


@pytest.fixture
def surroundings(settings: Settings, keyring: Keyring) -> Surroundings:
    return Surroundings(settings.instance, keyring, settings.anchor_file)


def weighed_at() -> dict[int, dt.datetime]:
    with db.reading() as session:
        return dict(session.execute(sa.select(IncidentSuggestion.incident_id, IncidentSuggestion.weighed_at)).all())


def test_every_undecided_call_is_weighed_and_one_weighed_before_a_kill_is_not_weighed_again(
    app: Flask, surroundings: Surroundings
) -> None:
    steps: list[tuple[int, int]] = []
    with app.app_context():
        ids = db.decide(make_calls)
        before = clock.now().isoformat()

        weigh_incidents(surroundings, lambda done, total: steps.append((done, total)), None, before=before)
        first = weighed_at()
        again = weigh_incidents(surroundings, lambda done, total: steps.append((done, total)), None, before=before)

        with db.reading() as session:
            waiting = count_unattributed(session, Scope.everything(), clock.now())
            proven = proven_incident_ids(session, Scope.everything(), 10)
        assert weighed_at() == first
    assert first.keys() == set(ids)
    assert (steps, again.parameters) == ([(3, 3)], {"incidents": 0})
    assert proven == [ids[0]]
    assert {says: n for says, n in waiting.says.items() if n} == {Says.PROVEN: 1, Says.REGISTER: 1, Says.NOTHING: 1}


def test_the_duty_weighs_new_calls_and_leaves_the_rest_where_nothing_changed(
    app: Flask, surroundings: Surroundings
) -> None:
    with app.app_context():
        db.decide(make_calls)
        weigh_what_changed(surroundings)
        later = clock.now() + dt.timedelta(hours=1)
        with clock.pretending(later):
            weigh_what_changed(surroundings)
            first = weighed_at()
            new_id = db.decide(lambda session: make_incident(session, caller_number=LINE).id)
            weigh_what_changed(surroundings)

            second = weighed_at()

    assert second.keys() - first.keys() == {new_id}
    assert {incident_id: second[incident_id] for incident_id in first} == first
