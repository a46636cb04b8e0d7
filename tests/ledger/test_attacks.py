"""What raw SQL, written by somebody who means harm or by a bug of ours, cannot do to the ledger."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from supervise.db import Database
from tests.factories.ledger import make_entry, make_period, out_of_balance_fen

#: Account ids of the chart: 4 receivable and 11 deferred by party, 17 a branch's, 1 bank without dimension.
RECEIVABLE, DEFERRED, BRANCH, BANK = 4, 11, 17, 1
#: An id that no test reaches by posting.
NEW = 10**6
Postings = Sequence[tuple[int, int | None, Any]]
BALANCED: Postings = ((RECEIVABLE, 17, 200), (DEFERRED, 17, -200))


def insert_postings(session: Session, entry_id: int, postings: Postings, lines: int | None = None) -> None:
    for number, (account_id, dimension_id, amount_fen) in enumerate(postings, start=1):
        session.execute(
            sa.text("INSERT INTO posting VALUES (:entry_id, :line, :lines, :account_id, :dimension_id, :amount_fen)"),
            {
                "entry_id": entry_id,
                "line": number,
                "lines": lines or len(postings),
                "account_id": account_id,
                "dimension_id": dimension_id,
                "amount_fen": amount_fen,
            },
        )


def insert_entry(session: Session, *, verb: str = "INSERT", tail: str = "", **values: Any) -> None:
    row = {
        "id": NEW,
        "lines": 2,
        "idempotency_key": "attack:1",
        "content_sha256": "0" * 64,
        "event": "attack",
        "effective_on": "2026-11-03",
        "period": "2026-11",
        "recorded_at": "2026-11-03 00:00:00.000000",
        **values,
    }
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    types = {"effective_on": "date", "recorded_at": "timestamptz"}
    if session.get_bind().dialect.name == "postgresql":
        places = ", ".join(f"CAST(:{name} AS {types[name]})" if name in types else f":{name}" for name in row)
    session.execute(sa.text(f"{verb} INTO journal_entry ({names}) VALUES ({places}) {tail}"), row)


def insert_whole(session: Session, postings: Postings = BALANCED, **facts: Any) -> None:
    """Insert postings and their entry, as somebody who knows the order would."""
    with session.begin_nested():
        insert_postings(session, facts.get("id") or -1 if "id" in facts else NEW, postings, facts.get("lines"))
        insert_entry(session, **facts)


@pytest.fixture
def book(session: Session) -> Session:
    """A ledger with one entry in November 2026."""
    make_period(session, month="2026-11")
    make_entry(session, effective_on=dt.date(2026, 11, 3))
    return session


def entry_id_of(session: Session) -> int:
    return int(session.scalars(sa.text("SELECT max(id) FROM journal_entry")).one())


def refused(session: Session, attack: str, **values: Any) -> None:
    with pytest.raises(DBAPIError) as caught, session.begin_nested():
        session.execute(sa.text(attack), values)
    assert isinstance(caught.value, IntegrityError | OperationalError), caught.value


def test_the_same_inserts_are_taken_when_nothing_is_wrong_with_them(book: Session) -> None:
    insert_postings(book, NEW, BALANCED)
    insert_entry(book)

    assert out_of_balance_fen(book) == 0


@pytest.mark.parametrize(
    ("postings", "facts"),
    [
        pytest.param([(RECEIVABLE, 17, 200), (DEFERRED, 17, -199)], {}, id="unbalanced"),
        pytest.param([(RECEIVABLE, 17, 200)], {"lines": 1}, id="one line"),
        pytest.param([(RECEIVABLE, 17, 0), (DEFERRED, 17, 0)], {}, id="zero"),
        pytest.param([(RECEIVABLE, 17, 200), (BRANCH, 17, -200)], {}, id="mixed families"),
        pytest.param([(RECEIVABLE, None, 200), (DEFERRED, 17, -200)], {}, id="dimension missing"),
        pytest.param([(BANK, 17, 200), (DEFERRED, 17, -200)], {}, id="dimension not taken"),
        pytest.param([(999, 17, 200), (DEFERRED, 17, -200)], {}, id="no such account"),
        pytest.param([(RECEIVABLE, 17, 10**11), (DEFERRED, 17, -(10**11))], {}, id="too large"),
        pytest.param([(RECEIVABLE, 17, "10000000000000000000"), (DEFERRED, 17, -200)], {}, id="beyond 64 bits"),
        pytest.param([(RECEIVABLE, 17, "abc"), (DEFERRED, 17, -200)], {}, id="text"),
        pytest.param([(RECEIVABLE, 17, "NaN"), (DEFERRED, 17, -200)], {}, id="not a number"),
        pytest.param([*BALANCED, (RECEIVABLE, 17, 5)], {"lines": 2}, id="more postings than lines"),
        pytest.param(BALANCED, {"lines": 3}, id="fewer postings than lines"),
        pytest.param((), {"lines": 2}, id="no postings"),
        pytest.param(BALANCED, {"period": "2026-10"}, id="no such period"),
        pytest.param(BALANCED, {"effective_on": "2026-12-01"}, id="booked before it took effect"),
        pytest.param(BALANCED, {"actor_id": 3, "approver_id": 3}, id="one person"),
        pytest.param(BALANCED, {"content_sha256": "0"}, id="no hash"),
        pytest.param(BALANCED, {"id": 0}, id="id zero"),
        pytest.param(BALANCED, {"id": -1}, id="id negative"),
        pytest.param(BALANCED, {"reversal_no": 1}, id="reversal of nothing"),
        pytest.param(BALANCED, {"idempotency_key": "penalty:approved:1"}, id="key taken"),
    ],
)
def test_an_entry_that_is_not_one_is_refused(book: Session, postings: Postings, facts: dict[str, Any]) -> None:
    with pytest.raises(DBAPIError):
        insert_whole(book, postings, **facts)

    assert entry_id_of(book) < NEW


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize("amount", [0.5, 1.8e19, "0.5", b"1"])
def test_sqlite_takes_no_other_kind_of_value_as_an_amount(book: Session, engine_name: str, amount: object) -> None:
    with pytest.raises(DBAPIError), book.begin_nested():
        insert_postings(book, NEW, ((RECEIVABLE, 17, amount), (DEFERRED, 17, -1)))


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_postgresql_rounds_no_half_fen_out_of_balance(book: Session, engine_name: str) -> None:
    # 0.5 is rounded to 1 (or 0) by the type before any trigger; the sum is checked after that.
    book.execute(
        sa.text(f"INSERT INTO posting VALUES ({NEW}, 1, 2, {RECEIVABLE}, 17, 201.5), ({NEW}, 2, 2, 11, 17, -201)")
    )

    with pytest.raises(IntegrityError, match="sum to zero"), book.begin_nested():
        insert_entry(book)
    book.rollback()


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "facts",
    [
        {"effective_on": "yesterday"},
        {"effective_on": 20261103},
        {"recorded_at": 1},
        {"lines": "two"},
        {"actor_id": "one"},
        {"event": b"x"},
        {"id": None},
    ],
)
def test_sqlite_takes_no_other_kind_of_value_in_an_entry(
    book: Session, engine_name: str, facts: dict[str, Any]
) -> None:
    with pytest.raises(DBAPIError):
        insert_whole(book, BALANCED, **facts)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_an_entry_without_an_id_cannot_slip_past_its_postings(book: Session, engine_name: str) -> None:
    # Before the row is there, SQLite shows an id that was not given as -1.
    with pytest.raises(IntegrityError, match="wrong kind of value"):
        insert_whole(book, BALANCED, id=None)


@pytest.mark.parametrize("table", ["account", "journal_entry", "posting", "seal", "seal_entry", "period"])
def test_nothing_is_deleted(book: Session, table: str) -> None:
    if table in {"seal", "seal_entry"}:
        _insert_seal(book)

    refused(book, f"DELETE FROM {table}")
    refused(book, f"DELETE FROM {table} WHERE 1 = 1")
    if book.get_bind().dialect.name == "postgresql":
        refused(book, f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("account", "code"),
        ("account", "family"),
        ("journal_entry", "reason"),
        ("journal_entry", "idempotency_key"),
        ("posting", "amount_fen"),
        ("posting", "line"),
        ("seal", "mac"),
        ("seal_entry", "seal_id"),
        ("period", "month"),
        ("period", "opened_at"),
    ],
)
def test_nothing_is_updated(book: Session, table: str, column: str) -> None:
    if table in {"seal", "seal_entry"}:
        _insert_seal(book)

    refused(book, f"UPDATE {table} SET {column} = {column}")
    if book.get_bind().dialect.name == "sqlite":
        refused(book, f"UPDATE OR IGNORE {table} SET {column} = {column}")
        refused(book, f"UPDATE OR REPLACE {table} SET {column} = {column}")


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize("recursive", [0, 1])
@pytest.mark.parametrize("table", ["account", "period", "journal_entry", "posting", "seal", "seal_entry"])
def test_no_row_is_replaced(book: Session, engine_name: str, table: str, recursive: int) -> None:
    _insert_seal(book)
    book.execute(sa.text(f"PRAGMA recursive_triggers = {recursive}"))

    refused(book, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
    refused(book, f"REPLACE INTO {table} SELECT * FROM {table}")
    book.execute(sa.text("PRAGMA recursive_triggers = 1"))


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_no_entry_is_replaced_through_its_other_keys(book: Session, engine_name: str) -> None:
    book.execute(sa.text("PRAGMA recursive_triggers = 0"))
    insert_postings(book, NEW, BALANCED)

    with pytest.raises(IntegrityError), book.begin_nested():
        insert_entry(book, verb="INSERT OR REPLACE", idempotency_key="penalty:approved:1")
    insert_entry(book)
    book.execute(sa.text("PRAGMA recursive_triggers = 1"))


def test_no_row_is_upserted(book: Session) -> None:
    entry_id = entry_id_of(book)

    refused(
        book,
        f"INSERT INTO posting VALUES ({entry_id}, 1, 2, {RECEIVABLE}, 17, 200) "
        "ON CONFLICT (entry_id, line) DO UPDATE SET amount_fen = 1",
    )
    insert_postings(book, NEW, BALANCED)
    with pytest.raises(IntegrityError), book.begin_nested():
        insert_entry(
            book, idempotency_key="penalty:approved:1", tail="ON CONFLICT (idempotency_key) DO UPDATE SET event = 'x'"
        )
    insert_entry(book)


@pytest.mark.parametrize("place", [(1, 2), (2, 2), (3, 2), (3, 3), (1, 4), (4, 4), (0, 2)])
def test_nothing_joins_an_entry_later(database: Database, place: tuple[int, int]) -> None:
    with database.session(writes=True) as session:
        entry_id = make_entry(session)
    line, lines = place

    with pytest.raises(IntegrityError), database.session(writes=True) as session:
        session.execute(
            sa.text(
                f"INSERT INTO posting VALUES ({entry_id}, {line}, {lines}, {RECEIVABLE}, 17, 5), "
                f"({entry_id}, {line + 1}, {max(lines, line + 1)}, {DEFERRED}, 17, -5)"
            )
        )


def commit_posting(session: Session, values: str) -> None:
    session.execute(sa.text(f"INSERT INTO posting VALUES ({values})"))
    session.commit()


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("place", [(1, 2), (3, 3)])
def test_nothing_joins_from_a_session_that_cannot_see_the_entry_yet(
    database: Database, engine_name: str, isolation: str, place: tuple[int, int]
) -> None:
    line, lines = place
    engine = database.engine.execution_options(isolation_level=isolation)
    with database.session(writes=True) as session:
        make_period(session)
    with engine.connect() as late, Session(late) as other:
        other.execute(sa.text("SELECT count(*) FROM journal_entry"))
        with database.session(writes=True) as session:
            entry_id = make_entry(session)

        # Here the entry is not in the other session's picture of the book.
        with pytest.raises(DBAPIError):
            commit_posting(other, f"{entry_id}, {line}, {lines}, {RECEIVABLE}, 17, 5")
        other.rollback()
    with database.session(writes=False) as session:
        assert out_of_balance_fen(session) == 0


def test_postings_without_their_entry_cannot_be_committed(database: Database) -> None:
    with pytest.raises(IntegrityError), database.session(writes=True) as session:
        insert_postings(session, NEW, BALANCED)


def test_an_entry_before_its_postings_is_refused(book: Session) -> None:
    with pytest.raises(IntegrityError), book.begin_nested():
        insert_entry(book)


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_temporary_table_does_not_stand_in_for_a_real_one(book: Session, engine_name: str) -> None:
    book.execute(sa.text("CREATE TEMPORARY TABLE period (month text, state text) ON COMMIT DROP"))
    book.execute(sa.text("INSERT INTO pg_temp.period VALUES ('2026-10', 'open')"))

    with pytest.raises(IntegrityError, match="not open"):
        insert_whole(book, BALANCED, period="2026-10", effective_on="2026-10-03")
    book.execute(sa.text("DROP TABLE pg_temp.period"))


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_triggers_stay_on_for_a_replica(book: Session, engine_name: str) -> None:
    book.execute(sa.text("SET LOCAL session_replication_role = replica"))

    refused(book, "UPDATE posting SET amount_fen = 1")
    refused(book, "DELETE FROM journal_entry")
    book.execute(sa.text("SET LOCAL session_replication_role = origin"))


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_copy_is_held_to_the_same_rules(book: Session, engine_name: str) -> None:
    cursor = book.connection().connection.cursor()

    with pytest.raises(Exception, match="do not fill"), book.begin_nested():  # noqa: SIM117 - the order matters
        with cursor.copy(
            "COPY journal_entry (id, lines, idempotency_key, content_sha256, event, effective_on, period, recorded_at) "
            "FROM STDIN"
        ) as copy:
            copy.write_row((NEW, 2, "copy:1", "0" * 64, "x", "2026-11-03", "2026-11", "2026-11-03 00:00:00Z"))


def reversal_of(session: Session, postings: Postings, **facts: Any) -> None:
    """Insert a reversal of the book's entry of 200 yuan by hand."""
    with session.begin_nested():
        insert_postings(session, facts.get("id", NEW), postings)
        original = {"reverses_id": entry_id_of(session), "reversal_no": 1, "reason": "x"}
        insert_entry(session, **{"lines": len(postings), **original, **facts})


