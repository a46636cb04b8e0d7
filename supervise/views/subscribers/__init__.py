"""The pages of subscribers: found by full number or account, their periods, registered and ended by hand or file."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints import subscribers
from supervise.complaints.queries import (
    subscriber_in_scope,
    subscribers_by_id,
    tickets_of_number,
    units_to_choose,
)
from supervise.labels import _, _l
from supervise.views.addresses import address_with
from supervise.views.forms import Form, MomentField
from supervise.views.intake.forms import PhoneField
from supervise.views.navigation import url_of
from supervise.views.permissions.shown import words_of
from supervise.views.registers import (
    PAGE,
    first_page,
    form_page,
    history_of,
    may_write,
    saved,
    scope_of,
    version_of,
)
from supervise.views.settings import current_keyring
from supervise.views.typed_numbers import asked, hide_numbers

bp = Blueprint("subscribers", __name__, url_prefix="/subscribers")


class FindForm(Form):
    """A search that must not stand in an address: it holds a full number."""

    number = PhoneField(_l("Full number"), validators=[Optional()])
    account_ref = StringField(_l("Account"), validators=[Optional(), Length(max=60)])


class NewSubscriberForm(Form):
    """Who holds a number, since when."""

    number = PhoneField(_l("Number"), validators=[InputRequired(_l("Enter the number"))])
    account_ref = StringField(_l("Account"), validators=[InputRequired(_l("Enter the account")), Length(max=60)])
    unit_id = SelectField(_l("Region"), validators=[Optional()])
    held_from = MomentField(_l("From"), validators=[InputRequired(_l("Enter the moment"))])
    held_to = MomentField(_l("Until"), validators=[Optional()])
    source = StringField(
        _l("Where it is known from"), validators=[InputRequired(_l("Say where it is known from")), Length(max=100)]
    )

    def __init__(self, units: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit_id.choices = [("", _("Not known")), *((str(unit_id), name) for unit_id, name in units)]


class EndForm(Form):
    """When the holding ended."""

    held_to = MomentField(
        _l("Until"), description=_l("The first moment without it"), validators=[InputRequired(_l("Enter the moment"))]
    )
    version = HiddenField(validators=[InputRequired()])


class RevealForm(Form):
    """Why a full number is needed."""

    reason = StringField(validators=[InputRequired(), Length(min=4, max=200)])


@bp.route("/", methods=["GET", "POST"])
@require(Permission.READ_TICKETS)
def index() -> ResponseReturnValue:
    """List the subscribers; a search by full number goes by POST, and only its row's id into the address."""
    form = FindForm()
    if form.validate_on_submit():
        return redirect(_found(form), code=303)
    number_id, after = request.args.get("number_id", ""), request.args.get("after", "")
    with db.reading() as session:
        found = subscribers_by_id(
            session,
            scope_of(session),
            number_id=int(number_id[:18]) if number_id.isdecimal() else None,
            account_ref=asked("account"),
            after=int(after[:18]) if after.isdecimal() else 0,
            limit=PAGE + 1,
        )
    rows, more = first_page(found)
    page = render_template(
        "subscribers/index.html",
        form=form,
        rows=rows,
        next_url=address_with(after=rows[-1].subscriber.id) if more else None,
        is_narrowed=bool(number_id or request.args.get("account")),
        import_url=url_of("imports.new", kind="subscribers") if may_write() else None,
        new_url=url_for(".new") if may_write() else None,
    )
    return page, 400 if form.errors else 200


def _found(form: FindForm) -> str:
    if not form.number.data:
        return url_for(".index", account=hide_numbers((form.account_ref.data or "").strip(), "account") or None)
    with db.reading() as session:
        number_id = subscribers.find_number_id(session, current_keyring(), form.number.data)
    # No row has the id 0: an unknown number finds nothing.
    return url_for(".index", number_id=number_id or 0)


@bp.get("/<int:subscriber_id>")
@require(Permission.READ_TICKETS)
def detail(subscriber_id: int) -> ResponseReturnValue:
    """Show who holds the number, who held it before, and the tickets about it."""
    return _page(subscriber_id)


def _page(subscriber_id: int, full: str | None = None) -> ResponseReturnValue:
    with db.reading() as session:
        scope = scope_of(session)
        row = subscriber_in_scope(session, scope, subscriber_id)
        facts = {
            "row": row,
            "others": subscribers_by_id(session, scope, number_id=row.subscriber.number_id, limit=PAGE),
            "tickets": tickets_of_number(session, scope, row.subscriber.number_id),
            "words": words_of(session, row.subscriber.number_id),
            "history": history_of(session, "subscriber", subscriber_id),
        }
    can_reveal = current_user().can(Permission.REVEAL_NUMBERS)
    return render_template(
        "subscribers/detail.html",
        full=full,
        reveal_url=url_for(".reveal", subscriber_id=subscriber_id) if can_reveal else None,
        may_end=may_write() and row.subscriber.held_to is None,
        **facts,
    )


@bp.post("/<int:subscriber_id>/number")
@require(Permission.REVEAL_NUMBERS)
def reveal(subscriber_id: int) -> ResponseReturnValue:
    """Show the full number once, in this answer alone, and record who looked and why."""
    with db.reading() as session:
        row = subscriber_in_scope(session, scope_of(session), subscriber_id)
    form = RevealForm()
    if not form.validate():
        flash(_("Say why, in a few words"), "danger")
        return redirect(url_for(".detail", subscriber_id=subscriber_id), code=303)
    full = db.decide(
        subscribers.reveal_number,
        current_keyring(),
        row.subscriber.number_id,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    return _page(subscriber_id, full)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Register who holds a number."""
    with db.reading() as session:
        form = NewSubscriberForm(list(units_to_choose(session, scope_of(session))))
    if not form.validate_on_submit():
        return form_page(form, title=_("New subscriber"), words=_("Register"), cancel_url=url_for(".index"))
    row = db.decide(
        subscribers.add_subscriber,
        current_keyring(),
        number=form.number.digits,
        account_ref=form.account_ref.data.strip(),
        unit_id=int(form.unit_id.data) if form.unit_id.data else None,
        held_from=form.held_from.moment,
        held_to=form.held_to.data,
        source=form.source.data,
        actor_id=current_user().id,
    )
    flash(saved(), "success")
    return redirect(url_for(".detail", subscriber_id=row.id), code=303)


@bp.route("/<int:subscriber_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(subscriber_id: int) -> ResponseReturnValue:
    """End the holding of a number."""
    with db.reading() as session:
        row = subscriber_in_scope(session, scope_of(session), subscriber_id)
    form = EndForm(version=row.subscriber.version)
    back = url_for(".detail", subscriber_id=subscriber_id)
    if not form.validate_on_submit():
        return form_page(form, title=_("End the holding"), words=_("End it"), cancel_url=back, hint=row.number_mask)
    db.decide(
        subscribers.end_subscriber,
        subscriber_id,
        held_to=form.held_to.moment,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    flash(saved(), "success")
    return redirect(back, code=303)
