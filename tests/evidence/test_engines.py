"""The two engines give the same rows for the same question; what a query means is tested beside its subject."""

import dataclasses
import datetime as dt
import shutil
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution import registers
from supervise.attribution.grounds import DENIED, GROUNDS_QUERY
from supervise.attribution.outcomes import OUTCOMES_QUERY
from supervise.attribution.weighing import ask, judge
from supervise.complaints.models import Incident, IncidentKind
from supervise.evidence import matching
from supervise.evidence.engine import Engine, RecordQuery, Rows
from supervise.evidence.models import RecordKind
from supervise.evidence.store import current_files, store_of
from supervise.parties.models import PartyKind, RelationRole
from tests.factories.complaints import make_incident, make_number
from tests.factories.parties import (
    make_holder,
    make_party,
    make_relation,
    make_sales_channel,
    make_staff_number,
    make_unit,
)
from tests.factories.parties import make_number as make_registered
from tests.factories.records import record_calls, record_message, record_order

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java: Spark cannot run"),
    pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True),
]
#: A JVM that answers a dozen questions never earns back its second compiler or collecting garbage beside its work.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
NOON = clock.from_china(dt.datetime(2026, 9, 29, 12, 0))  # noqa: DTZ001 - China's wall clock


@pytest.fixture(scope="module")
def spark() -> Iterator[Engine]:
    """One JVM for all of these tests."""
    module = pytest.importorskip("supervise.evidence.spark", reason="pyspark is not installed")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("JDK_JAVA_OPTIONS", SHORT_LIVED)
        engine = module.SparkEngine("local[1]")
        yield engine
        engine.stop()


@pytest.fixture
def incidents(session: Session) -> list[Incident]:
    """Calls and messages with every kind of ground, and one without any."""
    agent = make_party(session, sponsor=make_unit(session))
    outsourcer = make_party(session, kind=PartyKind.OUTSOURCER)
    make_relation(session, child=outsourcer, parent=agent, role=RelationRole.CONTRACTED_BY)
    make_staff_number(session, employer=outsourcer)
    make_sales_channel(session, party=agent)
    make_holder(session, party=agent, digits="02988880000", held_to=NOON)
    make_holder(session, party=outsourcer, number=make_registered(session, digits="1069000012", is_prefix=True))
    called = [make_number(session) for _ in range(4)]
    proven = make_incident(session, number=called[0], caller_number="02988880000", occurred_at=NOON)
    bought = make_incident(session, number=called[1], caller_number="13800001111")
    texted = make_incident(session, number=called[2], caller_number="106900001234", kind=IncidentKind.SMS)
    nothing = make_incident(session, number=called[3], caller_number="02977770000")
    record_calls(session, proven, staff_number="8001")
    record_order(session, bought)
    record_order(session, proven, staff_number="8001")
    record_message(session, texted, signature="联通")
    return [proven, bought, texted, nothing]


def same_rows(query: RecordQuery, tables: dict[str, Rows], engines: tuple[Engine, Engine]) -> list[dict[str, Any]]:
    """The rows of both engines, which must be equal, in the same order."""
    first, second = (engine.run(query, tables) for engine in engines)
    assert first.schema.types == second.schema.types
    rows: list[dict[str, Any]] = first.to_pylist()
    assert rows == second.to_pylist()
    return rows


def test_spark_and_duckdb_find_the_same_records(session: Session, incidents: list[Incident], spark: Engine) -> None:
    asked = ask(session, [one.id for one in incidents]).incidents
    engines = (store_of(session).engine, spark)

    for query, kind, found in (
        (matching.FITTING_CALLS, RecordKind.CALLS, 1),
        (matching.FITTING_MESSAGES, RecordKind.MESSAGES, 1),
        (matching.FOLLOWING_ORDERS, RecordKind.ORDERS, 2),
    ):
        files = current_files(session, kind)
        rows = same_rows(query, {"incidents": asked, kind.value: files}, engines)
        assert len(rows) == found, query.name
        wanted = dataclasses.replace(files, wanted=matching.subscribers_of(asked))
        assert same_rows(query, {"incidents": asked, kind.value: wanted}, engines) == rows


def test_spark_and_duckdb_come_to_the_same_grounds_and_outcomes(
    session: Session, incidents: list[Incident], spark: Engine
) -> None:
    asked = ask(session, [one.id for one in incidents])
    weighed = judge(session, asked, None)
    tables = registers.registers_for(session, numbers=[one.caller_number or "" for one in incidents])
    found = {
        "found_calls": weighed.found.calls,
        "found_messages": weighed.found.messages,
        "found_orders": weighed.found.orders,
    }
    engines = (store_of(session).local, spark)

    grounds = same_rows(
        GROUNDS_QUERY, {"incidents": asked.incidents, "said": asked.said, **found, **tables._asdict()}, engines
    )
    outcomes = same_rows(
        OUTCOMES_QUERY,
        {
            "incidents": asked.incidents,
            "grounds": weighed.grounds,
            "found_calls": weighed.found.calls,
            "officials": tables.officials,
            "lineage": registers.lineage_of(session, {row["party_id"] for row in grounds}),
            "denied": registers.table_of((), DENIED),
            "covered": asked.covered,
        },
        engines,
    )

    assert {row["ground"] for row in grounds} == {
        "call_staff",
        "message",
        "order_channel",
        "order_staff",
        "holder",
    }
    assert [row["grade"] for row in outcomes] == ["A", "A", "A", None]


def test_a_table_without_files_is_empty_on_both(session: Session, spark: Engine) -> None:
    tables: dict[str, Rows] = {
        "incidents": matching.asked_table([]),
        "calls": current_files(session, RecordKind.CALLS, []),
    }

    assert same_rows(matching.FITTING_CALLS, tables, (store_of(session).local, spark)) == []
    assert isinstance(tables["incidents"], pa.Table)
