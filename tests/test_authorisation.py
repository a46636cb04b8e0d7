"""Every endpoint x every role x own, foreign and missing rows; an endpoint that nobody declared fails here."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask, url_for
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from supervise import db
from supervise.access.policy import policy_of
from supervise.access.roles import ROLE_PERMISSIONS, Role
from supervise.access.sessions import open_session
from supervise.app import create_app
from supervise.cipher import Keyring
from supervise.complaints.models import SubscriberNumber
from supervise.complaints.subscribers import full_numbers
from supervise.config import Settings
from supervise.phone import mask
from tests.authorisation import EXPECTATIONS, Expectation, World, build_world
from tests.databases import clone_sqlite, fast_folder

#: A page tells these apart: signed out, not for this role, not there.
REFUSALS = {401, 403, 404}
METHODS = ("GET", "POST")


@dataclass
class Stage:
    """The application, its database file and what was in that when the world was made, and a browser for each role."""

    app: Flask
    world: World
    file: Path
    content: bytes
    tokens: dict[Role, str]

    def reset(self) -> None:
        """Put the world as it was made under the application, which keeps the statements that it has compiled."""
        self.close()
        for log in ("-wal", "-shm"):
            self.file.with_name(self.file.name + log).unlink(missing_ok=True)
        self.file.write_bytes(self.content)

    def close(self) -> None:
        """Leave no connection to the file."""
        self.app.extensions["supervise.db"].engine.dispose()
        self.app.extensions["supervise.jobs"].huey.storage.close()

    def browser(self, role: Role | None) -> FlaskClient:
        """Return a browser in which *role* is signed in; a stranger's for None."""
        client = self.app.test_client()
        if role is not None:
            client.set_cookie(self.app.config["IDENTITY_COOKIE"], self.tokens[role])
        return client

    def address(self, rule: Rule, values: Mapping[str, int | str]) -> str:
        """Return the address of *rule*."""
        with self.app.test_request_context():
            return url_for(rule.endpoint, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, keyring: Keyring) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("world")
    with fast_folder() as fast:
        yield from staged(clone_sqlite(fast), folder, keyring)


def staged(url: str, folder: Path, keyring: Keyring) -> Iterator[Stage]:
    settings = Settings(
        database_url=url,
        instance=folder,
        keyring=keyring,
        secret_key="not a secret: tests only, and long enough",
        demo=False,
        secure_cookies=False,
        anchor_file=folder / "anchors.txt",
        password_rounds=1,
        password_memory_kib=8,
    )
    app = create_app(settings)
    app.testing = True
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), db.writing() as session:
        world = build_world(session)
        tokens = {
            role: open_session(session, user.id, is_confirmed=True, address=None, agent=None)
            for role, user in world.users.items()
        }
    file = Path(url.removeprefix("sqlite:///"))
    stage = Stage(app, world, file, b"", tokens)
    stage.close()
    stage.content = file.read_bytes()
    yield stage
    stage.close()


def rules_of(app: Flask, endpoint: str) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint]


def test_every_endpoint_has_a_policy_and_an_expectation(stage: Stage) -> None:
    endpoints = {rule.endpoint for rule in stage.app.url_map.iter_rules()}

    assert {endpoint for endpoint in endpoints if policy_of(stage.app, endpoint) is None} == set()
    assert endpoints - EXPECTATIONS.keys() == set(), "declare them in tests/authorisation.py"


def test_every_expectation_is_about_an_endpoint(stage: Stage) -> None:
    assert EXPECTATIONS.keys() - {rule.endpoint for rule in stage.app.url_map.iter_rules()} == set()


def test_the_world_has_rows_for_every_argument_of_an_address(stage: Stage) -> None:
    unknown = {
        f"{rule.endpoint}: {argument}"
        for rule in stage.app.url_map.iter_rules()
        for argument in rule.arguments
        if EXPECTATIONS[rule.endpoint].rows.get(argument, argument) not in stage.world.rows
    }

    assert unknown == set(), "add them to build_world in tests/authorisation.py"


def test_policies_in_the_views_say_what_the_expectations_say(stage: Stage) -> None:
    different = {}
    for endpoint, expected in EXPECTATIONS.items():
        policy = policy_of(stage.app, endpoint)
        if policy is None or policy.is_public != expected.is_public:
            different[endpoint] = "public or not"
        elif policy.permissions:
            roles = {role for role in Role if policy.permissions & ROLE_PERMISSIONS[role]}
            if roles != expected.roles:
                different[endpoint] = f"{sorted(roles)} in the view, {sorted(expected.roles)} expected"

    assert different == {}


