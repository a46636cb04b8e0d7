"""Credits in scope, and the statement of one subscriber."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation import lists
from supervise.compensation.lists import CreditFilters
from supervise.desk.credit_story import account_head
from supervise.ledger.chart import AccountCode
from supervise.ledger.queries import balance_fen
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.credits.blueprint import bp
from supervise.views.credits.forms import CreditFilterForm


@bp.get("/")
@require(Permission.READ_CREDITS)
def index() -> ResponseReturnValue:
    """List the credits in scope, the newest first, with their sums by state."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        form = CreditFilterForm(
            units=lists.units_of_credits(session, scope),
            periods=lists.periods_of_credits(session, scope),
            formdata=request.args,
        )
        filters = form.wanted()
        page = lists.credits_newest_first(session, scope, filters, before_id=request.args.get("before", type=int))
        sums = lists.sums_by_state(session, scope, filters)
        waiting = lists.sum_to_send(session, CreditFilters()) if me.can(Permission.EXPORT_CREDITS) else None
    return render_template(
        "credits/index.html",
        form=form,
        rows=page.rows,
        sums=sums,
        waiting=waiting,
        is_narrowed=filters != CreditFilters(),
        next_url=address_with(before=page.rows[-1].credit.id) if page.has_more else None,
    )


@bp.get("/subscribers/<int:subscriber_id>")
@require(Permission.READ_CREDITS)
def of_subscriber(subscriber_id: int) -> ResponseReturnValue:
    """Show what one subscriber was granted, and what the ledger says is still payable."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        head = account_head(session, scope, subscriber_id)
        filters = CreditFilters(subscriber_id=subscriber_id)
        page = lists.credits_newest_first(session, scope, filters, before_id=request.args.get("before", type=int))
        sums = lists.sums_by_state(session, scope, filters)
        payable_fen = -balance_fen(session, AccountCode.COMPENSATION_PAYABLE, subscriber_id)
    return render_template(
        "credits/of_subscriber.html",
        head=head,
        rows=page.rows,
        sums=sums,
        payable_fen=payable_fen,
        payable=AccountCode.COMPENSATION_PAYABLE,
        me=me,
        next_url=address_with(before=page.rows[-1].credit.id) if page.has_more else None,
    )
