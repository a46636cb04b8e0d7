"""The page of the checklists: what a finding of each offence type must answer, and since when."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.checklist_items import add_evidence_item, end_evidence_item, evidence_item_by_id
from supervise.attribution.checklists import evidence_items
from supervise.attribution.models import EvidenceKind
from supervise.complaints.offences import offence_types, offence_types_in_force
from supervise.labels import _, _l
from supervise.views.filters import named
from supervise.views.forms import Form, MemberField
from supervise.views.registers import form_page, history_of

bp = Blueprint("checklists", __name__, url_prefix="/reference/checklists")


class ItemForm(Form):
    """A new item of a checklist."""

    offence_code = SelectField(_l("Offence type"), validators=[InputRequired(_l("Choose an offence type"))])
    code = StringField(
        _l("Code"),
        validators=[InputRequired(_l("Enter the code")), Regexp("[a-z][a-z0-9_]{2,39}$", message=_l("Small letters"))],
    )
    kind = MemberField(
        _l("Kind of item"),
        EvidenceKind,
        description=_l("A necessary proof must be there; of what must be told, at least one thing was not told"),
        validators=[InputRequired()],
    )
    name_zh = StringField(_l("Name in Chinese"), validators=[InputRequired(), Length(max=60)])
    name_en = StringField(_l("Name in English"), validators=[InputRequired(), Length(max=100)])
    valid_from = DateField(_l("For calls from this day on"), validators=[InputRequired(_l("Enter the first day"))])

    def __init__(self, offences: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offence_code.choices = offences


class EndForm(Form):
    """From when on an item is not asked for any more."""

    valid_to = DateField(_l("From this day on no more"), validators=[InputRequired(_l("Enter the day"))])


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show every item with its offence type and period."""
    with db.reading() as session:
        items = evidence_items(session)
        offences = offence_types(session)
        history = history_of(session, "evidence_item", None, Permission.EDIT_REFERENCE)
    return render_template(
        "reference/checklists.html",
        items=items,
        offences=offences,
        history=history,
        may_edit=current_user().can(Permission.EDIT_REFERENCE),
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def new() -> ResponseReturnValue:
    """Add an item to the checklist of an offence type."""
    with db.reading() as session:
        form = ItemForm([(row.code, named(row)) for row in offence_types_in_force(session, clock.today())])
    if not form.validate_on_submit():
        return form_page(form, title=_("New checklist item"), words=_("Add it"), cancel_url=url_for(".index"))
    db.decide(
        add_evidence_item,
        offence_code=form.offence_code.data,
        code=form.code.data,
        kind=form.kind.data,
        name_zh=form.name_zh.data,
        name_en=form.name_en.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The checklist item is added"), "success")
    return redirect(url_for(".index"), code=303)


@bp.route("/<int:evidence_item_id>/end", methods=["GET", "POST"])
@require(Permission.EDIT_REFERENCE)
def end(evidence_item_id: int) -> ResponseReturnValue:
    """Ask for an item no more from a day on."""
    with db.reading() as session:
        row = evidence_item_by_id(session, evidence_item_id)
    form = EndForm()
    if not form.validate_on_submit():
        title = _("End a checklist item")
        return form_page(form, title=title, words=_("End the item"), cancel_url=url_for(".index"), hint=named(row))
    db.decide(end_evidence_item, evidence_item_id, valid_to=form.valid_to.data, actor_id=current_user().id)
    flash(_("The checklist item ends"), "success")
    return redirect(url_for(".index"), code=303)
