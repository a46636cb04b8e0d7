"""Payments of parties and refunds to them, by the bank's reference."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _
from supervise.settlement import lists
from supervise.settlement.bank import PaymentFacts, pay_refund, receive_payment
from supervise.settlement.models import BankDirection
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import PaymentForm
from supervise.views.settlements.named import party_id_of


@bp.get("/payments")
@require(Permission.READ_LEDGER)
def payments() -> ResponseReturnValue:
    """List the newest payments, and to whom something is owed back."""
    return _page(PaymentForm(formdata=None))


def _page(form: PaymentForm) -> ResponseReturnValue:
    with db.reading() as session:
        rows, refunds = lists.bank_movements(session), lists.refunds_to_pay(session)
    page = render_template("settlements/payments.html", rows=rows, refunds=refunds, form=form, me=current_user())
    return page, 400 if form.errors else 200


@bp.post("/payments")
@require(Permission.SETTLE)
def enter_payment() -> ResponseReturnValue:
    """Enter a payment of a party, or a refund to it."""
    form = PaymentForm()
    if not form.validate_on_submit():
        return _page(form)
    with db.reading() as session:
        party_id = party_id_of(session, form.party)
    if party_id is None:
        return _page(form)
    facts = PaymentFacts(party_id, form.amount_fen.fen, form.reference.data, form.on.data)
    decision = receive_payment if form.direction.data == BankDirection.RECEIVED else pay_refund
    db.decide(decision, facts, actor_id=current_user().id)
    flash(_("Booked"), "success")
    return redirect(url_for(".payments"), code=303)
