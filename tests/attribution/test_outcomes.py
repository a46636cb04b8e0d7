"""What grounds come to: the nearest of a chain, contradictions, official numbers; asked over plain tables."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest

from supervise.attribution import registers
from supervise.attribution.grades import GRADES, GroundKind
from supervise.attribution.grounds import DENIED, GROUNDS_QUERY
from supervise.attribution.outcomes import OUTCOMES_QUERY
from supervise.evidence import matching
from supervise.evidence.engine import DuckDBEngine

DAY = dt.date(2026, 9, 29)
AT = dt.datetime(2026, 9, 29, 4, tzinfo=dt.UTC)
AGENT, OUTSOURCER, STRANGER, BRANCH = 1, 2, 3, 9
#: The outsourcer works for the agent, the agent is sponsored by the branch.
CHAINS = ((AGENT, AGENT), (AGENT, BRANCH), (OUTSOURCER, OUTSOURCER), (OUTSOURCER, AGENT), (OUTSOURCER, BRANCH), (3, 3))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DuckDBEngine:
    return DuckDBEngine(tmp_path_factory.mktemp("engine"))


def outcome(
    engine: DuckDBEngine,
    grounds: Iterable[tuple[GroundKind, int]],
    *,
    denied_by: Iterable[int] = (),
    official: bool = False,
    recorded: bool = False,
    covered: bool = False,
) -> dict[str, Any]:
    asked = matching.AskedIncident(1, True, "10016", "a" * 32, AT, AT, DAY, AT, AT, AT, AT)  # noqa: FBT003 - a call
    rows = [(1, kind, GRADES[kind], party_id, DAY, "crm", "R1") for kind, party_id in grounds]
    since, until = dt.date(1900, 1, 1), dt.date(2200, 1, 1)
    call = {"incident_id": 1, "seconds_apart": 0, "platform": "crm", "record_id": "R1", "on_day": DAY}
    tables = {
        "incidents": matching.asked_table([asked]),
        "grounds": registers.table_of([(one[0], *one[1:]) for one in _ordered(rows)], GROUNDS_QUERY.schema),
        "found_calls": pa.Table.from_pylist([call] if recorded else [], schema=matching.FITTING_CALLS.schema),
        "officials": registers.table_of([("10016", since, until)] if official else [], registers.OFFICIALS),
        "lineage": registers.table_of([(low, high, since, until) for low, high in CHAINS], registers.LINEAGE),
        "denied": registers.table_of([(1, party_id) for party_id in denied_by], DENIED),
        "covered": registers.table_of([(DAY,)] if covered else [], registers.COVERED),
    }
    answer: list[dict[str, Any]] = engine.run(OUTCOMES_QUERY, tables).to_pylist()
    [row] = answer
    return row


def _ordered(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    names = ("incident_id", "ground", "grade", "party_id", "on_day", "platform", "record_id")
    return [tuple(dict(zip(names, row, strict=True))[name] for name in GROUNDS_QUERY.schema.names) for row in rows]


def test_of_a_chain_the_party_nearest_to_the_call_is_named(engine: DuckDBEngine) -> None:
    row = outcome(engine, [(GroundKind.CALL_STAFF, OUTSOURCER), (GroundKind.ORDER_CHANNEL, AGENT)])

    assert (row["party_id"], row["grade"], row["is_contradicted"]) == (OUTSOURCER, "A", False)


def test_records_that_name_strangers_name_nobody_and_contradict(engine: DuckDBEngine) -> None:
    row = outcome(engine, [(GroundKind.CALL_STAFF, OUTSOURCER), (GroundKind.ORDER_CHANNEL, STRANGER)])

    assert (row["party_id"], row["grade"], row["parties"], row["is_contradicted"]) == (None, "A", 2, True)


@pytest.mark.parametrize(
    ("other", "contradicts"),
    [
        ((GroundKind.HOLDER, STRANGER), True),
        ((GroundKind.CLAIM, STRANGER), True),
        ((GroundKind.ANSWER_OURS, STRANGER), True),
        ((GroundKind.HOLDER, AGENT), False),
        ((GroundKind.CLAIM, BRANCH), False),
        ((GroundKind.PATTERN, STRANGER), False),
        ((GroundKind.ANSWER_SILENT, STRANGER), False),
    ],
)
def test_a_party_outside_the_chain_contradicts_if_it_is_named(
    engine: DuckDBEngine, other: tuple[GroundKind, int], *, contradicts: bool
) -> None:
    row = outcome(engine, [(GroundKind.CALL_STAFF, OUTSOURCER), other])

    assert (row["party_id"], row["is_contradicted"]) == (OUTSOURCER, contradicts)


@pytest.mark.parametrize(("party_id", "contradicts"), [(OUTSOURCER, True), (AGENT, False)])
def test_a_denial_contradicts_where_the_named_party_itself_denies(
    engine: DuckDBEngine, party_id: int, *, contradicts: bool
) -> None:
    row = outcome(engine, [(GroundKind.CALL_STAFF, OUTSOURCER)], denied_by=[party_id])

    assert row["is_contradicted"] is contradicts


def test_claims_and_patterns_alone_name_nobody(engine: DuckDBEngine) -> None:
    row = outcome(engine, [(GroundKind.CLAIM, AGENT), (GroundKind.PATTERN, AGENT)])

    assert (row["party_id"], row["grade"], row["parties"]) == (None, None, 0)


def test_the_holder_of_an_official_number_is_no_candidate(engine: DuckDBEngine) -> None:
    row = outcome(engine, [(GroundKind.HOLDER, STRANGER)], official=True, covered=True)

    assert (row["party_id"], row["is_official"], row["is_recorded"], row["is_covered"]) == (None, True, False, True)


def test_the_record_of_a_call_from_an_official_number_is_not_contradicted_by_its_holder(engine: DuckDBEngine) -> None:
    grounds = [(GroundKind.CALL_STAFF, OUTSOURCER), (GroundKind.HOLDER, STRANGER)]

    row = outcome(engine, grounds, official=True, recorded=True)

    assert (row["party_id"], row["is_contradicted"], row["is_recorded"]) == (OUTSOURCER, False, True)
