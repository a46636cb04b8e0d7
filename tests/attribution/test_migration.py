"""Checklists come to findings that were made before there were any, and do not go while one is answered."""

from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from alembic import command

from supervise.attribution.models import Finding
from supervise.schema import alembic_config
from tests.databases import opened
from tests.factories.attribution import PROVING, attribute, find
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party

BEFORE = "0017"


def arrange(url: str, code: str) -> None:
    with opened(url) as database, database.session(writes=True) as session:
        incident = make_incident(session)
        attribute(session, incident=incident, party=make_party(session))
        find(session, incident=incident, code=code)


def checklists(url: str) -> list[Mapping[str, bool] | None]:
    with opened(url) as database, database.session(writes=False) as session:
        return list(session.scalars(sa.select(Finding.checklist).order_by(Finding.id)))


def test_findings_of_before_stay_as_they_are(database_url: str) -> None:
    arrange(database_url, "frequency")
    config = alembic_config(database_url)

    command.downgrade(config, BEFORE)
    with opened(database_url) as database, database.session(writes=True) as session:
        # As an older release wrote it: proven, by its note alone.
        columns = [column.name for column in Finding.__table__.columns if column.name not in ("id", "checklist")]
        row = session.execute(sa.select(*(Finding.__table__.c[name] for name in columns))).one()._asdict()
        older = sa.table("finding", *(sa.column(name, Finding.__table__.c[name].type) for name in columns))
        session.execute(sa.insert(older).values(row | {"offence_code": "after_refusal"}))
    command.upgrade(config, "head")
    arrange(database_url, "concealment")

    assert checklists(database_url) == [None, None, PROVING["concealment"]]


def test_the_older_schema_is_refused_while_answers_are_kept(database_url: str) -> None:
    arrange(database_url, "after_refusal")

    with pytest.raises(RuntimeError, match="1 findings answered a checklist"):
        command.downgrade(alembic_config(database_url), BEFORE)
