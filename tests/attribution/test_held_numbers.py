"""Who held a number: the engine's answer for many calls, and the register's own for the words beside, are the same."""

import datetime as dt
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.grades import GroundKind
from supervise.attribution.holder_words import CallFacts, holdings
from supervise.attribution.weighing import weigh, whole_registers
from supervise.complaints.models import Incident, Precision
from supervise.parties.holders import holders_at
from supervise.parties.models import NumberHolder, Party, PhoneNumber
from tests.factories.complaints import make_incident, make_number
from tests.factories.parties import make_holder, make_party
from tests.factories.parties import make_number as make_registered

FIRST = clock.start_of_day(dt.date(2026, 9, 28))
QUARTER, SECOND = dt.timedelta(hours=6), dt.timedelta(seconds=1)
QUARTERS = 12
LINE, PORT = "02988880000", "106901234567"
#: Under which names the two may be registered, among them some that hold for no other number.
NAMES = (LINE, "0298888", "10690", "1069012", "10690123", PORT)


class Held(NamedTuple):
    """A number in the register: who of the parties holds it from which quarter of a day to which."""

    digits: str
    is_prefix: bool
    #: The party's place after each cut; None: nobody.
    parties: list[int | None]
    cuts: list[int]


@st.composite
def registers_of_numbers(draw: st.DrawFn) -> list[Held]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return [_held(draw, name) for name in names]


def _held(draw: st.DrawFn, name: str) -> Held:
    cuts = sorted(draw(st.sets(st.integers(0, QUARTERS), min_size=1, max_size=4)))
    parties = draw(st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=len(cuts), max_size=len(cuts)))
    return Held(name, draw(st.booleans()), parties, cuts)


def enter(session: Session, register: list[Held], parties: list[Party]) -> None:
    """Put the register in the place of the last one."""
    session.execute(sa.delete(NumberHolder))
    session.execute(sa.delete(PhoneNumber))
    for held in register:
        number = make_registered(session, digits=held.digits, is_prefix=held.is_prefix)
        ends = [FIRST + cut * QUARTER for cut in held.cuts[1:]]
        for place, cut, end in zip(held.parties, held.cuts, [*ends, None], strict=True):
            if place is not None:
                make_holder(session, party=parties[place], number=number, held_from=FIRST + cut * QUARTER, held_to=end)


@pytest.fixture
def calls(session: Session) -> list[Incident]:
    """Calls of both numbers about each change, as exactly as reports can be."""
    moments = [FIRST + quarter * QUARTER + step for quarter in (0, 5, 8, 11) for step in (-SECOND, dt.timedelta())]
    exact = [(at, Precision.SECOND) for at in moments]
    vague = [(at.replace(second=0), Precision.MINUTE) for at in moments]
    days = [(FIRST + dt.timedelta(days=day), Precision.DAY) for day in range(4)]
    return [
        make_incident(session, number=make_number(session), caller_number=caller, occurred_at=at, precision=precision)
        for caller in (LINE, PORT)
        for at, precision in [*exact, *vague, *days]
    ]


@pytest.mark.parametrize("whole", [False, True])
def test_the_engine_names_those_whom_the_register_names(
    session: Session, calls: list[Incident], *, whole: bool
) -> None:
    parties = [make_party(session) for _ in range(3)]
    facts = [CallFacts(one.id, one.caller_number, one.occurred_at, one.occurred_on, one.precision) for one in calls]

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(register=registers_of_numbers())
    def agrees(register: list[Held]) -> None:
        enter(session, register, parties)
        found: dict[int, set[int]] = {one.id: set() for one in calls}
        weighed = weigh(session, list(found), whole=whole_registers(session) if whole else None)
        for row in weighed.grounds.to_pylist():
            if row["ground"] == GroundKind.HOLDER.value:
                found[row["incident_id"]].add(row["party_id"])

        told = holdings(session, facts)
        assert found == {key: {one.party_id for one in held} for key, held in told.items()}
        exact = [one for one in facts if one.precision is Precision.SECOND]
        then = holders_at(session, {(one.caller_number or "", one.occurred_at) for one in exact})
        for one in exact:
            holder = then.get((one.caller_number or "", one.occurred_at))
            assert found[one.id] == ({holder.party_id} if holder else set())

    agrees()