@pytest.mark.parametrize("endpoint", sorted(EXPECTATIONS))
def test_the_endpoint_is_open_to_whom_it_should_be(endpoint: str, stage: Stage) -> None:
    stage.reset()
    expected = EXPECTATIONS[endpoint]

    # Refusals first: they change nothing, while what is allowed may.
    wrong = [
        line
        for rule in rules_of(stage.app, endpoint)
        for method in METHODS
        if method in (rule.methods or ())
        for check in (refusals, admissions)
        for line in check(stage, rule, method, expected)
    ]

    assert wrong == []


def refusals(stage: Stage, rule: Rule, method: str, expected: Expectation) -> Iterator[str]:
    """Yield a line for each cell that should have been refused, and was not, or otherwise."""
    names = {argument: expected.rows.get(argument, argument) for argument in rule.arguments}
    rows = {argument: stage.world.rows[name] for argument, name in names.items()}
    missing = {argument: values.missing for argument, values in rows.items()}
    if not expected.is_public:
        yield from cell(stage, rule, method, role=None, values=missing, wanted={303} if method == "GET" else {401})
    for role in Role:
        if not expected.admits(role, method):
            # The function is refused before the row is looked for: 403 tells nothing about rows.
            yield from cell(stage, rule, method, role=role, values=missing, wanted={403})
            continue
        if rows:
            yield from cell(stage, rule, method, role=role, values=missing, wanted={404})
        foreign = {argument: values.foreign.get(role) for argument, values in rows.items()}
        for argument, value in foreign.items():
            if value is not None:
                others = {name: values.own_of(role) for name, values in rows.items() if name != argument}
                yield from cell(stage, rule, method, role=role, values={**others, argument: value}, wanted={404})


def admissions(stage: Stage, rule: Rule, method: str, expected: Expectation) -> Iterator[str]:
    """Yield a line for each cell that should have been let in, and was not."""
    for role in Role:
        if not expected.admits(role, method):
            continue
        if any(role in stage.world.rows[expected.rows.get(name, name)].blind for name in rule.arguments):
            continue
        own = {
            argument: stage.world.rows[expected.rows.get(argument, argument)].own_of(role)
            for argument in rule.arguments
        }
        allowed = set(range(200, 400)) if method == "GET" else set(range(200, 500)) - REFUSALS
        yield from cell(stage, rule, method, role=role, values=own, wanted=allowed)


def cell(
    stage: Stage,
    rule: Rule,
    method: str,
    *,
    role: Role | None,
    values: Mapping[str, int | str],
    wanted: set[int],
) -> Iterator[str]:
    address = stage.address(rule, values)
    with stage.browser(role).open(address, method=method) as response:
        to_login = response.status_code == 303 and (response.location or "").startswith("/login?next=")
    if response.status_code not in wanted or (role is None and method == "GET" and not to_login):
        yield f"{method} {address} as {role or 'a stranger'}: {response.status_code}"


def test_no_page_and_no_file_shows_a_subscribers_full_number(stage: Stage, keyring: Keyring) -> None:
    stage.reset()
    with stage.app.app_context(), db.reading() as session:
        ids = session.scalars(sa.select(SubscriberNumber.id)).all()
        numbers = {number.encode() for number in full_numbers(session, keyring, ids).values()}
    masks = {mask(number.decode()).encode() for number in numbers}

    in_full, masked = set(), set()
    for endpoint in EXPECTATIONS:
        for rule in rules_of(stage.app, endpoint):
            for content in admitted_contents(stage, rule) if "GET" in (rule.methods or ()) else ():
                in_full |= {endpoint} if any(number in content for number in numbers) else set()
                masked |= {endpoint} if any(one in content for one in masks) else set()

    # The workbook for billing, which has them (docs/reports.md), is made by a POST.
    assert in_full == set()
    assert {"tickets.queue", "tickets.detail", "subscribers.index"} <= masked


def admitted_contents(stage: Stage, rule: Rule) -> Iterator[bytes]:
    """Yield what every role that may read the page is given, as a page, as CSV and as the parts of a workbook."""
    expected = EXPECTATIONS[rule.endpoint]
    rows = {argument: stage.world.rows[expected.rows.get(argument, argument)] for argument in rule.arguments}
    for role in Role:
        if not expected.admits(role, "GET") or any(role in values.blind for values in rows.values()):
            continue
        address = stage.address(rule, {argument: values.own_of(role) for argument, values in rows.items()})
        with stage.browser(role).get(address) as response:
            content = response.get_data()
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as book:
                content = b"".join(book.read(name) for name in book.namelist())
            # What can be a workbook can be a CSV file; a page is the same whatever is asked for.
            with stage.browser(role).get(address, query_string={"format": "csv"}) as response:
                yield response.get_data()
        yield content


def test_no_page_gives_its_rules_away_by_an_unknown_converter(stage: Stage) -> None:
    # <path:...> takes slashes; only static files may.
    loose = [rule.rule for rule in stage.app.url_map.iter_rules() if re.search(r"<path:", rule.rule)]

    assert sorted(loose) == ["/bootstrap/static/<path:filename>", "/static/<path:filename>"]
