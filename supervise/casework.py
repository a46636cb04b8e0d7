"""``flask cases ...``: the path of a complaint by command, for large numbers and for rehearsals.

Each command acts as a named user with that user's permissions, takes the same decisions as the pages, and prints
what came of it: how many were done, and how many were refused for which reason.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from reports.penalties import build_penalty_workbook
from supervise import clock, db
from supervise.access.models import User
from supervise.access.queries import user_id_of
from supervise.access.roles import ROLE_PERMISSIONS, Permission
from supervise.attribution.decide import accept_suggestions
from supervise.attribution.findings import Proof, record_findings_for
from supervise.attribution.models import CHARGEABLE_VERDICTS, Finding, FindingState, IncidentVerdict
from supervise.attribution.proof_models import VerificationKind
from supervise.compensation import approve as credit_approval
from supervise.compensation.batches import sendable
from supervise.compensation.models import Credit, CreditState
from supervise.compensation.propose import propose_credits
from supervise.complaints.models import Channel, Incident, IncidentState
from supervise.complaints.offences import offence_types
from supervise.complaints.profiles import profiles_in_use, save_profile
from supervise.config import Settings
from supervise.desk.consistency import CHECKS, discrepancies
from supervise.errors import RefusalError, RowResult
from supervise.files.mapping import ColumnMapping
from supervise.files.models import BatchState, ImportBatch, ImportKind
from supervise.files.staging import open_batch
from supervise.files.uploads import record_upload, store_file, uploads_folder
from supervise.jobs.imports import preview_import, take_over_import
from supervise.jobs.sending import batch_workbook, record_export, send_to_billing
from supervise.jobs.surroundings import Surroundings
from supervise.jobs.weighing import weigh_incidents
from supervise.labels import DEFAULT_LOCALE, _, ngettext, translate
from supervise.penalties import approve as penalty_approval
from supervise.penalties.models import Penalty, PenaltyState
from supervise.penalties.propose import propose_penalties
from supervise.phone import NumberingPlan

F = TypeVar("F", bound=Callable[..., None])

cases = AppGroup("cases", help="The path of a complaint: import, attribute, find, propose, approve, export.")

#: What one transaction decides on.
_SLICE = 1_000
#: Instead of how the calls were verified: their logs say it.
_LOGGED = "as-logged"

as_user = click.option("--user", "username", required=True, help="The user who acts; their permissions apply.")


def in_sentences(command: F) -> F:
    """Print a refusal as one sentence and exit with 1."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except RefusalError as error:
            raise click.ClickException(str(error)) from error

    return run  # type: ignore[return-value]


def _settings() -> Settings:
    settings: Settings = current_app.extensions["supervise.settings"]
    return settings


def _surroundings() -> Surroundings:
    settings = _settings()
    return Surroundings(settings.instance, settings.keyring, settings.anchor_file)


def _actor(username: str, permission: Permission) -> int:
    """Return the id of an active user who holds *permission* by role."""
    with db.reading() as session:
        user_id = user_id_of(session, username)
        user = session.get(User, user_id) if user_id is not None else None
    if user is None or not user.active:
        raise click.ClickException(_("There is no active user %(name)s", name=username))
    if permission not in ROLE_PERMISSIONS[user.role]:
        raise click.ClickException(_("The role of %(name)s does not allow this", name=username))
    return user.id


def _print_results(results: Iterable[RowResult]) -> None:
    """Print how many rows were done, and how many were refused for each reason."""
    refusals: dict[object, list[RefusalError]] = {}
    done = 0
    for result in results:
        if result.refusal is None:
            done += 1
        else:
            refusals.setdefault(_reason(result.refusal), []).append(result.refusal)
    click.echo(ngettext("%(n)d done", "%(n)d done", done))
    counted = [(_in_common(equal), len(equal)) for equal in refusals.values()]
    for words, count in sorted(counted, key=lambda item: (-item[1], item[0])):
        click.echo(ngettext("%(n)d refused: %(words)s", "%(n)d refused: %(words)s", count, words=words))


def _reason(refusal: RefusalError) -> object:
    # References and days differ from row to row; equal reasons are counted together.
    return refusal.message_id, tuple(
        refusal.parameters[name] for name in sorted(refusal.parameters) if isinstance(refusal.parameters[name], int)
    )


def _in_common(refusals: Sequence[RefusalError]) -> str:
    """Return the sentence that the refusals share; what differs from row to row is left open."""
    shared = dict(refusals[0].parameters)
    for name, value in shared.items():
        if any(refusal.parameters.get(name) != value for refusal in refusals):
            shared[name] = "…"
    return translate(refusals[0].message_id, shared)


def _in_slices(
    query: Select[int], decide: Callable[..., list[RowResult]], *arguments: object, actor_id: int
) -> Iterable[RowResult]:
    with db.reading() as session:
        ids = list(session.scalars(query))
    for start in range(0, len(ids), _SLICE):
        yield from db.decide(decide, ids[start : start + _SLICE], *arguments, actor_id=actor_id)


