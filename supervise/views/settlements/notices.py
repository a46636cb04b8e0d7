"""Set-off notices: what the party reads, prints and acknowledges; how finance enters that one arrived."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.labels import _
from supervise.parties.models import Party
from supervise.parties.scope import Scope
from supervise.settlement import notice_queries, queries
from supervise.settlement.models import SettlementRun
from supervise.settlement.notices import acknowledge_notice, record_delivery
from supervise.views.addresses import address_with
from supervise.views.filters import named
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import DeliveryForm, NoticeFilterForm


@bp.get("/notices")
@require(Permission.READ_STATEMENTS)
def notices() -> ResponseReturnValue:
    """List the settlements that the user may read, the newest first."""
    form = NoticeFilterForm(formdata=request.args)
    under_way, before_id = bool(form.under_way.data), request.args.get("before", type=int)
    with db.reading() as session:
        found = notice_queries.notices_in_scope(
            session,
            Scope.of(session, current_user()),
            under_way=under_way,
            before_id=before_id,
            limit=notice_queries.PAGE + 1,
        )
    rows = found[: notice_queries.PAGE]
    return render_template(
        "settlements/notices.html",
        form=form,
        rows=rows,
        is_narrowed=under_way,
        next_url=address_with(before=rows[-1].settlement.id) if len(found) > len(rows) else None,
    )


@bp.get("/notices/<int:settlement_id>")
@require(Permission.READ_STATEMENTS)
def notice(settlement_id: int) -> ResponseReturnValue:
    """Show the settlement of one party: what is owed, from where it is taken, each line with its penalty."""
    return _page(settlement_id, DeliveryForm(formdata=None, data={"on": clock.today()}))


def _page(settlement_id: int, form: DeliveryForm) -> ResponseReturnValue:
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        settlement = notice_queries.settlement_in_scope(session, scope, settlement_id)
        run = session.get_one(SettlementRun, settlement.run_id)
        party = session.get_one(Party, settlement.party_id)
        lines = queries.lines_of_settlement(session, settlement_id)
        recourses = [one for one in queries.recourses(session, [party.id]) if one.settlement_id == settlement_id]
        debtors = {one.debtor_id: session.get_one(Party, one.debtor_id).name for one in recourses}
        names = {code: named(row) for code, row in offence_types(session).items()}
    waits = settlement.notice_at is not None and settlement.delivery is None
    page = render_template(
        "settlements/notice.html",
        settlement=settlement,
        run=run,
        party=party,
        # A joint debtor's penalty is named, not shown: it is that one's own.
        lines=lines,
        recourses=recourses,
        debtors=debtors,
        names=names,
        form=form,
        me=me,
        may_acknowledge=waits and me.can(Permission.ACKNOWLEDGE_PENALTIES),
        may_deliver=waits and me.can(Permission.SETTLE),
        sees_everything=scope.sees_everything,
        made_at=clock.now(),
    )
    return page, 400 if request.method == "POST" else 200


@bp.post("/notices/<int:settlement_id>/acknowledge")
@require(Permission.ACKNOWLEDGE_PENALTIES)
def acknowledge(settlement_id: int) -> ResponseReturnValue:
    """Let the party say that it has the notice: the set-off takes effect today."""
    me = current_user()
    with db.reading() as session:
        notice_queries.settlement_in_scope(session, Scope.of(session, me), settlement_id)
    db.decide(acknowledge_notice, settlement_id, actor_id=me.id)
    flash(_("Acknowledged; the set-off has taken effect"), "success")
    return redirect(url_for(".notice", settlement_id=settlement_id), code=303)


@bp.post("/notices/<int:settlement_id>/delivery")
@require(Permission.SETTLE)
def deliver(settlement_id: int) -> ResponseReturnValue:
    """Enter when a printed notice arrived."""
    with db.reading() as session:
        notice_queries.settlement_in_scope(session, Scope.everything(), settlement_id)
    form = DeliveryForm()
    if not form.validate_on_submit():
        return _page(settlement_id, form)
    db.decide(record_delivery, settlement_id, form.on.data, actor_id=current_user().id)
    flash(_("The delivery is recorded; the set-off has taken effect"), "success")
    return redirect(url_for(".notice", settlement_id=settlement_id), code=303)
