"""Reference data: up to which amount one person approves alone, and from which ratio to the loss it is looked at."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DateField, DecimalField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission, Role
from supervise.contracts.rules import WHOLE_BP
from supervise.labels import _, _l
from supervise.money import FEN_MAX
from supervise.penalties.authority import ROLES, authority_limits, loss_ratios, set_authority_limit, set_loss_ratio
from supervise.views.forms import Form, YuanField
from supervise.views.registers import form_page, history_of

bp = Blueprint("approval_limits", __name__, url_prefix="/reference/approval-limits")
_RATIO_MAX = 100_000


class LimitForm(Form):
    """Up to which amount one approver of a role decides alone, from a day on."""

    role = SelectField(_l("Role"), validators=[InputRequired(_l("Choose a role"))])
    limit_fen = YuanField(
        _l("Up to (yuan)"),
        description=_l("Above it a second approver decides as well"),
        validators=[InputRequired(_l("Enter an amount")), NumberRange(min=1, max=FEN_MAX)],
    )
    reason = StringField(
        _l("Reason"),
        description=_l("Who decided it, and why"),
        validators=[InputRequired(_l("Give a reason")), Length(min=4, max=300)],
    )
    valid_from = DateField(
        _l("From"), description=_l("Today or later"), validators=[InputRequired(_l("Enter the first day"))]
    )

    def __init__(self) -> None:
        super().__init__(valid_from=clock.today())
        self.role.choices = [(role.value, role.label) for role in ROLES]


class RatioForm(Form):
    """From how many times the recorded loss on an amount is looked at twice."""

    times = DecimalField(
        _l("Times the recorded loss"),
        places=2,
        validators=[
            InputRequired(_l("Enter a number")),
            NumberRange(min=0.01, max=_RATIO_MAX, message=_l("A number that fits")),
        ],
    )
    legal_note = StringField(
        _l("Legal basis"),
        description=_l("The law, the notice or the contract; say so if the legal department has not confirmed it"),
        validators=[InputRequired(_l("Enter the legal basis")), Length(min=4, max=300)],
    )
    valid_from = DateField(
        _l("From"), description=_l("Today or later"), validators=[InputRequired(_l("Enter the first day"))]
    )

    @property
    def ratio_bp(self) -> int:
        """The ratio in basis points, after validation; further decimals are cut."""
        return int(self.times.data * WHOLE_BP)


@bp.get("/")
@require(Permission.READ_REFERENCE)
def index() -> ResponseReturnValue:
    """Show every limit and ratio with its period."""
    with db.reading() as session:
        limits, ratios = authority_limits(session), loss_ratios(session)
        history = history_of(session, ("authority_limit", "loss_ratio"), None, Permission.EDIT_RULES)
    return render_template(
        "reference/approval_limits.html",
        limits=limits,
        ratios=ratios,
        whole=WHOLE_BP,
        today=clock.today(),
        history=history,
        may_edit=current_user().can(Permission.EDIT_RULES),
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new() -> ResponseReturnValue:
    """Set another limit for a role from a day on; it ends the one before it."""
    form = LimitForm()
    if not form.validate_on_submit():
        return form_page(form, title=_("Authority limit"), words=_("Set the limit"), cancel_url=url_for(".index"))
    db.decide(
        set_authority_limit,
        role=Role(form.role.data),
        limit_fen=form.limit_fen.fen,
        reason=form.reason.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The limit is set"), "success")
    return redirect(url_for(".index"), code=303)


@bp.route("/ratio", methods=["GET", "POST"])
@require(Permission.EDIT_RULES)
def new_ratio() -> ResponseReturnValue:
    """Set another ratio to the recorded loss from a day on; it ends the one before it."""
    form = RatioForm(valid_from=clock.today())
    if not form.validate_on_submit():
        return form_page(form, title=_("Amount and loss"), words=_("Set the ratio"), cancel_url=url_for(".index"))
    db.decide(
        set_loss_ratio,
        ratio_bp=form.ratio_bp,
        legal_note=form.legal_note.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    flash(_("The ratio is set"), "success")
    return redirect(url_for(".index"), code=303)
