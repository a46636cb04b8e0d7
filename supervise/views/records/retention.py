"""What is kept beyond its time, and what is dropped: legal holds, and months of records past their retention."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import NotFoundError
from supervise.evidence.models import LegalHold, RecordKind
from supervise.evidence.retention import (
    ask_release,
    drop_records,
    keep_on_hold,
    legal_hold_by_id,
    legal_holds,
    months_due,
    place_legal_hold,
    release_legal_hold,
)
from supervise.labels import _
from supervise.views.records.blueprint import bp
from supervise.views.records.forms import LegalHoldForm, ReasonForm
from supervise.views.registers import form_page, history_of

#: Who may keep records on hold; another one of them releases.
HOLDERS = (Permission.TRIAGE, Permission.CONFIRM_OVERRIDES)
#: Records are dropped by who sets how long they are kept.
DROPS = Permission.EDIT_RULES


@bp.get("/retention")
@require(Permission.READ_CONTRACTS)
def retention() -> ResponseReturnValue:
    """Show what is past its retention, and every legal hold."""
    me, today = current_user(), clock.today()
    with db.reading() as session:
        months = months_due(session, today)
        holds = legal_holds(session)
        names = display_names(session, [one for hold in holds for one in (hold.placed_by, hold.released_by)])
        history = history_of(session, "record_month", None, DROPS)
    return render_template(
        "records/retention.html",
        months=months,
        holds=holds,
        names=names,
        history=history,
        me_id=me.id,
        may_drop=me.can(DROPS),
        may_hold=me.can(*HOLDERS),
    )


@bp.route("/retention/<kind>/<month>/drop", methods=["GET", "POST"])
@require(DROPS)
def drop(kind: str, month: str) -> ResponseReturnValue:
    """Drop the records of a kind and month that are past their retention and on no hold."""
    today = clock.today()
    with db.reading() as session:
        due = [one for one in months_due(session, today) if (one.kind.value, one.month) == (kind, month)]
    if not due:
        raise NotFoundError
    form = ReasonForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Drop %(kind)s of %(month)s", kind=due[0].kind.label, month=month),
            words=_("Drop for good"),
            cancel_url=url_for(".retention"),
            hint=_(
                "%(count)d days of platforms with %(rows)d rows are deleted; their lines and hashes stay. "
                "%(held)d stay on legal hold.",
                count=due[0].droppable,
                rows=due[0].rows,
                held=due[0].held,
            ),
        )
    db.decide(drop_records, RecordKind(kind), month, today=today, reason=form.reason.data, actor_id=current_user().id)
    flash(_("The records are dropped; the manifest keeps their lines and hashes"), "success")
    return redirect(url_for(".retention"), code=303)


@bp.route("/holds/new", methods=["GET", "POST"])
@require(*HOLDERS)
def new_hold() -> ResponseReturnValue:
    """Keep the records of some days, whatever retention says."""
    form = LegalHoldForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("New legal hold"),
            words=_("Place the hold"),
            cancel_url=url_for(".retention"),
            hint=_("Nothing of these days is dropped until another person releases the hold."),
        )
    db.decide(
        place_legal_hold,
        kind=RecordKind(form.kind.data) if form.kind.data else None,
        from_day=form.from_day.data,
        to_day=form.to_day.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("The legal hold is placed"), "success")
    return redirect(url_for(".retention", _anchor="holds"), code=303)


@bp.route("/holds/<int:legal_hold_id>/release", methods=["GET", "POST"])
@require(*HOLDERS)
def release_hold(legal_hold_id: int) -> ResponseReturnValue:
    """End a legal hold, as another person than who placed it."""
    with db.reading() as session:
        hold = legal_hold_by_id(session, legal_hold_id)
    form = ReasonForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Release a legal hold"),
            words=_("Release the hold"),
            cancel_url=url_for(".retention"),
            hint=_release_hint(hold),
        )
    db.decide(release_legal_hold, legal_hold_id, reason=form.reason.data, actor_id=current_user().id)
    flash(_("The legal hold is released"), "success")
    return redirect(url_for(".retention", _anchor="holds"), code=303)


def _release_hint(hold: LegalHold) -> str:
    if hold.release_asked_reason is None:
        return _("Placed because: %(reason)s", reason=hold.reason)
    return _(
        "Placed because: %(reason)s. Its release was asked for because: %(asked)s",
        reason=hold.reason.rstrip("。."),
        asked=hold.release_asked_reason,
    )


@bp.route("/holds/<int:legal_hold_id>/ask-release", methods=["GET", "POST"])
@require(*HOLDERS)
def ask_for_release(legal_hold_id: int) -> ResponseReturnValue:
    """Ask another person to release a hold of one's own."""
    with db.reading() as session:
        hold = legal_hold_by_id(session, legal_hold_id)
    form = ReasonForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Ask for the release of a legal hold"),
            words=_("Ask for the release"),
            cancel_url=url_for(".retention"),
            hint=_("Placed because: %(reason)s", reason=hold.reason),
        )
    db.decide(ask_release, legal_hold_id, reason=form.reason.data, actor_id=current_user().id)
    flash(_("The release is asked for; it waits for a second person"), "success")
    return redirect(url_for(".retention", _anchor="holds"), code=303)


@bp.route("/holds/<int:legal_hold_id>/keep", methods=["GET", "POST"])
@require(*HOLDERS)
def keep_hold(legal_hold_id: int) -> ResponseReturnValue:
    """Keep a hold although its release was asked for, or take the question back."""
    with db.reading() as session:
        hold = legal_hold_by_id(session, legal_hold_id)
    form = ReasonForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Keep a legal hold"),
            words=_("Keep the hold"),
            cancel_url=url_for(".retention"),
            hint=_("Its release was asked for because: %(reason)s", reason=hold.release_asked_reason or "—"),
        )
    db.decide(keep_on_hold, legal_hold_id, reason=form.reason.data, actor_id=current_user().id)
    flash(_("The legal hold stays"), "success")
    return redirect(url_for(".retention", _anchor="holds"), code=303)
