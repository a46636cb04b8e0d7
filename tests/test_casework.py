"""The commands that take cases along: what the finding of an offence must be told besides its note."""

from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.roles import Role
from supervise.attribution.models import Finding
from tests.factories.access import make_user
from tests.factories.attribution import attribute
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party

TOLD = ("--check", "applicable_scene=yes", "--check", "validity=yes", "--check", "limits=no")


def _arrange(session: Session) -> None:
    make_user(session, username="triager", role=Role.TRIAGER)
    attribute(session, incident=make_incident(session), party=make_party(session))


@pytest.fixture
def desk(app: Flask) -> Flask:
    with app.app_context():
        db.decide(_arrange)
    return app


def find(desk: Flask, offence: str, *checks: str) -> Result:
    words = ["cases", "find", "--offence", offence, "--evidence", "录音复核", "--user", "triager", *checks]
    return desk.test_cli_runner().invoke(args=words)


def checklists(desk: Flask) -> list[Mapping[str, bool] | None]:
    with desk.app_context(), db.reading() as session:
        return list(session.scalars(sa.select(Finding.checklist)))


def test_the_items_of_a_checklist_are_answered_one_by_one(desk: Flask) -> None:
    done = find(desk, "concealment", "--check", "price=yes", *TOLD)

    assert done.exit_code == 0, done.output
    assert checklists(desk) == [{"price": True, "applicable_scene": True, "validity": True, "limits": False}]


def test_an_incomplete_checklist_is_refused_for_each_call(desk: Flask) -> None:
    refused = find(desk, "concealment", *TOLD)

    assert "资费标准" in refused.output
    assert checklists(desk) == []


@pytest.mark.parametrize("check", ["price", "price=maybe", "limits=yes"])
def test_an_answer_is_yes_or_no_and_given_once(desk: Flask, check: str) -> None:
    refused = find(desk, "concealment", *TOLD, "--check", check)

    assert refused.exit_code == 2
    assert checklists(desk) == []