def test_a_part_is_reversed_by_hand(book: Session) -> None:
    reversal_of(book, ((RECEIVABLE, 17, -15000), (DEFERRED, 17, 15000)))

    assert entry_id_of(book) == NEW


@pytest.mark.parametrize(
    ("postings", "facts"),
    [
        pytest.param([(RECEIVABLE, 17, -20001), (DEFERRED, 17, 20001)], {}, id="above the original"),
        pytest.param([(RECEIVABLE, 17, 100), (DEFERRED, 17, -100)], {}, id="same sign"),
        pytest.param([(RECEIVABLE, 18, -100), (DEFERRED, 18, 100)], {}, id="other dimension"),
        pytest.param([(RECEIVABLE, 17, -100), (5, 17, 100)], {}, id="other account"),
        pytest.param(
            [(RECEIVABLE, 17, -200), (RECEIVABLE, 17, 100), (DEFERRED, 17, 100)], {}, id="one line of the same sign"
        ),
        pytest.param([(RECEIVABLE, 17, -100), (DEFERRED, 17, 100)], {"reversal_no": 2}, id="number left out"),
        pytest.param([(RECEIVABLE, 17, -100), (DEFERRED, 17, 100)], {"reversal_no": None}, id="no number"),
        pytest.param([(RECEIVABLE, 17, -100), (DEFERRED, 17, 100)], {"reverses_id": 10**7}, id="no such entry"),
        pytest.param([(RECEIVABLE, 17, -100), (DEFERRED, 17, 100)], {"reverses_id": NEW}, id="of itself"),
        pytest.param([(RECEIVABLE, 17, -100), (DEFERRED, 17, 100)], {"reason": ""}, id="without a reason"),
        pytest.param([(RECEIVABLE, 17, -100), (DEFERRED, 17, 100)], {"reason": None}, id="with no reason"),
    ],
)
def test_a_reversal_that_is_not_one_is_refused(book: Session, postings: Postings, facts: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        reversal_of(book, postings, **facts)

    assert entry_id_of(book) < NEW


def test_reversals_together_never_exceed_the_original(book: Session) -> None:
    original = {"reverses_id": entry_id_of(book), "reason": "x"}
    reversal_of(book, ((RECEIVABLE, 17, -15000), (DEFERRED, 17, 15000)), **original)

    with pytest.raises(IntegrityError):
        reversal_of(
            book,
            ((RECEIVABLE, 17, -5001), (DEFERRED, 17, 5001)),
            **original,
            reversal_no=2,
            id=NEW + 1,
            idempotency_key="attack:2",
        )
    reversal_of(
        book,
        ((RECEIVABLE, 17, -5000), (DEFERRED, 17, 5000)),
        **original,
        reversal_no=2,
        id=NEW + 1,
        idempotency_key="attack:2",
    )


def test_a_reversal_is_never_reversed_by_hand(book: Session) -> None:
    reversal_of(book, ((RECEIVABLE, 17, -100), (DEFERRED, 17, 100)))

    with pytest.raises(IntegrityError):
        reversal_of(
            book,
            ((RECEIVABLE, 17, 100), (DEFERRED, 17, -100)),
            reverses_id=NEW,
            id=NEW + 1,
            idempotency_key="attack:2",
        )


def test_a_closed_period_takes_nothing_and_never_opens_by_one_hand(book: Session) -> None:
    book.execute(sa.text("UPDATE period SET state = 'closed', closed_at = opened_at"))

    with pytest.raises(IntegrityError, match="not open"):
        insert_whole(book)
    refused(book, "UPDATE period SET state = 'open', closed_at = NULL")
    refused(book, "UPDATE period SET state = 'soft_closed', closed_at = NULL")
    refused(book, "UPDATE period SET closed_by = 9")


def test_a_held_period_takes_nothing(book: Session) -> None:
    book.execute(sa.text("UPDATE period SET state = 'soft_closed'"))

    with pytest.raises(IntegrityError, match="not open"):
        insert_whole(book)
    refused(book, "UPDATE period SET state = 'soft_closed'")
    refused(book, "UPDATE period SET state = 'open', opened_by = 9")
    refused(book, "UPDATE period SET closed_at = opened_at")


@pytest.fixture
def asked(book: Session) -> Session:
    """A ledger whose closed November somebody asks to reopen; October is closed too."""
    book.execute(
        sa.text(
            "INSERT INTO period (month, state, opened_at, opened_by) SELECT '2026-10', 'open', opened_at, 1 FROM period"
        )
    )
    book.execute(sa.text("UPDATE period SET state = 'closed', closed_at = opened_at"))
    book.execute(sa.text(ASK.format(month="2026-11", state="open", closed_at="closed_at")))
    return book


ASK = (
    "INSERT INTO period_reopening (id, month, closed_at, reason, state, asked_by, asked_at) "
    "SELECT 1, '{month}', {closed_at}, 'x', '{state}', 1, opened_at FROM period WHERE month = '2026-11'"
)
CONFIRM = "UPDATE period_reopening SET state = 'confirmed', decided_by = 2, decided_at = asked_at, mac = 'x'"
WITHDRAW = "UPDATE period_reopening SET state = 'withdrawn', decided_by = 1, decided_at = asked_at, refusal = 'y'"
REOPEN = "UPDATE period SET state = 'open', closed_at = NULL, closed_by = NULL WHERE month = '2026-11'"


def test_the_closing_that_two_people_reopen_opens_and_no_other(asked: Session) -> None:
    refused(asked, REOPEN)
    asked.execute(sa.text(CONFIRM))

    refused(asked, REOPEN.replace("'2026-11'", "'2026-10'"))
    refused(asked, REOPEN.replace("'open'", "'soft_closed'"))
    asked.execute(sa.text(REOPEN))
    # The same closing again would be open to anybody.
    refused(asked, "UPDATE period SET state = 'closed', closed_at = opened_at WHERE month = '2026-11'")
    asked.execute(
        sa.text("UPDATE period SET state = 'closed', closed_at = '2099-01-01 00:00:00.000000' WHERE month = '2026-11'")
    )
    refused(asked, REOPEN)


def test_a_withdrawn_request_opens_nothing_and_is_not_taken_up_again(asked: Session) -> None:
    asked.execute(sa.text(WITHDRAW))

    refused(asked, REOPEN)
    refused(asked, CONFIRM)
    refused(asked, "UPDATE period_reopening SET state = 'open', decided_by = NULL, decided_at = NULL, refusal = NULL")


def test_no_month_is_reopened_under_a_closed_one(asked: Session) -> None:
    asked.execute(sa.text(CONFIRM))
    asked.execute(
        sa.text("INSERT INTO period (month, state, opened_at) SELECT '2026-12', 'open', asked_at FROM period_reopening")
    )
    asked.execute(sa.text("UPDATE period SET state = 'closed', closed_at = opened_at WHERE month = '2026-12'"))

    refused(asked, REOPEN)


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(CONFIRM.replace("decided_by = 2", "decided_by = 1"), id="one person"),
        pytest.param(CONFIRM.replace("decided_by = 2", "decided_by = NULL"), id="nobody"),
        pytest.param(CONFIRM.replace(", mac = 'x'", ""), id="no mac"),
        pytest.param(
            "UPDATE period_reopening SET state = 'refused', decided_by = 2, decided_at = asked_at", id="no word"
        ),
        pytest.param(WITHDRAW.replace("decided_by = 1", "decided_by = 2"), id="withdrawn by another"),
        pytest.param(WITHDRAW.replace(", refusal = 'y'", ""), id="withdrawn without a word"),
        pytest.param(WITHDRAW + ", mac = 'x'", id="withdrawn with a mac"),
        pytest.param("UPDATE period_reopening SET reason = 'y'", id="other reason"),
        pytest.param(CONFIRM + ", month = '2026-10'", id="other month"),
        pytest.param(CONFIRM + ", asked_by = 3", id="other asker"),
        pytest.param("DELETE FROM period_reopening", id="gone"),
    ],
)
def test_a_request_is_decided_by_another_person_and_otherwise_stays(asked: Session, attack: str) -> None:
    refused(asked, attack)


