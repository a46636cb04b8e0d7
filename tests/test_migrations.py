"""The migrations build what the models say, on both engines, up and down, and nobody can drift away unseen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import supervise.models  # noqa: F401 - puts every table into the metadata
from supervise.db import Base, Database
from supervise.schema import SchemaError, alembic_config, head, migrate, refuse_wrong_schema, revision_of
from tests.databases import PROJECT, PostgresServer, opened

_SPACE = re.compile(r"[\s()]+")
VERSIONS = sorted((PROJECT / "migrations" / "versions").glob("*.py"))


@pytest.fixture
def empty_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if engine_name == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def config(empty_url: str) -> Config:
    return alembic_config(empty_url)


def fingerprint(database: Database) -> set[str]:
    """Everything that the database itself says about its schema, triggers and functions included."""
    with database.engine.connect() as connection:
        if database.dialect == "sqlite":
            query = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_master WHERE name <> 'alembic_version'"
            found = set(connection.exec_driver_sql(query).scalars())
        else:
            found = {str(tuple(row)) for query in POSTGRES_CATALOGUES for row in connection.exec_driver_sql(query)}
    return {re.sub(r"\s+", " ", line) for line in found if "alembic_version" not in line}


POSTGRES_CATALOGUES = (
    """SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public'""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text FROM pg_trigger WHERE NOT tgisinternal",
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
)


def checks(connection: sa.Connection) -> set[str]:
    """Each CHECK with its table, name and, as far as the engine writes it alike, its rule."""
    inspector = sa.inspect(connection)
    return {
        f"{table}: {check['name']}: {_SPACE.sub('', check['sqltext'])}"
        for table in inspector.get_table_names()
        for check in inspector.get_check_constraints(table)
    }


def test_each_migration_goes_up_is_undone_and_goes_up_again_to_the_same(config: Config, empty_url: str) -> None:
    first = [up_one(config, empty_url) for _ in VERSIONS]

    command.downgrade(config, "base")

    with opened(empty_url) as database:
        assert fingerprint(database) == set()
    for version, before in zip(VERSIONS, first, strict=True):
        assert up_one(config, empty_url) == before, version.name


def up_one(config: Config, url: str) -> set[str]:
    command.upgrade(config, "+1")
    with opened(url) as database:
        return fingerprint(database)


def test_the_migrated_tables_are_those_of_the_models(database_url: str) -> None:
    command.check(alembic_config(database_url))


def test_the_migrated_checks_are_those_of_the_models(database: Database, empty_url: str) -> None:
    # Alembic compares no CHECK: without this one, a rule of the models may be missing in the database.
    with opened(empty_url) as modelled, modelled.engine.connect() as connection:
        Base.metadata.create_all(connection)
        wanted = checks(connection)

    with database.engine.connect() as connection:
        assert checks(connection) == wanted


def test_the_migrations_are_one_line_with_serial_names() -> None:
    scripts = ScriptDirectory.from_config(alembic_config(""))
    numbers = [script.revision for script in reversed(list(scripts.walk_revisions()))]

    assert scripts.get_heads() == [head()]
    assert numbers == [f"{serial:04}" for serial in range(1, len(VERSIONS) + 1)]
    assert [path.name[:4] for path in VERSIONS] == numbers
    for path in VERSIONS:
        assert re.fullmatch(r"\d{4}_[a-z]+(_[a-z0-9]+)+\.py", path.name), path.name


def test_no_migration_imports_the_application() -> None:
    for path in VERSIONS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in {"supervise", "reports"}], path.name


def test_a_migrated_database_is_accepted(database: Database) -> None:
    refuse_wrong_schema(database)

    assert revision_of(database) == head()


def test_an_empty_database_is_refused_with_what_to_do(empty_url: str) -> None:
    with opened(empty_url) as database, pytest.raises(SchemaError, match="empty: run `make migrate`"):
        refuse_wrong_schema(database)


def test_an_older_schema_is_refused_with_what_to_do(config: Config, empty_url: str) -> None:
    command.upgrade(config, "0001")

    with opened(empty_url) as database, pytest.raises(SchemaError, match=r"older schema 0001.*run `make migrate`"):
        refuse_wrong_schema(database)


def test_a_newer_schema_is_refused_and_not_touched(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    url = database.engine.url.render_as_string(hide_password=False)

    with pytest.raises(SchemaError, match="newer schema 9999"):
        refuse_wrong_schema(database)
    with pytest.raises(SchemaError, match="newer schema 9999"):
        migrate(url)

    assert revision_of(database) == "9999"


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_an_older_sqlite_file_is_copied_before_it_is_migrated(config: Config, empty_url: str, tmp_path: Path) -> None:
    command.upgrade(config, "0001")

    assert migrate(empty_url) == ("0001", head())

    copy = tmp_path / f"empty.sqlite3.before-{head()}"
    with opened(empty_url) as database, opened(f"sqlite:///{copy}") as before:
        assert revision_of(database) == head()
        assert revision_of(before) == "0001"
