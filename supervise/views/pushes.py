"""Pushes of refusals: compliance sees who was told, a branch or partner fetches its numbers and acknowledges."""

import csv
import io

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.donotcall.push import acknowledge_push, fetch_numbers, push_refusals
from supervise.donotcall.push_queries import GRACE_DAYS, deliveries_of, last_grace, push_in_scope, pushes_by_time
from supervise.errors import NotFoundError
from supervise.labels import _, _l, ngettext
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.forms import Form, RevealForm
from supervise.views.registers import PAGE, first_page
from supervise.views.settings import current_keyring

bp = Blueprint("pushes", __name__, url_prefix="/pushes")


class PushForm(Form):
    """How long recipients have to acknowledge."""

    grace_days = IntegerField(
        _l("Grace (working days)"),
        description=_l("Who has not acknowledged by then counts as told"),
        validators=[InputRequired(_l("Enter a number of days")), NumberRange(1, 30, _l("From 1 to 30"))],
    )


class AcknowledgeForm(Form):
    """Who was told to block the numbers."""

    told = StringField(
        _l("Who was told"),
        description=_l("The people or the dialling system that no longer call these numbers"),
        validators=[InputRequired(_l("Say who was told, or where the numbers are blocked")), Length(min=2, max=200)],
    )


@bp.get("/")
@require(Permission.READ_WATCH, Permission.ACKNOWLEDGE_PUSHES)
def index() -> ResponseReturnValue:
    """List the pushes that reached somebody within scope, the newest first."""
    return _list(None)


def _list(form: PushForm | None) -> str:
    before = request.args.get("before", "")
    with db.reading() as session:
        scope, now = Scope.of(session, current_user()), clock.now()
        before_id = int(before[:18]) if before.isdecimal() else 0
        found = pushes_by_time(session, scope, now, before_id=before_id, limit=PAGE + 1)
        rows, more = first_page(found)
        grace = last_grace(session) or GRACE_DAYS
    may_push = current_user().can(Permission.RECORD_CONSENTS)
    return render_template(
        "pushes/index.html",
        rows=rows,
        form=(form or PushForm(formdata=None, grace_days=grace)) if may_push else None,
        next_url=address_with(before=rows[-1].push.id) if more else None,
        is_recipient=current_user().can(Permission.ACKNOWLEDGE_PUSHES),
    )


@bp.post("/")
@require(Permission.RECORD_CONSENTS)
def make() -> ResponseReturnValue:
    """Push now what entered the register, with a grace of its own; the daily duty does it else."""
    form = PushForm()
    if not form.validate():
        return _list(form), 400
    pushed = db.decide(push_refusals, grace_days=form.grace_days.data, actor_id=current_user().id)
    if pushed.push_id is None and not pushed.deliveries:
        flash(_("Nothing entered the register since the push before, and every recipient has it"), "info")
    else:
        sent = ngettext("%(n)d delivery was sent", "%(n)d deliveries were sent", pushed.deliveries)
        flash(sent, "success")
    return redirect(url_for(".index"), code=303)


@bp.get("/<int:push_id>")
@require(Permission.READ_WATCH, Permission.ACKNOWLEDGE_PUSHES)
def detail(push_id: int) -> ResponseReturnValue:
    """Show a push, and each recipient within scope."""
    return _detail(push_id)


def _detail(push_id: int, filled: tuple[int, Form] | None = None) -> str:
    with db.reading() as session:
        scope, now = Scope.of(session, current_user()), clock.now()
        line = push_in_scope(session, scope, now, push_id)
        deliveries = deliveries_of(session, scope, push_id)
        acted = {one.delivery.acknowledged_by for one in deliveries} | {line.push.made_by}
        acted |= {one.delivery.downloaded_by for one in deliveries}
        people = display_names(session, [user_id for user_id in acted if user_id is not None])
    return render_template(
        "pushes/detail.html",
        line=line,
        deliveries=deliveries,
        states={one.delivery.id: one.state(now) for one in deliveries},
        people=people,
        filled_id=filled[0] if filled else None,
        errors=[error for field in filled[1] for error in field.errors] if filled else [],
        is_recipient=current_user().can(Permission.ACKNOWLEDGE_PUSHES),
    )


@bp.post("/<int:push_id>/deliveries/<int:delivery_id>/acknowledge")
@require(Permission.ACKNOWLEDGE_PUSHES)
def acknowledge(push_id: int, delivery_id: int) -> ResponseReturnValue:
    """Acknowledge the push for its recipient."""
    form = AcknowledgeForm()
    scope = _scope_for(push_id, delivery_id)
    if not form.validate():
        return _detail(push_id, (delivery_id, form)), 400
    db.decide(acknowledge_push, delivery_id, scope, told=form.told.data, actor_id=current_user().id)
    flash(_("Acknowledged"), "success")
    return redirect(url_for(".detail", push_id=push_id), code=303)


@bp.post("/<int:push_id>/deliveries/<int:delivery_id>/numbers")
@require(Permission.ACKNOWLEDGE_PUSHES)
def numbers(push_id: int, delivery_id: int) -> ResponseReturnValue:
    """Hand the recipient its full numbers as a file, with a reason, and write down who fetched them."""
    form = RevealForm()
    scope = _scope_for(push_id, delivery_id)
    if not form.validate():
        return _detail(push_id, (delivery_id, form)), 400
    fetched = db.decide(
        fetch_numbers, current_keyring(), delivery_id, scope, reason=form.reason.data, actor_id=current_user().id
    )
    lines = io.StringIO()
    sheet = csv.writer(lines)
    sheet.writerow([_("Number"), _("Not allowed")])
    sheet.writerows((one.digits, one.scope.label) for one in fetched)
    headers = {"Content-Disposition": f'attachment; filename="push-{push_id}.csv"', "Cache-Control": "no-store"}
    # A byte order mark: spreadsheets take the Chinese for what it is.
    return Response(lines.getvalue().encode("utf-8-sig"), mimetype="text/csv", headers=headers)


def _scope_for(push_id: int, delivery_id: int) -> Scope:
    """Return the user's scope, if the delivery is in it: a form of somebody else's is not even read."""
    with db.reading() as session:
        scope = Scope.of(session, current_user())
        push_in_scope(session, scope, clock.now(), push_id)
        if delivery_id not in {one.delivery.id for one in deliveries_of(session, scope, push_id)}:
            raise NotFoundError
    return scope
