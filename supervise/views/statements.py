"""Statements of parties: on screen, on paper, as a letter and as a workbook, within the user's scope."""

import io

from flask import Blueprint, Response, render_template, request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.party_statement import about_of, build_party_statement_workbook, reason_of, statement_totals
from reports.statement_letter import build_statement_letter, may_be_letter
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.desk.penalty_story import Choice, parties_with_account
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.penalties.statement import PartyStatement, StatementKind, party_statement
from supervise.settlement.queries import own_among
from supervise.views.addresses import address_with
from supervise.views.downloads import send_workbook
from supervise.views.filters import named
from supervise.views.penalties.forms import StatementForm
from supervise.views.penalties.lists import is_charged_side

bp = Blueprint("statements", __name__, url_prefix="/statements")

#: More lines are for the workbook; a page of them would only be slow.
_LINES_SHOWN = 1_000


@bp.get("/")
@require(Permission.READ_STATEMENTS)
def index() -> ResponseReturnValue:
    """List the parties whose statement the user may read."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        parties: list[Choice] = parties_with_account(session, scope, listed_only=is_charged_side(me))
    return render_template("statements/index.html", parties=parties)


@bp.get("/<int:party_id>")
@require(Permission.READ_STATEMENTS)
def party(party_id: int) -> ResponseReturnValue:
    """Show the statement of a party for some months; it prints as it is."""
    form = _form()
    with db.reading() as session:
        statement = _statement(session, party_id, form)
        names = {code: named(row) for code, row in offence_types(session).items()}
        settled = {line.settlement_id for line in statement.lines if line.settlement_id is not None}
        own_settlements = own_among(session, settled, party_id)
    return render_template(
        "statements/party.html",
        form=form,
        statement=statement,
        lines=statement.lines[:_LINES_SHOWN],
        left_out=max(0, len(statement.lines) - _LINES_SHOWN),
        totals=statement_totals(statement),
        about_of=about_of,
        reason_of=reason_of,
        final_kind=StatementKind.FINAL,
        own_settlements=own_settlements,
        names=names,
        me=current_user(),
        made_at=clock.now(),
        workbook_url=address_with(".workbook", party_id=party_id),
        letter_url=address_with(".letter", party_id=party_id) if may_be_letter(statement) else None,
    )


@bp.get("/<int:party_id>/workbook")
@require(Permission.READ_STATEMENTS)
def workbook(party_id: int) -> Response:
    """Hand the statement over as a workbook."""
    form = _form()
    with db.reading() as session:
        statement = _statement(session, party_id, form)
        names = {code: named(row) for code, row in offence_types(session).items()}
    name = _(
        "statement-%(party)s-%(first)s-%(last)s.xlsx",
        party=statement.party.code,
        first=statement.first_month,
        last=statement.last_month,
    )
    return send_workbook(name, lambda path: build_party_statement_workbook(statement, names, path, clock.now()))


@bp.get("/<int:party_id>/letter.pdf")
@require(Permission.READ_STATEMENTS)
def letter(party_id: int) -> Response:
    """Hand the whole account over as a letter: to the party itself, and to who sees everything."""
    form = _form()
    with db.reading() as session:
        statement = _statement(session, party_id, form)
        names = {code: named(row) for code, row in offence_types(session).items()}
    content = build_statement_letter(statement, names, clock.now())
    name = _(
        "statement-%(party)s-%(first)s-%(last)s.pdf",
        party=statement.party.code,
        first=statement.first_month,
        last=statement.last_month,
    )
    return send_file(io.BytesIO(content), mimetype="application/pdf", as_attachment=True, download_name=name)


def _form() -> StatementForm:
    form = StatementForm(formdata=request.args)
    form.validate()
    return form


def _statement(session: Session, party_id: int, form: StatementForm) -> PartyStatement:
    """Return the statement of the months asked for; this month and the five before, if none or nonsense was."""
    today = clock.today()
    five_before = today.replace(day=1)
    for _month in range(5):
        five_before = five_before.replace(
            year=five_before.year - (five_before.month == 1), month=(five_before.month - 2) % 12 + 1
        )
    first = form.first.data if form.first.data and not form.first.errors else clock.month_of(five_before)
    last = form.last.data if form.last.data and not form.last.errors else clock.month_of(today)
    form.first.data, form.last.data = first, last
    scope = Scope.of(session, current_user())
    return party_statement(session, scope, party_id, first_month=first, last_month=last)