def test_a_decided_request_stays_as_it_is(asked: Session) -> None:
    asked.execute(sa.text(CONFIRM))

    refused(asked, "UPDATE period_reopening SET decided_by = 3")
    refused(asked, "UPDATE period_reopening SET state = 'open', decided_by = NULL, decided_at = NULL, mac = NULL")
    refused(asked, "DELETE FROM period_reopening")
    if asked.get_bind().dialect.name == "postgresql":
        refused(asked, "TRUNCATE period_reopening")
    else:
        refused(asked, "INSERT OR REPLACE INTO period_reopening SELECT * FROM period_reopening")
        refused(asked, "UPDATE OR REPLACE period_reopening SET mac = 'y'")


@pytest.mark.parametrize(
    "request_",
    [
        {"month": "2026-11", "state": "confirmed", "closed_at": "closed_at"},
        {"month": "2026-11", "state": "open", "closed_at": "'2099-01-01 00:00:00.000000'"},
        {"month": "2026-09", "state": "open", "closed_at": "closed_at"},
    ],
    ids=["born decided", "no such closing", "no such month"],
)
def test_a_request_is_born_open_and_of_a_closing_that_stands(book: Session, request_: dict[str, str]) -> None:
    book.execute(sa.text("UPDATE period SET state = 'closed', closed_at = opened_at"))
    columns = ASK.replace("asked_at)", "asked_at, decided_by, decided_at, mac)").replace(
        "1, opened_at FROM", "1, opened_at, 2, opened_at, 'x' FROM"
    )

    refused(book, (columns if request_["state"] == "confirmed" else ASK).format(**request_))


