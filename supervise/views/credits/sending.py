"""What waits to be sent to billing, and sending it: all of it, or what was chosen."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation import lists
from supervise.desk.bulk_runs import Subject
from supervise.desk.models import BulkAction
from supervise.errors import InvalidInputError
from supervise.jobs.sending import LINES_IN_REQUEST, send_to_billing
from supervise.labels import _, current_locale
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.background import surroundings
from supervise.views.bulk_runs import have_run
from supervise.views.credits.blueprint import bp
from supervise.views.credits.forms import SendFilterForm
from supervise.views.picked import picked_ids

#: A batch is one transaction and one workbook for billing; what is left goes into the next batch.
LINES_MAX = 20_000


@bp.get("/to-send")
@require(Permission.EXPORT_CREDITS)
def to_send() -> ResponseReturnValue:
    """Show the approved credits that no batch has, in the order in which a batch takes them."""
    with db.reading() as session:
        form = _form(session)
        filters = form.wanted()
        page = lists.credits_to_send(session, filters, after_id=request.args.get("after", 0, type=int))
        total = lists.sum_to_send(session, filters)
    return render_template(
        "credits/to_send.html",
        form=form,
        rows=page.rows,
        total=total,
        lines_max=LINES_MAX,
        query={name: value for name, value in request.args.items() if name not in {"after", "lang"} and value},
        next_url=address_with(after=page.rows[-1].credit.id) if page.has_more else None,
    )


@bp.post("/to-send")
@require(Permission.EXPORT_CREDITS)
def send() -> ResponseReturnValue:
    """Freeze the chosen credits, or all that the filters show, into a numbered batch; it counts as sent.

    A large batch is frozen by the worker.
    """
    me, action = current_user(), request.form.get("action")
    if action == "all":
        with db.reading() as session:
            ids = lists.ids_to_send(session, _form(session).wanted(), LINES_MAX)
    elif action == "chosen":
        ids = picked_ids()
    else:
        raise InvalidInputError
    if len(ids) > LINES_IN_REQUEST:
        return have_run(BulkAction.SEND_CREDITS, [Subject(credit_id) for credit_id in ids])
    batch = send_to_billing(surroundings(), ids, locale=current_locale(), actor_id=me.id)
    flash(_("Batch %(number)s is frozen and counts as sent: download the workbook for billing", number=batch.number))
    return redirect(url_for("batches.detail", batch_id=batch.id), code=303)


def _form(session: Session) -> SendFilterForm:
    scope = Scope.everything()
    return SendFilterForm(
        units=lists.units_of_credits(session, scope),
        periods=lists.periods_of_credits(session, scope),
        formdata=request.args,
    )
