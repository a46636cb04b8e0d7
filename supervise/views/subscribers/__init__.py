"""The pages of subscribers: found by full number or account, their periods, registered and ended by hand or file."""

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.subscribers import SUBSCRIBER_COLUMNS, subscriber_lines
from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints import subscribers
from supervise.complaints.queries import (
    subscriber_in_scope,
    subscribers_by_id,
    subscribers_of_number,
    tickets_of_number,
    units_to_choose,
)
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.views.permissions.shown import words_of
from supervise.views.register_list import RegisterList, by_id
from supervise.views.registers import changed, form_page, history_of, in_scope, may_write, scope_of, version_of
from supervise.views.settings import current_keyring
from supervise.views.subscribers.forms import (
    CorrectSubscriberForm,
    EndForm,
    FindForm,
    NewSubscriberForm,
    RevealForm,
)

bp = Blueprint("subscribers", __name__, url_prefix="/subscribers")


def _units() -> Sequence[tuple[int, str]]:
    with db.reading() as session:
        return units_to_choose(session, scope_of(session))


SUBSCRIBERS = RegisterList(
    name="subscribers",
    title=N_("Subscribers"),
    form=lambda: FindForm(_units()),
    rows=subscribers_by_id,
    cursor=by_id(lambda row: row.subscriber.id),
    columns=SUBSCRIBER_COLUMNS,
    lines=subscriber_lines,
    imports=ImportKind.SUBSCRIBERS,
)


@bp.route("/", methods=["GET", "POST"])
@require(Permission.READ_TICKETS)
def index() -> ResponseReturnValue:
    """List the subscribers; a search by full number goes by POST, and only its row's id into the address."""
    form = FindForm(_units())
    if form.validate_on_submit():
        return redirect(_found(form), code=303)
    is_narrowed = bool(request.args.keys() & {"number_id", "account", "unit", "present"})
    return SUBSCRIBERS.page(form, is_narrowed=is_narrowed), 400 if form.errors else 200


def _found(form: FindForm) -> str:
    if not form.number.data:
        return form.address(None)
    with db.reading() as session:
        number_id = subscribers.find_number_id(session, current_keyring(), form.number.data)
    # No row has the id 0: an unknown number finds nothing.
    return form.address(number_id or 0)


@bp.get("/export")
@require(Permission.READ_TICKETS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file; numbers stay masked: they are revealed one at a time, with a reason."""
    return SUBSCRIBERS.download()


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
            "others": subscribers_of_number(session, scope, row.subscriber.number_id),
            "tickets": tickets_of_number(session, scope, row.subscriber.number_id),
            "words": words_of(session, row.subscriber.number_id),
            "history": history_of(session, "subscriber", subscriber_id),
        }
    can_reveal = current_user().can(Permission.REVEAL_NUMBERS)
    return render_template(
        "subscribers/detail.html",
        full=full,
        reveal_url=url_for(".reveal", subscriber_id=subscriber_id) if can_reveal else None,
        may_write=may_write(),
        **facts,
    )


@bp.post("/<int:subscriber_id>/number")
@require(Permission.REVEAL_NUMBERS)
def reveal(subscriber_id: int) -> ResponseReturnValue:
    """Show the full number once, in this answer alone, and record who looked and why."""
    row = in_scope(subscriber_in_scope, subscriber_id)
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
    form = NewSubscriberForm(_units())
    if not form.validate_on_submit():
        return form_page(form, title=_("New subscriber"), words=_("Register"), cancel_url=url_for(".index"))
    row = db.decide(
        subscribers.add_subscriber,
        current_keyring(),
        number=form.number.digits,
        account_ref=form.account_ref.data.strip(),
        unit_id=form.home_unit_id,
        held_from=form.held_from.moment,
        held_to=form.held_to.data,
        source=form.source.data,
        actor_id=current_user().id,
    )
    return changed(url_for(".detail", subscriber_id=row.id))


@bp.route("/<int:subscriber_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(subscriber_id: int) -> ResponseReturnValue:
    """End the holding of a number."""
    row = in_scope(subscriber_in_scope, subscriber_id)
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
    return changed(back)


@bp.route("/<int:subscriber_id>/correct", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def correct(subscriber_id: int) -> ResponseReturnValue:
    """Correct account, region or period that were entered wrongly; the trail keeps them as they were."""
    row = in_scope(subscriber_in_scope, subscriber_id)
    form = CorrectSubscriberForm(_units(), obj=row.subscriber)
    back = url_for(".detail", subscriber_id=subscriber_id)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Correct the entry of %(mask)s", mask=row.number_mask),
            words=_("Save"),
            cancel_url=back,
            hint=_("If the number went to somebody else, end this entry and register the other holder instead."),
        )
    db.decide(
        subscribers.correct_subscriber,
        subscriber_id,
        account_ref=form.account_ref.data.strip(),
        unit_id=form.home_unit_id,
        held_from=form.held_from.moment,
        held_to=form.held_to.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(back)
