"""Commission statements of a month, beside what was set off against them."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _
from supervise.settlement import lists
from supervise.settlement.commissions import CommissionFacts, record_commission
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import CommissionFilterForm, CommissionForm
from supervise.views.settlements.named import contract_id_of


@bp.get("/commissions")
@require(Permission.READ_LEDGER)
def commissions() -> ResponseReturnValue:
    """List the statements of a month; what the commission system has not confirmed comes first."""
    return _page(CommissionForm(formdata=None, data={"month": _month()}))


def _month() -> str:
    form = CommissionFilterForm(formdata=request.args)
    month = form.month.data if form.validate() else None
    return month or clock.month_of(clock.today())


def _page(form: CommissionForm) -> ResponseReturnValue:
    month = _month()
    with db.reading() as session:
        rows = lists.commissions(session, month)
    filters = CommissionFilterForm(formdata=None, data={"month": month})
    page = render_template(
        "settlements/commissions.html", rows=rows, month=month, form=form, filter_form=filters, me=current_user()
    )
    return page, 400 if form.errors else 200


@bp.post("/commissions")
@require(Permission.SETTLE)
def enter_commission() -> ResponseReturnValue:
    """Enter what the commission system says of a contract and month."""
    form = CommissionForm()
    if not form.validate_on_submit():
        return _page(form)
    with db.reading() as session:
        contract_id = contract_id_of(session, form.contract)
    if contract_id is None:
        return _page(form)
    facts = CommissionFacts(contract_id, form.month.data, form.due_fen.fen, form.deducted_fen.data or 0)
    db.decide(record_commission, facts, actor_id=current_user().id)
    flash(_("Recorded"), "success")
    return redirect(url_for(".commissions", month=form.month.data), code=303)
