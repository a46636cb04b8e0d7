"""Checklists and the verification log come to findings that were made before, and do not go while one is kept."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from supervise import clock
from supervise.attribution.models import Finding
from supervise.complaints.models import OffenceType
from supervise.schema import alembic_config
from tests.databases import opened
from tests.factories.attribution import PROVING, TRIAGER, attribute, find
from tests.factories.complaints import make_incident
from tests.factories.parties import make_party

BEFORE_CHECKLISTS = "0017"
BEFORE_VERIFICATION = "0020"


def decided(url: str) -> dict[str, Any]:
    """Decide on a call and return the row of its finding, not yet written."""
    with opened(url) as database, database.session(writes=True) as session:
        incident = make_incident(session)
        verdict = attribute(session, incident=incident, party=make_party(session))
        offence = session.scalars(sa.select(OffenceType).where(OffenceType.code == "after_refusal")).one()
        return {
            "incident_id": incident.id,
            "attribution_id": verdict.id,
            "offence_type_id": offence.id,
            "offence_code": offence.code,
            "party_id": verdict.party_id,
            "state": "proven",
            "evidence_note": "录音",
            "found_by": TRIAGER,
            "found_at": clock.now(),
            "held": False,
            "version": 1,
        }


def write(url: str, row: Mapping[str, Any]) -> None:
    """Write a finding as an older release did: the columns of today may not be there."""
    table = sa.table("finding", *(sa.column(name, Finding.__table__.c[name].type) for name in row))
    with opened(url) as database, database.session(writes=True) as session:
        session.execute(sa.insert(table).values(row))


def prove(url: str, code: str) -> None:
    with opened(url) as database, database.session(writes=True) as session:
        incident = make_incident(session)
        attribute(session, incident=incident, party=make_party(session))
        find(session, incident=incident, code=code)


def checklists(url: str) -> list[Mapping[str, bool] | None]:
    with opened(url) as database, database.session(writes=False) as session:
        return list(session.scalars(sa.select(Finding.checklist).order_by(Finding.id)))


def test_findings_of_before_stay_as_they_are(database_url: str) -> None:
    row = decided(database_url)
    config = alembic_config(database_url)

    command.downgrade(config, BEFORE_CHECKLISTS)
    write(database_url, row)
    command.upgrade(config, "head")
    prove(database_url, "concealment")

    assert checklists(database_url) == [None, PROVING["concealment"]]


def test_the_older_schema_is_refused_while_answers_are_kept(database_url: str) -> None:
    row = decided(database_url)
    config = alembic_config(database_url)
    command.downgrade(config, BEFORE_VERIFICATION)
    write(database_url, row | {"checklist": PROVING["after_refusal"]})

    with pytest.raises(RuntimeError, match="1 findings answered a checklist"):
        command.downgrade(config, BEFORE_CHECKLISTS)


def test_the_older_schema_is_refused_while_there_is_a_verification_log(database_url: str) -> None:
    prove(database_url, "frequency")

    with pytest.raises(RuntimeError, match="1 rows of verification_entry"):
        command.downgrade(alembic_config(database_url), BEFORE_VERIFICATION)
