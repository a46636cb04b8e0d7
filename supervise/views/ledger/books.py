"""Balances: of all accounts at the end of a day, of one account in some months."""

import re

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db, phone
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.desk.ledger_story import UnknownDimensionError, dimension_called, dimension_names, facts_in_words
from supervise.errors import NotFoundError
from supervise.ledger import queries
from supervise.ledger.chart import AccountCode, AccountFamily, DimensionKind
from supervise.ledger.queries import Place, account_statement
from supervise.ledger.statements import dimension_balances, dimension_kind_of, statement_totals
from supervise.views.addresses import address_with
from supervise.views.ledger.blueprint import bp
from supervise.views.ledger.forms import DayForm, StatementForm
from supervise.views.ledger_words import event_words
from supervise.views.typed_numbers import asked

_PAGE = 100


@bp.get("/")
@require(Permission.READ_LEDGER)
def trial_balance() -> ResponseReturnValue:
    """Show what stood on each account at the end of a day; a day to come is refused."""
    form = DayForm(formdata=request.args)
    form.validate()
    with db.reading() as session:
        rows = queries.trial_balance(session, form.day)
    families = [(family, [row for row in rows if row.family is family]) for family in AccountFamily]
    page = render_template("ledger/trial_balance.html", form=form, families=families, day=form.day, rows=rows)
    return page, 400 if form.errors else 200


@bp.get("/accounts/<code>")
@require(Permission.READ_LEDGER)
def account(code: str) -> ResponseReturnValue:
    """Show the postings of an account, each with the balance after it."""
    known = _account(code)
    form = StatementForm(formdata=request.args)
    form.validate()
    with db.reading() as session:
        kind = dimension_kind_of(session, known)
        dimension_id = _dimension(session, kind, form)
        found = account_statement(
            session, known, dimension_id, months=form.months, after=_place(asked("after")), limit=_PAGE
        )
        totals = statement_totals(session, known, dimension_id, months=form.months)
        names = dimension_names(session, [(kind, dimension_id), *((kind, row.dimension_id) for row in found.rows)])
        facts = facts_in_words(session, [row.key for row in found.rows])
    page = render_template(
        "ledger/account.html",
        account=known,
        kind=kind,
        form=form,
        statement=found,
        totals=totals,
        names=names,
        facts=facts,
        dimension_id=dimension_id,
        event_words=event_words,
        next_url=address_with(after=f"{found.after.entry_id}-{found.after.line}") if found.after else None,
    )
    return page, 400 if form.errors else 200


@bp.get("/accounts/<code>/balances")
@require(Permission.READ_LEDGER)
def balances(code: str) -> ResponseReturnValue:
    """Show for whom something stands on an account now."""
    known = _account(code)
    with db.reading() as session:
        kind = dimension_kind_of(session, known)
        rows = dimension_balances(session, known, after_id=request.args.get("after", 0, type=int), limit=_PAGE + 1)
        names = dimension_names(session, [(kind, row.dimension_id) for row in rows])
    more, rows = len(rows) > _PAGE, rows[:_PAGE]
    return render_template(
        "ledger/balances.html",
        account=known,
        kind=kind,
        rows=rows,
        names=names,
        next_url=address_with(after=rows[-1].dimension_id) if more else None,
    )


def _account(code: str) -> AccountCode:
    try:
        return AccountCode(code)
    except ValueError as error:
        raise NotFoundError from error


def _dimension(session: Session, kind: DimensionKind, form: StatementForm) -> int | None:
    """Return the dimension that was typed, else the one in the address; what names nothing is said beside the field."""
    if not form.of.data or form.of.errors:
        return request.args.get("dimension", type=int)
    try:
        return dimension_called(session, kind, form.of.data)
    except UnknownDimensionError as error:
        form.of.errors = [phone.mask_in_text(str(error))]
        return None


def _place(text: str) -> Place | None:
    match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,9})", text, re.ASCII)
    return Place(int(match[1]), int(match[2])) if match else None
