"""The list of inquiries: for compliance all of them, for a branch or a partner what they and theirs are asked."""

import datetime as dt

from flask import render_template, request
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.inquiry_queries import PAGE, Standing, answers_in_scope_ids, inquiries_in_scope
from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.inquiries.blueprint import bp
from supervise.views.inquiries.forms import InquiryFilterForm


class BadPlaceError(InvalidInputError):
    """The address names no place in the list."""

    message = N_("This address names no page of the list; begin at the first one")


@bp.get("/")
@require(Permission.READ_INQUIRIES)
def index() -> ResponseReturnValue:
    """List the inquiries in scope; those that wait come first due first."""
    me, today = current_user(), clock.today()
    asked_side = me.can(Permission.ANSWER_INQUIRIES)
    form = InquiryFilterForm(formdata=request.args, state=Standing.OPEN.value)
    if not asked_side:
        del form.mine
    standing = form.standing
    with db.reading() as session:
        scope = Scope.of(session, me)
        rows = inquiries_in_scope(
            session,
            scope,
            today=today,
            standing=standing,
            mine=asked_side and form.mine.data,
            beyond=_place_of(request.args.get("after")),
            limit=PAGE + 1,
        )
        more, rows = len(rows) > PAGE, rows[:PAGE]
        ours = answers_in_scope_ids(session, scope, {row.party_id for row in rows}) if asked_side else frozenset()
    last = f"{rows[-1].due_on}_{rows[-1].id}" if more else None
    return render_template(
        "inquiries/index.html",
        form=form,
        rows=rows,
        standing=standing,
        asked_side=asked_side,
        ours=ours,
        may_settle=not asked_side,
        next_url=address_with(after=last) if last else None,
        first_url=address_with(after=None) if request.args.get("after") else None,
    )


def _place_of(text: str | None) -> tuple[dt.date, int] | None:
    if not text:
        return None
    day, _bar, row_id = text.partition("_")
    if not (row_id.isascii() and row_id.isdecimal() and len(row_id) < 19):  # noqa: PLR2004 - 64 bits
        raise BadPlaceError
    try:
        return dt.date.fromisoformat(day), int(row_id)
    except ValueError:
        raise BadPlaceError from None
