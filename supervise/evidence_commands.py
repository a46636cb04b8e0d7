"""``flask evidence ...``: records by command, for files that no browser should carry, and the proof of what lies there.

A file is read where it lies on the server, as a named user with that user's permissions.
"""

import datetime as dt
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from supervise import db
from supervise.access.models import User
from supervise.access.queries import user_id_of
from supervise.access.roles import ROLE_PERMISSIONS, Permission
from supervise.config import Settings
from supervise.errors import RefusalError
from supervise.evidence.checks import fault_of, imports_against_partitions, partitions_with_files
from supervise.evidence.importing import STEPS, run_import
from supervise.evidence.manifest import open_import
from supervise.evidence.models import RecordImport, RecordKind
from supervise.evidence.store import store_of
from supervise.evidence.warehouse import Warehouse
from supervise.labels import _, ngettext, translate

evidence = AppGroup("evidence", help="Call, SMS, order and quality records: import them, verify them.")


@evidence.command("import")
@click.argument("kind", type=click.Choice([kind.value for kind in RecordKind]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--platform", help="Code of the platform of all rows, where the file does not name it.")
@click.option(
    "--covers",
    nargs=2,
    type=click.DateTime(["%Y-%m-%d"]),
    help="First and last day for which the file is complete; a day without a row had no records.",
)
@click.option("--corrects", is_flag=True, help="The file replaces what its platforms delivered before for its days.")
@click.option(
    "--accept-refused",
    "refused_accepted",
    type=click.IntRange(min=0),
    default=0,
    help="So many refused rows of a correction you have seen, and accept that its days lose them.",
)
@click.option("--user", "username", required=True, help="The user who acts; their permissions apply.")
def import_file(
    *,
    kind: str,
    file: Path,
    platform: str | None,
    covers: tuple[dt.datetime, dt.datetime] | None,
    corrects: bool,
    refused_accepted: int,
    username: str,
) -> None:
    """Take over FILE (CSV, XLSX or Parquet) as records of KIND, all of its good rows at once."""
    actor_id = _actor(username)
    period = None if covers is None else (covers[0].date(), covers[1].date() + dt.timedelta(days=1))
    try:
        batch = db.decide(
            open_import,
            RecordKind(kind),
            file_name=file.name,
            size_bytes=file.stat().st_size,
            platform=platform,
            covers=period,
            corrects=corrects,
            refused_accepted=refused_accepted,
            actor_id=actor_id,
        )
        _run(file, batch.id)
    except RefusalError as error:
        raise click.ClickException(str(error)) from error
    _print_result(batch.id)


def _run(file: Path, import_id: int) -> None:
    settings: Settings = current_app.extensions["supervise.settings"]
    with file.open("rb") as plain, click.progressbar(length=STEPS, label=file.name, file=sys.stderr) as bar:
        run_import(settings.keyring, import_id, plain, lambda done, _total: bar.update(done - bar.pos))


def _actor(username: str) -> int:
    """Return the id of an active user whose role may write registers."""
    with db.reading() as session:
        user_id = user_id_of(session, username)
        user = session.get(User, user_id) if user_id is not None else None
    if user is None or not user.active:
        raise click.ClickException(_("There is no active user %(name)s", name=username))
    if Permission.WRITE_REGISTERS not in ROLE_PERMISSIONS[user.role]:
        raise click.ClickException(_("The role of %(name)s does not allow this", name=username))
    return user.id


def _print_result(import_id: int) -> None:
    with db.reading() as session:
        done = session.get_one(RecordImport, import_id)
    click.echo(
        _(
            "Import %(id)s: %(total)d rows, %(new)d new, %(known)d known, %(refused)d refused",
            id=done.id,
            total=done.rows_total,
            new=done.rows_new,
            known=done.rows_known,
            refused=done.rows_refused,
        )
    )


@evidence.command("verify")
def verify_files() -> None:
    """Read every file of the manifest again and compare its SHA-256; name what does not hold and exit with 1."""
    with db.reading_one_moment() as session:
        faults = [f"record_import {import_id}" for import_id in imports_against_partitions(session)]
        kept, warehouse = partitions_with_files(session), Warehouse(store_of(session))
    # Reading all files may take hours; no transaction stays open for it.
    found = filter(None, (fault_of(warehouse, partition) for partition in kept))
    faults += [f"record_partition {one.partition_id} ({one.path}): {translate(one.words)}" for one in found]
    for words in faults:
        click.echo(_("Does not hold: %(fault)s", fault=words), err=True)
    if faults:
        sys.exit(1)
    click.echo(ngettext("%(n)d file: the records hold.", "%(n)d files: the records hold.", len(kept)))