def test_a_period_is_born_open(book: Session) -> None:
    refused(
        book,
        "INSERT INTO period (month, state, opened_at, closed_at) SELECT '2026-12', 'closed', opened_at, opened_at "
        "FROM period",
    )


@pytest.mark.parametrize("facts", [{"id": 3}, {"previous_mac": "1" * 64}, {"previous_mac": "0" * 64}])
def test_a_seal_follows_the_newest(book: Session, facts: dict[str, Any]) -> None:
    _insert_seal(book)

    with pytest.raises(IntegrityError), book.begin_nested():
        _insert_seal(book, **{"id": 2, "previous_mac": "a" * 64, "mac": "b" * 64, **facts})


def _insert_seal(session: Session, **facts: Any) -> None:
    row = {"id": 1, "previous_mac": "0" * 64, "content": b"{}", "mac": "a" * 64, **facts}
    session.execute(
        sa.text(
            "INSERT INTO seal (id, previous_mac, sealed_at, content, mac) "
            "SELECT :id, :previous_mac, opened_at, :content, :mac FROM period"
        ),
        row,
    )
    if row["id"] == 1:
        session.execute(
            sa.text("INSERT INTO seal_entry (entry_id, seal_id, content) VALUES (:entry_id, 1, :content)"),
            {"entry_id": entry_id_of(session), "content": b"{}"},
        )
