"""The first page of everybody: what waits for me, what is late, this month's money."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import signed_in
from supervise.access.roles import Permission, Role
from supervise.complaints.deadlines import provisional_years
from supervise.desk import overview
from supervise.desk.home import Task, missing_calendars, tasks_of
from supervise.desk.queue import Lateness, QueueFilters, QueueRow, queue_page
from supervise.desk.worker import COUNT_MAX, Worker
from supervise.jobs.checking import UNPRICED_AFTER, last_verification
from supervise.labels import N_, _, ngettext
from supervise.parties.scope import Scope
from supervise.penalties.models import PenaltyFamily
from supervise.penalties.queries import count_unpriced
from supervise.views.background import words_of
from supervise.views.navigation import url_of

bp = Blueprint("home", __name__)

#: Who hears of rows that do not hold: who closes the books, who audits, and who can call whoever runs the program.
_TOLD_OF_FAULTS = (Permission.CLOSE_PERIODS, Permission.READ_AUDIT, Permission.MANAGE_USERS)
#: Late tickets shown on the page itself.
_SHOWN = 8
_NOTHING_WAITS = {
    Role.CLERK: N_("Enter a complaint that came by phone, or import today's files."),
    Role.TRIAGER: N_("New calls appear here as soon as complaints are entered or imported."),
    Role.SUPERVISOR: N_("Amounts to approve, overrides and objections appear here."),
    Role.BRANCH_MANAGER: N_("A penalty of your branch or of its partners appears here as soon as it is approved."),
    Role.PARTNER_CONTACT: N_("A penalty of your company appears here as soon as it is approved."),
    Role.FINANCE: N_("Credits appear here as soon as a supervisor has approved them."),
    Role.AUDITOR: N_("Full numbers shown, overrides and refused requests of this month appear here."),
    Role.ADMIN: N_("Users with initial passwords and missing calendars appear here."),
}


#: A branch reads damages of the partners that it sponsors; they are theirs to pay.
_OF_FAMILY = {
    PenaltyFamily.INTERNAL: N_("Assessments of branches approved this month"),
    PenaltyFamily.EXTERNAL: N_("Damages of partners approved this month"),
}


class Figure(NamedTuple):
    """A sum of this month, in fen, with how many they are and the address of their list."""

    words: str
    total_fen: int
    rows: str
    url: str | None


class TaskLine(NamedTuple):
    """A task with the address of its list; None where the application has no such page."""

    task: Task
    words: str
    url: str | None


@bp.get("/")
@signed_in
def index() -> ResponseReturnValue:
    """Show the home page of the user's role."""
    me, today = current_user(), clock.today()
    with db.reading() as session:
        scope = Scope.of(session, me)
        tasks = tasks_of(session, Worker(me.id, me.permissions, scope, me.deputy_limit_fen), today)
        figures = list(_figures(session, me, scope, overview.month_start(today)))
        late: Sequence[QueueRow] = ()
        if me.can(Permission.READ_TICKETS):
            late = queue_page(session, scope, QueueFilters(lateness=Lateness.LATE), today).rows[:_SHOWN]
        calendars = missing_calendars(session, today) if me.can(Permission.EDIT_REFERENCE) else ()
        provisional = provisional_years(session) if me.can(Permission.READ_TICKETS) else ()
        last = last_verification(session)
        found = (last.message_parameters or {}) if last else {}
        if me.can(Permission.TRIAGE) and found.get("unpriced"):
            # Asked only when the night found some: it reads every proven offence.
            tasks = [*_unpriced(session), *tasks]
    lines = [TaskLine(task, _(task.words), url_of(task.endpoint, **task.arguments)) for task in tasks]
    return render_template(
        "home/index.html",
        lines=lines,
        late=late,
        figures=figures,
        month=clock.month_of(today),
        calendars=calendars,
        provisional=provisional,
        hint=_(_NOTHING_WAITS[me.role]),
        ways=_ways(me),
        count_max=COUNT_MAX,
        fault=words_of(last) if last and not found.get("holds") and me.can(*_TOLD_OF_FAULTS) else None,
        verified_at=last.finished_at if last else None,
        fault_url=url_of("ledger.verification") if me.can(Permission.CLOSE_PERIODS, Permission.READ_AUDIT) else None,
    )


def _figures(session: Session, me: CurrentUser, scope: Scope, since: dt.datetime) -> Iterator[Figure]:
    """Yield what was approved this month: assessments apart from damages, as in the books; a partner has no former."""
    if me.can(Permission.READ_PENALTIES):
        for family, words in _OF_FAMILY.items():
            if family is PenaltyFamily.INTERNAL and not scope.sees_everything and not scope.unit_ids:
                continue
            found = overview.penalties_approved(session, scope, since, family)
            rows = ngettext("%(n)d penalty", "%(n)d penalties", found.rows)
            yield Figure(_(words), found.total_fen, rows, url_of("penalties.index", family=family.value))
    if me.can(Permission.READ_CREDITS):
        granted = overview.credits_approved(session, scope, since)
        rows = ngettext("%(n)d credit", "%(n)d credits", granted.rows)
        yield Figure(_("Credits approved this month"), granted.total_fen, rows, url_of("credits.index"))


def _unpriced(session: Session) -> Sequence[Task]:
    rows = count_unpriced(session, clock.now() - UNPRICED_AFTER)
    words = N_("Offences proven a week ago, without an amount")
    return [Task(words, rows, "incidents.unpriced", {}, is_urgent=True)] if rows else []


def _ways(me: CurrentUser) -> list[tuple[str, str, str]]:
    """Return (words, address, icon) of what the role does most."""
    ways = (
        (N_("Enter a complaint"), "intake.new", "plus-lg", Permission.CREATE_TICKETS),
        (N_("Import a file"), "imports.index", "upload", Permission.IMPORT_TICKETS),
        (N_("To the tickets"), "tickets.queue", "inbox", Permission.READ_TICKETS),
        (N_("To the calls without a verdict"), "incidents.unattributed", "signpost-split", Permission.TRIAGE),
        (N_("To what is asked of us"), "inquiries.index", "question-circle", Permission.ANSWER_INQUIRIES),
        (N_("To the approvals"), "approvals.index", "check2-square", Permission.APPROVE_MONEY),
        (N_("To the penalties"), "penalties.index", "exclamation-octagon", Permission.ACKNOWLEDGE_PENALTIES),
        (N_("To the own scorecards"), "scorecards.index", "speedometer2", Permission.ACKNOWLEDGE_PENALTIES),
        (N_("To the credit batches"), "batches.index", "box-seam", Permission.EXPORT_CREDITS),
        (N_("Reports"), "reports.index", "file-earmark-spreadsheet", Permission.READ_REPORTS),
        (N_("To the users"), "users.index", "person-gear", Permission.MANAGE_USERS),
        (N_("To the audit trail"), "audit.index", "clock-history", Permission.READ_AUDIT),
    )
    return [
        (_(words), url, picture)
        for words, endpoint, picture, needed in ways
        if me.can(needed) and (url := url_of(endpoint)) is not None
    ]
