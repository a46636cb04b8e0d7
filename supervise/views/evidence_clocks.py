"""Reference data: how long others must keep recordings and SMS logs, and how long we keep records."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.errors import NotFoundError
from supervise.evidence.clocks import (
    DAYS_MAX,
    MONTHS_MAX,
    clock_periods,
    retention_periods,
    set_clock,
    set_retention,
)
from supervise.evidence.models import EvidenceForm, RecordKind
from supervise.jobs.duties import KEEP_EVIDENCE
from supervise.labels import LazyText, _, _l
from supervise.views.forms import Form
from supervise.views.registers import form_page, history_of

bp = Blueprint("evidence_clocks", __name__, url_prefix="/reference/evidence-clocks")


def _whole(label: LazyText, least: int, most: int) -> IntegerField:
    bounds = NumberRange(least, most, message=_l("A whole number that fits"))
    return IntegerField(label, validators=[InputRequired(_l("Enter a whole number")), bounds])


class RetentionForm(Form):
    """How long, why, and from when on."""

    keep_months = _whole(_l("Months"), 1, MONTHS_MAX)
    legal_basis = StringField(
        _l("Legal basis"),
        description=_l("The law, the notice or the contract; say so if the legal department has not confirmed it"),
        validators=[InputRequired(_l("Enter the legal basis")), Length(min=4, max=300)],
    )
    valid_from = DateField(
        _l("For calls and records from this day on"),
        description=_l("Today or later"),
        validators=[InputRequired(_l("Enter the first day"))],
    )


class ClockForm(RetentionForm):
    """A clock counts months and days."""

    keep_months = _whole(_l("Months"), 0, MONTHS_MAX)
    keep_days = _whole(_l("and days"), 0, DAYS_MAX)

    def __iter__(self) -> Any:
        """Show the figures together."""
        figures = ("keep_months", "keep_days")
        return iter([self[name] for name in (*figures, *(name for name in self._fields if name not in figures))])


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show every clock and every retention with its period and what it stands on."""
    with db.reading() as session:
        clocks, retentions = clock_periods(session), retention_periods(session)
        history = history_of(session, ("evidence_clock", "record_retention"), None, Permission.EDIT_RULES)
    return render_template(
        "reference/evidence_clocks.html",
        clocks=[(form, [row for row in clocks if row.evidence is form]) for form in EvidenceForm],
        retentions=[(kind, [row for row in retentions if row.kind is kind]) for kind in RecordKind],
        attachment_days=KEEP_EVIDENCE.days,
        history=history,
        today=clock.today(),
        may_edit=current_user().can(Permission.EDIT_RULES),
    )


@bp.route("/clocks/<evidence_form>/new", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new_clock(evidence_form: str) -> ResponseReturnValue:
    """Count by another clock from a day on; it ends the one before it."""
    if evidence_form not in set(EvidenceForm):
        raise NotFoundError
    evidence = EvidenceForm(evidence_form)
    form = ClockForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Evidence clock: %(evidence)s", evidence=evidence.label),
            words=_("Set the clock"),
            cancel_url=url_for(".index"),
            hint=_("Calls of earlier days keep the clock of their day."),
        )
    db.decide(
        set_clock,
        evidence,
        keep_months=form.keep_months.data,
        keep_days=form.keep_days.data,
        legal_basis=form.legal_basis.data.strip(),
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The clock is set"), "success")
    return redirect(url_for(".index"), code=303)


@bp.route("/retentions/<record_kind>/new", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new_retention(record_kind: str) -> ResponseReturnValue:
    """Keep records of days from a day on for another time."""
    if record_kind not in set(RecordKind):
        raise NotFoundError
    kind = RecordKind(record_kind)
    form = RetentionForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Retention: %(kind)s", kind=kind.label),
            words=_("Set the retention"),
            cancel_url=url_for(".index"),
            hint=_("Records of earlier days keep the retention of their day."),
        )
    db.decide(
        set_retention,
        kind,
        keep_months=form.keep_months.data,
        legal_basis=form.legal_basis.data.strip(),
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The retention is set"), "success")
    return redirect(url_for(".index"), code=303)