@cases.command("map")
@click.argument("name")
@click.option("--channel", type=click.Choice([channel.value for channel in Channel]), required=True)
@click.option("--plan", type=click.Choice([plan.value for plan in NumberingPlan]), default=NumberingPlan.CHINA.value)
@click.option("--column", "columns", multiple=True, required=True, help="field=heading, once for each column")
@click.option("--required", multiple=True, help="A field without whose column the file is refused.")
@as_user
@in_sentences
def map_columns(  # noqa: PLR0917 - click passes each option by name
    name: str, channel: str, plan: str, columns: Sequence[str], required: Sequence[str], username: str
) -> None:
    """Save a mapping of columns as the import profile NAME and print its code."""
    actor_id = _actor(username, Permission.IMPORT_TICKETS)
    fields: dict[str, tuple[str, ...]] = {}
    for column in columns:
        field, _equals, heading = column.partition("=")
        fields[field] = (*fields.get(field, ()), heading)
    mapping = ColumnMapping(fields=fields, required=frozenset(required), plan=NumberingPlan(plan))
    profile = db.decide(save_profile, name=name, channel=Channel(channel), mapping=mapping, actor_id=actor_id)
    click.echo(profile.code)


@cases.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--profile", "profile_code", required=True, help="Code of an import profile.")
@click.option("--commit/--preview", default=False, help="Take the rows over, or only look.")
@as_user
@in_sentences
def import_complaints(file: Path, profile_code: str, *, commit: bool, username: str) -> None:
    """Read a complaint FILE, print what its rows are, and take them over if asked to."""
    actor_id = _actor(username, Permission.IMPORT_TICKETS)
    with db.reading() as session:
        profile_id = {profile.code: profile.id for profile in profiles_in_use(session)}.get(profile_code)
    if profile_id is None:
        raise click.ClickException(_("There is no import profile %(code)s", code=profile_code))
    with file.open("rb") as stream:
        stored = store_file(stream, uploads_folder(_settings().instance), _settings().keyring)
    batch_id = db.decide(_open_complaints, stored, file.name, profile_id, actor_id)
    preview_import(_surroundings(), _tell_nobody, actor_id, batch_id=batch_id)
    batch = _print_batch(batch_id)
    if commit and batch.state is BatchState.PREVIEWED:
        take_over_import(_surroundings(), _tell_nobody, actor_id, batch_id=batch_id)
        click.echo(_("Taken over as import %(id)s", id=batch_id))


def _open_complaints(session: Session, stored: Any, file_name: str, profile_id: int, actor_id: int) -> int:
    upload = record_upload(session, stored, file_name, actor_id=actor_id)
    return open_batch(
        session, kind=ImportKind.COMPLAINTS, upload_id=upload.id, profile_id=profile_id, actor_id=actor_id
    ).id


def _print_batch(batch_id: int) -> ImportBatch:
    with db.reading() as session:
        batch = session.get_one(ImportBatch, batch_id)
    if batch.refusal_message is not None:
        raise click.ClickException(translate(batch.refusal_message, batch.refusal_parameters or {}))
    click.echo(
        _(
            "%(total)d rows: %(new)d new, %(known)d known, %(changed)d changed, %(duplicate)d probable duplicates, "
            "%(error)d with errors",
            total=batch.rows_total,
            new=batch.rows_new,
            known=batch.rows_known,
            changed=batch.rows_changed,
            duplicate=batch.rows_duplicate,
            error=batch.rows_error,
        )
    )
    return batch


def _tell_nobody(_steps_done: int, _steps_total: int) -> None:
    """A command prints its result when it is there."""


@cases.command("weigh")
@as_user
@in_sentences
def weigh(username: str) -> None:
    """Weigh the evidence for every incident without a verdict anew, for the lists."""
    before, actor_id = clock.now(), _actor(username, Permission.TRIAGE)
    outcome = weigh_incidents(_surroundings(), _tell_nobody, actor_id, before=before.isoformat())
    click.echo(translate(outcome.message, dict(outcome.parameters)))


@cases.command("attribute")
@as_user
@in_sentences
def attribute(username: str) -> None:
    """Accept the suggestion for every incident without a verdict that a record proves and nothing contradicts."""
    actor_id = _actor(username, Permission.TRIAGE)
    undecided = (
        select(Incident.id)
        .outerjoin(IncidentVerdict, IncidentVerdict.incident_id == Incident.id)
        .where(IncidentVerdict.incident_id.is_(None), Incident.state != IncidentState.MERGED)
        .order_by(Incident.id)
    )
    _print_results(_in_slices(undecided, accept_suggestions, actor_id=actor_id))


