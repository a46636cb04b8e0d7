"""Compliance files: entries are added and struck out, never rewritten; the earliest day of knowledge counts."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.errors import AlreadyDecidedError, InvalidInputError
from supervise.parties.compliance_file import (
    FileFilters,
    enter,
    entries_of_party,
    files_by_party,
    knew_on,
    strike_out,
)
from supervise.parties.file_models import FileEntryKind, PartyFileEntry
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from tests.factories.parties import make_party, make_unit, unit_party

MARCH = dt.date(2026, 3, 1)


def entered(
    session: Session, party: Party, kind: FileEntryKind = FileEntryKind.TRAINING, on: dt.date = MARCH
) -> PartyFileEntry:
    return enter(session, party.id, kind, happened_on=on, body="外呼规范培训", actor_id=1)


def test_a_file_is_read_from_the_last_day_back(session: Session) -> None:
    party = make_party(session)
    first = entered(session, party)
    second = entered(session, party, FileEntryKind.WARNING_TALK, MARCH + dt.timedelta(days=1))

    assert [entry.row.id for entry in entries_of_party(session, party.id)] == [second.id, first.id]


def test_the_earliest_day_that_was_not_struck_out_is_when_the_carrier_knew(session: Session) -> None:
    party = make_party(session)
    wrong = entered(session, party, FileEntryKind.FIRST_KNEW, MARCH)
    entered(session, party, FileEntryKind.FIRST_KNEW, MARCH + dt.timedelta(days=9))
    assert knew_on(session, party.id) == MARCH

    strike_out(session, wrong.id, "另一家代理的投诉", actor_id=2)

    assert knew_on(session, party.id) == MARCH + dt.timedelta(days=9)
    [struck] = [entry for entry in entries_of_party(session, party.id) if entry.strike is not None]
    assert (struck.row.id, struck.strike.body if struck.strike else "") == (wrong.id, "另一家代理的投诉")


def test_an_entry_is_struck_out_once_and_a_striking_out_never(session: Session) -> None:
    entry = entered(session, make_party(session))
    strike = strike_out(session, entry.id, "日期有误", actor_id=2)

    for entry_id in (entry.id, strike.id):
        with pytest.raises(AlreadyDecidedError):
            strike_out(session, entry_id, "日期有误", actor_id=2)


def test_what_has_not_happened_is_not_entered(session: Session) -> None:
    with pytest.raises(InvalidInputError):
        entered(session, make_party(session), on=clock.today() + dt.timedelta(days=1))


def test_no_file_is_kept_of_the_carriers_own_branches(session: Session) -> None:
    with pytest.raises(InvalidInputError):
        entered(session, unit_party(session, make_unit(session)))


def test_a_subscribers_number_is_masked_in_an_entry(session: Session) -> None:
    entry = enter(
        session,
        make_party(session).id,
        FileEntryKind.FIRST_KNEW,
        happened_on=MARCH,
        body="13812345678 来电投诉",
        actor_id=1,
    )
    session.expire(entry)

    assert "13812345678" not in entry.body


@pytest.mark.parametrize("statement", [sa.update(PartyFileEntry).values(body="x"), sa.delete(PartyFileEntry)])
def test_the_database_itself_refuses_to_rewrite_a_file(session: Session, statement: sa.Executable) -> None:
    entered(session, make_party(session))

    with pytest.raises(DBAPIError, match="only added to"), session.begin_nested():
        session.execute(statement)


def test_the_list_shows_who_has_no_file(session: Session) -> None:
    kept, bare = make_party(session, code="A1"), make_party(session, code="A2")
    entered(session, kept)
    entered(session, kept, FileEntryKind.INSPECTION, MARCH + dt.timedelta(days=3))
    everybody = Scope.everything()

    lines = {line.party.code: line for line in files_by_party(session, everybody, FileFilters())}
    without = files_by_party(session, everybody, FileFilters(without_file=True))

    assert (lines["A1"].entries, lines["A1"].trained_on) == (2, MARCH)
    assert lines["A1"].supervised_on == MARCH + dt.timedelta(days=3)
    assert (lines["A2"].entries, lines["A2"].knew_on) == (0, None)
    assert [line.party.id for line in without] == [bare.id]
