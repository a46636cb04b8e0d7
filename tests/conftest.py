"""What every test may ask for. Storage is tested on SQLite and on a real PostgreSQL, never on a mock.

``session`` is rolled back after its constraints were checked; ``database`` is a clone of one's own, for tests
that commit, race or kill; ``app`` and ``client`` run on such a clone. A test that needs one engine only says
``@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)``.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Page
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from supervise import models
from supervise.cipher import Keyring
from supervise.config import Settings
from supervise.db import Database
from supervise.evidence.codes import KEYRING_KEY
from supervise.evidence.store import SESSION_KEY
from tests.application import opened_application
from tests.databases import (
    PostgresServer,
    clone_sqlite,
    fast_folder,
    opened,
    postgres_server,
    shared_store,
    violations,
)
from tests.statements import share_statements
from tests.worlds import Worlds

#: A test of one subject meets rows of all: every table must be known to the mappers.
TABLES = models.__all__
ENGINES = ("sqlite", "postgresql")
#: Debian's name, and what other distributions call the same browser.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: A busy machine makes an example slow, not wrong.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")
share_statements()
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip browser tests by name where there is no browser."""
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="no Chromium in PATH")
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(skip)


# Databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL that all workers share."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=ENGINES, scope="session")
def engine_name(request: pytest.FixtureRequest) -> str:
    """``sqlite`` or ``postgresql``; storage tests run once on each."""
    return str(request.param)


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated database that is this test's alone; with a world in it, if the test has a ``clone``."""
    if "clone" in request.fixturenames:
        yield request.getfixturevalue("clone").url
        return
    if engine_name == "sqlite":
        with fast_folder() as folder:
            yield clone_sqlite(folder)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create(server.template())
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database that is this test's alone: for commits, races and kills."""
    with opened(database_url) as database:
        yield database


@pytest.fixture(scope="session")
def standing_database(engine_name: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The database on which ``session`` works: kept through the run, since whoever uses it rolls back."""
    with ExitStack() as stack:
        if engine_name == "sqlite":
            url = clone_sqlite(stack.enter_context(fast_folder()))
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            name = server.create(server.template())
            stack.callback(server.drop, name)
            url = server.url(name)
        yield stack.enter_context(opened(url))


@pytest.fixture(scope="session")
def worlds(engine_name: str, request: pytest.FixtureRequest, keyring: Keyring) -> Iterator[Worlds]:
    """The worlds that several tests clone instead of making them again."""
    worlds = Worlds(keyring, request.getfixturevalue("postgres") if engine_name == "postgresql" else None)
    yield worlds
    worlds.close()


@pytest.fixture
def session(standing_database: Database, keyring: Keyring) -> Iterator[Session]:
    """A session whose work is rolled back at the end, after all constraints were checked.

    A test that breaks a constraint on purpose rolls the session back itself.
    """
    with standing_database.engine.connect() as connection:
        transaction = connection.begin()
        with Session(
            connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
            info={SESSION_KEY: shared_store(), KEYRING_KEY: keyring},
        ) as session:
            yield session
            if session.is_active:
                session.flush()
        broken = violations(connection)
        transaction.rollback()
    assert not broken, f"a commit would have been refused: {broken}"


# The application


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    """Keys that are the same in every run, so that a stored value can be compared."""
    return Keyring(data_keys={"t1": b"\x01" * 32}, current="t1", index_key=b"\x02" * 32, seal_key=b"\x03" * 32)


@pytest.fixture
def settings(database_url: str, keyring: Keyring, tmp_path: Path) -> Settings:
    """What the environment of the test application would say."""
    return Settings(
        database_url=database_url,
        instance=tmp_path,
        keyring=keyring,
        secret_key="not a secret: tests only, and long enough",
        demo=False,
        secure_cookies=False,
        anchor_file=tmp_path / "anchors.txt",
        # The records that a test writes by a session of its own are the application's as well.
        evidence_uri=shared_store().uri,
        # The cheapest hash there is; the parameters stand in each hash.
        password_rounds=1,
        password_memory_kib=8,
    )


@pytest.fixture
def app(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The application on ``database``'s own clone; a browser may ask late, and shares it with no other test."""
    with opened_application(settings, alone="live_url" in request.fixturenames) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without a screen, not logged in."""
    return app.test_client()


# The browser


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Use the distribution's Chromium, and let it call nobody."""
    return {
        "executable_path": CHROMIUM,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    """A Chinese office's browser; axe must be let in past our content security policy."""
    return {
        "bypass_csp": True,
        "locale": "zh-CN",
        "timezone_id": "Asia/Shanghai",
        "viewport": {"width": 1280, "height": 800},
    }


@pytest.fixture
def live_url(app: Flask) -> Iterator[str]:
    """The address at which the application really answers."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Accessibility:
    """Asks axe for what WCAG 2.2 AA forbids on a page."""

    def violations(self, page: Page) -> list[str]:
        """Return one line for each rule that the page breaks, with the elements."""
        # Only what is wrong is asked for with every element: to describe all that is in order takes long.
        options = {"runOnly": {"type": "tag", "values": list(WCAG)}, "resultTypes": ["violations"]}
        result = Axe().run(page, options=options)
        return [
            f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes']]}"
            for rule in result.response["violations"]
        ]


@pytest.fixture(scope="session")
def axe() -> Accessibility:
    """The judge of accessibility: ``assert axe.violations(page) == []``."""
    return Accessibility()
