"""The pages of numbers: list, page with every holder in time, enter, hold, hand over, end, correct."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.registers import NUMBER_COLUMNS, number_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.reporters import Suspicion, suspected_numbers
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import numbers
from supervise.parties.codes import party_named
from supervise.parties.number_queries import holder_in_scope, holdings_of, number_in_scope, numbers_by_digits
from supervise.views.numbers.forms import (
    CorrectForm,
    EndForm,
    EnterNumberForm,
    HandOverForm,
    HoldForm,
    NoteForm,
    NumberFilterForm,
)
from supervise.views.register_list import RegisterList, by_text
from supervise.views.registers import (
    changed,
    form_page,
    history_of,
    in_scope,
    may_propose,
    may_write,
    named,
    scope_of,
    sees_suspicion,
    version_of,
)

bp = Blueprint("numbers", __name__, url_prefix="/numbers")

NUMBERS = RegisterList(
    name="numbers",
    title=N_("Numbers"),
    form=lambda: NumberFilterForm(formdata=request.args),
    rows=numbers_by_digits,
    cursor=by_text(lambda row: row.number.digits),
    columns=NUMBER_COLUMNS,
    lines=number_lines,
    imports=ImportKind.NUMBERS,
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the numbers by digits, a page at a time, with who holds them now."""
    return NUMBERS.page(propose_url=url_for("register_proposals.new") if may_propose() else None)


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list, with every holder in time, as a file."""
    return NUMBERS.download()


@bp.get("/<int:number_id>")
@require(Permission.READ_REGISTERS)
def detail(number_id: int) -> ResponseReturnValue:
    """Show a number, who held it when, and its history."""
    with db.reading() as session:
        scope = scope_of(session)
        number = number_in_scope(session, scope, number_id)
        facts = {
            "number": number,
            "suspicion": _suspicion(session, number.digits) if sees_suspicion() else None,
            "holdings": holdings_of(session, scope, number_id=number_id),
            "visible": scope,
            "history": history_of(session, "phone_number", number_id),
            "may_write": may_write(),
            "may_propose": may_propose(),
        }
    return render_template("numbers/detail.html", **facts)


def _suspicion(session: Session, digits: str) -> Suspicion | None:
    return suspected_numbers(session, [digits], clock.today()).get(digits)


def _page_of(number_id: int) -> str:
    return url_for(".detail", number_id=number_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Enter a number with its first holder."""
    form = EnterNumberForm()
    party = named(form.party, party_named) if form.validate_on_submit() else None
    if party is None:
        return form_page(form, title=_("New number"), words=_("Enter the number"), cancel_url=url_for(".index"))
    party_id = party.id

    def enter(session: Session) -> int:
        number = numbers.enter_number(
            session,
            text=form.digits.data,
            plan=form.plan.data,
            is_prefix=form.is_prefix.data,
            note=form.note.data or None,
            actor_id=current_user().id,
        )
        _hold(session, number.id, party_id, form)
        return number.id

    return changed(_page_of(db.decide(enter)))


def _hold(session: Session, number_id: int, party_id: int, form: EnterNumberForm | HoldForm) -> None:
    numbers.hold(
        session,
        number_id=number_id,
        party_id=party_id,
        held_from=form.held_from.moment,
        held_to=form.held_to.data,
        source=form.source.data.strip(),
        actor_id=current_user().id,
    )


@bp.route("/<int:number_id>/note", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def note(number_id: int) -> ResponseReturnValue:
    """Change the note beside the number."""
    number = in_scope(number_in_scope, number_id)
    form = NoteForm(obj=number)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Note on %(digits)s", digits=number.digits),
            words=_("Save"),
            cancel_url=_page_of(number_id),
        )
    db.decide(
        numbers.annotate_number,
        number_id,
        note=form.note.data or None,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(number_id))


@bp.route("/<int:number_id>/hold", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def hold(number_id: int) -> ResponseReturnValue:
    """Add a holder in a period in which nobody holds the number."""
    number = in_scope(number_in_scope, number_id)
    form = HoldForm()
    party = named(form.party, party_named) if form.validate_on_submit() else None
    if party is None:
        return form_page(
            form,
            title=_("A holder of %(digits)s", digits=number.digits),
            words=_("Add the holder"),
            cancel_url=_page_of(number_id),
        )
    db.decide(_hold, number_id, party.id, form)
    return changed(_page_of(number_id))


@bp.route("/<int:number_id>/hand-over", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def hand_over(number_id: int) -> ResponseReturnValue:
    """Pass the number to another party at a moment."""
    number = in_scope(number_in_scope, number_id)
    form = HandOverForm()
    party = named(form.party, party_named) if form.validate_on_submit() else None
    if party is None:
        return form_page(
            form,
            title=_("Hand %(digits)s over", digits=number.digits),
            words=_("Hand the number over"),
            cancel_url=_page_of(number_id),
            hint=_("The present holder's period ends at that moment, and the new one's begins."),
        )
    db.decide(
        numbers.hand_over,
        number_id=number_id,
        party_id=party.id,
        at=form.at.moment,
        source=form.source.data.strip(),
        actor_id=current_user().id,
    )
    return changed(_page_of(number_id))


@bp.route("/holdings/<int:holder_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(holder_id: int) -> ResponseReturnValue:
    """End a holding."""
    row = in_scope(holder_in_scope, holder_id)
    form = EndForm(at=row.holder.held_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of %(name)s's holding of %(digits)s", name=row.party.name, digits=row.number.digits),
            words=_("Set the end"),
            cancel_url=_page_of(row.number.id),
        )
    db.decide(numbers.end_holding, holder_id, at=form.at.moment, reason=form.reason.data, actor_id=current_user().id)
    return changed(_page_of(row.number.id))


@bp.route("/holdings/<int:holder_id>/correct", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def correct(holder_id: int) -> ResponseReturnValue:
    """Correct a period that was entered wrongly; the trail keeps it as it was."""
    row = in_scope(holder_in_scope, holder_id)
    form = CorrectForm(obj=row.holder)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Correct %(name)s's holding of %(digits)s", name=row.party.name, digits=row.number.digits),
            words=_("Correct the period"),
            cancel_url=_page_of(row.number.id),
            hint=_("Verdicts on calls in between stay as they are; they are proposed to be looked at again."),
        )
    db.decide(
        numbers.correct_period,
        holder_id,
        held_from=form.held_from.moment,
        held_to=form.held_to.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(row.number.id))
