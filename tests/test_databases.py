"""Sessions and the harness: what a page reads with; what a commit would refuse is seen although nothing is committed."""

import contextlib

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import InternalError
from sqlalchemy.orm import Session

from supervise.db import Database
from tests.databases import violations


def test_a_broken_deferred_key_is_seen_before_the_rollback(database: Database) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.exec_driver_sql("INSERT INTO child VALUES (1)")
        broken = violations(connection)
        connection.rollback()

    assert len(broken) == 1


def test_a_sound_transaction_has_no_violations(database: Database) -> None:
    with database.engine.connect() as connection:
        sound = violations(connection)

    assert sound == []


def test_what_a_test_writes_is_gone_in_the_next_one(session: Session) -> None:
    # Whichever of the two runs second would fail if the first were kept.
    session.execute(sa.text("CREATE TABLE left_behind (id INTEGER)"))


def test_what_a_test_writes_is_gone_in_the_other_one_too(session: Session) -> None:
    session.execute(sa.text("CREATE TABLE left_behind (id INTEGER)"))


def test_a_rolled_back_session_goes_on_in_the_same_test(session: Session) -> None:
    session.execute(sa.text("CREATE TABLE kept (id INTEGER)"))
    session.commit()
    session.execute(sa.text("INSERT INTO kept VALUES (1)"))

    session.rollback()

    assert session.execute(sa.text("SELECT count(*) FROM kept")).scalar_one() == 0


def test_a_statement_is_compiled_once_for_all_databases_of_a_worker_and_asks_each_its_own(
    database: Database, standing_database: Database
) -> None:
    assert database.engine.url != standing_database.engine.url
    label = sa.table("said_here", sa.column("label", sa.Text))
    answers = []
    for each in (database, standing_database):
        with each.engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE said_here (label TEXT)")
            connection.execute(label.insert().values(label=str(each.engine.url)))
            answers.append(connection.execute(sa.select(label)))
            assert answers[-1].scalar_one() == str(each.engine.url)
            connection.rollback()

    assert answers[1].context.compiled is answers[0].context.compiled


def test_a_page_asks_what_the_server_has_prepared(database: Database) -> None:
    if database.dialect != "postgresql":
        pytest.skip("SQLite prepares in the process")
    question = sa.text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%asked_again%'")
    for _page in range(8):
        with database.session(writes=False) as session:
            session.execute(sa.text("SELECT 1 AS asked_again"))

    with database.session(writes=False) as session:
        assert session.scalar(question) == 1


def test_nothing_that_a_page_does_is_kept(database: Database) -> None:
    with database.session(writes=True) as session:
        session.execute(sa.text("CREATE TABLE looked_at (id INTEGER)"))
    with contextlib.suppress(InternalError), database.session(writes=False) as session:
        session.execute(sa.text("INSERT INTO looked_at VALUES (1)"))

    with database.session(writes=False) as session:
        assert session.scalar(sa.text("SELECT count(*) FROM looked_at")) == 0


def test_a_page_cannot_write_on_postgresql(database: Database) -> None:
    if database.dialect != "postgresql":
        pytest.skip("SQLite takes it back at the end of the page")
    with pytest.raises(InternalError, match="read-only"), database.session(writes=False) as session:
        session.execute(sa.text("CREATE TABLE written (id INTEGER)"))
