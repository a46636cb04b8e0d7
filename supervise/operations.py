"""What whoever runs the program does to it: ``python -m supervise --help`` lists the commands.

They work without the application, which refuses to start when its keys or its schema are missing.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from supervise import cipher, db, schema
from supervise.access import passwords
from supervise.access.roles import Role
from supervise.access.users import create_user
from supervise.app import create_app, refuse_unfit_database
from supervise.config import DEMO_DATABASE, ConfigError, Settings, first_line, load_settings
from supervise.demo.load import load_demo
from supervise.demo.people import PEOPLE
from supervise.errors import RefusalError
from supervise.jobs.queue import JobQueue, create_queue_tables
from supervise.serving import ServingError, parse_address, refuse_taken, serve

_BUILDING = "building.sqlite3"


@click.group()
def operations() -> None:
    """Run and look after supervise."""


@contextmanager
def _sentences() -> Iterator[None]:
    """End the command with one sentence, and no traceback, when an error says what to do."""
    try:
        yield
    except (ConfigError, cipher.KeyFileError, schema.SchemaError, ServingError, RefusalError) as error:
        raise click.ClickException(str(error)) from error
    except SQLAlchemyError as error:
        raise click.ClickException(f"the database cannot be used: {first_line(error)}") from error


@operations.command("make-keys")
@click.argument("path", type=click.Path(path_type=Path))
def make_keys(path: Path) -> None:
    """Write fresh keys to PATH, readable by the owner alone. Keep a copy: without them numbers are lost."""
    with _sentences():
        if path.exists():
            raise ConfigError(f"{path} exists and is not replaced: its keys may be in use")
        cipher.make_key_file(path)
    click.echo(f"keys written to {path}; keep a copy in a safe place, apart from the database's backups")


@operations.command("migrate")
def migrate() -> None:
    """Bring the database at DATABASE_URL to this version's schema."""
    with _sentences():
        settings = load_settings()
        before, after = schema.migrate(settings.database_url)
        create_queue_tables(settings.database_url)
    click.echo(f"the database is at {after}" + ("" if before == after else f", it was at {before or 'nothing'}"))


@operations.command("check")
def check() -> None:
    """Say whether this configuration and this database would start."""
    with _sentences(), _application(load_settings()) as app:
        dialect = app.extensions["supervise.db"].dialect
    click.echo(f"ready to start: the keys are readable, the {dialect} database is at {schema.head()}")


@operations.command("make-admin")
@click.argument("username")
@click.argument("display_name")
def make_admin(username: str, display_name: str) -> None:
    """Add an administrator called USERNAME, who adds everybody else; print the password for the first login."""
    with _sentences():
        password = passwords.initial_password()
        with _application(load_settings()):
            password_hash = passwords.current().hash(password)
            db.decide(
                create_user,
                actor_id=None,
                username=username,
                display_name=display_name,
                role=Role.ADMIN,
                password_hash=password_hash,
            )
    click.echo(f"{username} is an administrator; password for the first login: {password}")


@operations.command("worker")
def worker() -> None:
    """Run background jobs until SIGINT or SIGTERM."""
    with _sentences():
        settings = load_settings()
        with _application(settings) as app:
            queue: JobQueue = app.extensions["supervise.jobs"]
            queue.work()


@operations.command("serve")
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="host:port to listen on")
def serve_production(bind: str) -> None:
    """Run gunicorn and the job worker, as in production."""
    with _sentences():
        address = parse_address(bind)
        refuse_taken(address)
        with _application(load_settings()):
            pass
        serve(address, tell=lambda: click.echo(f"supervise answers on {address.url}"))


@operations.command("demo")
@click.option("--port", default=8000, show_default=True, help="port on 127.0.0.1")
def demo(port: int) -> None:
    """Start the demo: its own database with invented data, one login for each role."""
    with _sentences():
        address = parse_address(f"127.0.0.1:{port}")
        refuse_taken(address)
        settings = load_settings(_as_demo())
        with _alone(settings.instance):
            prepare_demo(settings)
            log = settings.instance / "server.log"
            click.echo("starting ...")
            serve(address, environ=_as_demo(), log=log, tell=lambda: click.echo(_welcome(address.url, log)))
    click.echo("stopped; `make run` starts it again with the same data")


@operations.command("load-demo")
def load_demo_once() -> None:
    """Make the demo's database with its data, unless it is there."""
    with _sentences():
        settings = load_settings(_as_demo())
        with _alone(settings.instance):
            prepare_demo(settings)


@operations.command("remove-demo")
def remove_demo() -> None:
    """Delete the demo's database, keys and files; refuse any other database."""
    with _sentences():
        settings = load_settings()
        if not settings.demo:
            raise ConfigError("this is not the demo: only its own database is ever removed (make demo-remove)")
        with _alone(settings.instance):
            shutil.rmtree(settings.instance)
    click.echo(f"the demo is gone: {settings.instance}")


def prepare_demo(settings: Settings) -> None:
    """Make the demo's database, or bring the one there to this version's schema, its data kept.

    It is made beside its place and moved there whole, so that an interrupted start leaves no half of it.

    Raises:
        SchemaError: if the one there was made by a newer version.
    """
    path = settings.instance / DEMO_DATABASE
    if not path.exists():
        click.echo("making the demo's database; this is done once ...")
        _build_demo(settings, path)
        return
    try:
        before, after = schema.migrate(settings.database_url)
    except schema.SchemaError as error:
        raise schema.SchemaError(f"{error}; or throw the demo away: make demo-remove") from error
    if before != after:
        click.echo(f"the demo's database had the older schema {before} and now has {after}; its data are kept")


def _build_demo(settings: Settings, path: Path) -> None:
    building = settings.instance / _BUILDING
    for left in settings.instance.glob(f"{_BUILDING}*"):
        left.unlink()
    url = f"sqlite:///{building}"
    schema.migrate(url)
    app = create_app(replace(settings, database_url=url))
    with app.app_context():
        load_demo(settings.keyring)
    # The last connection to leave folds the write-ahead log into the file.
    app.extensions["supervise.db"].engine.dispose()
    building.rename(path)


def _welcome(url: str, log: Path) -> str:
    rows = [f"    {person.role.value:<16} {person.username:<12} {person.password}" for person in PEOPLE]
    return "\n".join(
        [
            "",
            f"  supervise runs on {url}   (Ctrl-C stops it; the log is {log})",
            "",
            "  Demo logins; all people, numbers and amounts are invented:",
            f"    {'role':<16} {'user':<12} password",
            *rows,
            "",
        ]
    )


@contextmanager
def _application(settings: Settings) -> Iterator[Flask]:
    """Open the application's context on a database that is at this version's schema and was written with its keys.

    Raises:
        SchemaError, ConfigError: if it is not.
    """
    app = create_app(settings)
    database: db.Database = app.extensions["supervise.db"]
    try:
        refuse_unfit_database(app)
        with app.app_context():
            yield app
    finally:
        # The last connection to leave folds SQLite's write-ahead log into the file.
        database.engine.dispose()


def _as_demo() -> dict[str, str]:
    # One process is enough to look around, and quicker to start.
    return {"SUPERVISE_PROCESSES": "1", **os.environ, "SUPERVISE_DEMO": "1"}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the demo's folder; the lock goes with the process.

    Raises:
        ServingError: if another command holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ServingError("the demo is running: stop it first (Ctrl-C where it was started)") from error
    try:
        yield
    finally:
        os.close(descriptor)