@cases.command("find")
@click.option("--offence", "offence_code", required=True, help="Code of an offence type.")
@click.option("--evidence", required=True, help="What was heard, seen or read.")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="ITEM=yes|no",
    help="Answer an item of the offence type's checklist; once for each item.",
)
@click.option(
    "--verified-by",
    type=click.Choice([*(kind.value for kind in VerificationKind), _LOGGED]),
    default=VerificationKind.RECORDING_REVIEW.value,
    show_default=True,
    help="How the calls were verified: the evidence is entered in their logs. As logged: only what a log confirms.",
)
@as_user
@in_sentences
def find(offence_code: str, evidence: str, checks: Sequence[str], verified_by: str, username: str) -> None:
    """Record an offence as proven for every attributed incident that has no finding yet."""
    checklist = _answers(checks)
    how = None if verified_by == _LOGGED else VerificationKind(verified_by)
    actor_id = _actor(username, Permission.TRIAGE)
    attributed = (
        select(IncidentVerdict.incident_id)
        .outerjoin(Finding, Finding.incident_id == IncidentVerdict.incident_id)
        .where(IncidentVerdict.verdict.in_(CHARGEABLE_VERDICTS), Finding.id.is_(None))
        .order_by(IncidentVerdict.incident_id)
    )
    proof = Proof(offence_code, proven=True, evidence_note=evidence, checklist=checklist, verified_by=how)
    _print_results(_in_slices(attributed, record_findings_for, [proof], actor_id=actor_id))


def _answers(checks: Sequence[str]) -> dict[str, bool]:
    answers: dict[str, bool] = {}
    for check in checks:
        item, _equals, answer = check.partition("=")
        if answer not in ("yes", "no") or item in answers:
            raise click.BadParameter(_("Answer each item once, as ITEM=yes or ITEM=no"), param_hint="--check")
        answers[item] = answer == "yes"
    return answers


@cases.command("propose")
@as_user
@in_sentences
def propose(username: str) -> None:
    """Propose a penalty and a credit for every incident with a proven offence."""
    actor_id = _actor(username, Permission.TRIAGE)
    proven = select(Finding.incident_id).where(Finding.state == FindingState.PROVEN).distinct()
    click.echo(_("Penalties:"))
    _print_results(_in_slices(proven.order_by(Finding.incident_id), propose_penalties, actor_id=actor_id))
    click.echo(_("Credits:"))
    _print_results(_in_slices(proven.order_by(Finding.incident_id), propose_credits, actor_id=actor_id))


@cases.command("approve")
@as_user
@in_sentences
def approve(username: str) -> None:
    """Approve every penalty and credit that waits, as the second person."""
    actor_id = _actor(username, Permission.APPROVE_MONEY)
    with db.reading() as session:
        penalties = [
            penalty_approval.Shown(row.id, row.content_sha256)
            for row in session.scalars(select(Penalty).where(Penalty.state == PenaltyState.PROPOSED))
        ]
        waiting = [
            credit_approval.Shown(row.id, row.content_sha256)
            for row in session.scalars(select(Credit).where(Credit.state == CreditState.PROPOSED))
        ]
    click.echo(_("Penalties:"))
    _print_results(_sliced(penalties, penalty_approval.approve, actor_id))
    click.echo(_("Credits:"))
    _print_results(_sliced(waiting, credit_approval.approve_credits, actor_id))


def _sliced(shown: Sequence[Any], decide: Callable[..., list[RowResult]], actor_id: int) -> Iterable[RowResult]:
    for start in range(0, len(shown), _SLICE):
        yield from db.decide(decide, shown[start : start + _SLICE], actor_id=actor_id)


@cases.command("batch")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@as_user
@in_sentences
def send_batch(output: Path, username: str) -> None:
    """Freeze every approved credit into one batch and write its workbook to OUTPUT."""
    actor_id = _actor(username, Permission.EXPORT_CREDITS)
    with db.reading() as session:
        ids = list(session.scalars(select(Credit.id).where(sendable())))
    batch = send_to_billing(_surroundings(), ids, locale=DEFAULT_LOCALE, actor_id=actor_id)
    workbook = batch_workbook(_surroundings(), batch.id, output)
    db.decide(record_export, batch.id, workbook.sha256, actor_id=actor_id)
    click.echo(
        _("%(number)s: %(lines)d credits, %(sha)s", number=batch.number, lines=batch.lines_total, sha=workbook.sha256)
    )


@cases.command("verify")
def verify_cases() -> None:
    """Compare tickets, verdicts, penalties, credits and the ledger with each other; exit with 1 if any differ."""
    with db.reading_one_moment() as session:
        found = discrepancies(session)
    for discrepancy in found:
        click.echo(_("Does not hold: %(fault)s", fault=str(discrepancy)), err=True)
    if found:
        sys.exit(1)
    click.echo(ngettext("%(n)d check: the cases hold.", "%(n)d checks: the cases hold.", len(CHECKS)))


@cases.command("penalty-workbook")
@click.argument("month")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@as_user
@in_sentences
def write_penalty_workbook(month: str, output: Path, username: str) -> None:
    """Write the workbook of what was booked in MONTH (2026-11) to OUTPUT."""
    _actor(username, Permission.READ_REPORTS)
    with db.reading() as session:
        names = {code: row.name_zh for code, row in offence_types(session).items()}
        workbook = build_penalty_workbook(session, month, names, output, clock.now())
    click.echo(f"{month}: SHA-256 {workbook.sha256}")
