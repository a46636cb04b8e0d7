"""Rows are written in one journey; what the database refuses in it leaves the connection as it was."""

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.ledger.models import Account
from supervise.ledger.rows import EntryRow, PostingRow, insert_rows
from tests.factories.ledger import make_entry, make_period

#: Before so many turns the PostgreSQL driver prepares nothing.
_TURNS_BEFORE_PREPARING = 6


def _half_an_entry(session: Session) -> tuple[list[PostingRow], list[EntryRow]]:
    account_id = session.scalars(sa.select(Account.id).where(Account.dimension_kind == "none").limit(1)).one()
    today = clock.today()
    facts = ("half", "0" * 64, "penalty.approved", today, clock.month_of(today), clock.now(), 1, None, None, None, None)
    return [PostingRow(10_001, 1, 2, account_id, None, 100)], [EntryRow(10_001, 2, *facts)]


def test_refused_rows_leave_the_connection_able_to_post_however_often(session: Session) -> None:
    make_period(session)
    postings, entries = _half_an_entry(session)

    for _turn in range(_TURNS_BEFORE_PREPARING):
        with pytest.raises((sa.exc.IntegrityError, psycopg.IntegrityError)), session.begin_nested():
            insert_rows(session.connection(), postings, entries)

    assert make_entry(session, key="penalty:approved:whole")
