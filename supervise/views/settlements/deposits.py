"""Deposits: every party's balance, what is required, calls to top up; what came in and went back."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import NotFoundError
from supervise.labels import _
from supervise.parties.models import Party
from supervise.settlement import lists
from supervise.settlement.deposits import DepositFacts, receive_deposit, return_deposit
from supervise.settlement.models import DepositKind
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import DepositForm
from supervise.views.settlements.named import party_id_of


@bp.get("/deposits")
@require(Permission.READ_LEDGER)
def deposits() -> ResponseReturnValue:
    """List the deposits, overdue calls first."""
    return _page(DepositForm(formdata=None))


def _page(form: DepositForm) -> ResponseReturnValue:
    with db.reading() as session:
        rows = lists.deposits(session)
    page = render_template("settlements/deposits.html", rows=rows, form=form, me=current_user())
    return page, 400 if form.errors else 200


@bp.post("/deposits")
@require(Permission.SETTLE)
def enter_deposit() -> ResponseReturnValue:
    """Enter a deposit that came in or went back."""
    form = DepositForm()
    if not form.validate_on_submit():
        return _page(form)
    with db.reading() as session:
        party_id = party_id_of(session, form.party)
    if party_id is None:
        return _page(form)
    facts = DepositFacts(party_id, form.amount_fen.fen, form.reference.data, form.on.data)
    decision = receive_deposit if form.kind.data == DepositKind.RECEIVED else return_deposit
    db.decide(decision, facts, actor_id=current_user().id)
    flash(_("Booked"), "success")
    return redirect(url_for(".deposit", party_id=party_id), code=303)


@bp.get("/deposits/<int:party_id>")
@require(Permission.READ_LEDGER)
def deposit(party_id: int) -> ResponseReturnValue:
    """Show what happened to a party's deposit, each movement with the balance after it."""
    with db.reading() as session:
        party = session.get(Party, party_id)
        if party is None:
            raise NotFoundError
        lines = lists.deposit_lines(session, party_id)
        names = display_names(session, [line.movement.made_by for line in lines])
    return render_template("settlements/deposit.html", party=party, lines=lines, names=names)
