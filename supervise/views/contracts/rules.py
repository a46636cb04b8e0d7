"""The pages of rule versions: draft, compare with the version before, activate, retire."""

import datetime as dt
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types, offence_types_in_force
from supervise.contracts import queries
from supervise.contracts.cautions import activate_with_cautions, cautions_about, obstacle_to
from supervise.contracts.models import Contract, RuleState, RuleVersion
from supervise.contracts.rule_versions import draft_rule, edit_rule_draft, retire_rule, shown
from supervise.contracts.rules import AcrossTypes, Basis, parse_parameters
from supervise.contracts.words import Clause, changes_between, clauses_in_words
from supervise.errors import AlreadyDecidedError
from supervise.labels import _
from supervise.views.contracts.blueprint import KEEPERS, bp
from supervise.views.contracts.forms import EndForm
from supervise.views.contracts.rule_form import RuleForm, shown_rule
from supervise.views.contracts.rule_rows import CapForm, ShareForm, StepForm
from supervise.views.filters import named
from supervise.views.registers import history_of

_ONE_DAY = dt.timedelta(days=1)


@bp.get("/rules/<int:rule_id>")
@require(Permission.READ_CONTRACTS)
def rule(rule_id: int) -> ResponseReturnValue:
    """Show a rule version in words, and what it changes against the version before."""
    with db.reading() as session:
        return _page(session, queries.rule_by_id(session, rule_id), EndForm(formdata=None))


def _page(session: Session, version: RuleVersion, end_form: EndForm) -> str:
    before = queries.version_before(session, version)
    names = {code: named(row) for code, row in offence_types(session).items()}
    clauses = _clauses(version, names)
    is_draft = version.state is RuleState.DRAFT
    contract = queries.contract_by_id(session, version.contract_id)
    return render_template(
        "contracts/rule.html",
        rule=version,
        contract=contract,
        before=before,
        clauses=clauses,
        changes=changes_between(_clauses(before, names), clauses) if before else [],
        cautions=cautions_about(session, version) if is_draft else [],
        obstacle=obstacle_to(version, contract) if is_draft else None,
        shown_sha256=shown(version),
        people=display_names(session, [version.drafted_by, version.activated_by]),
        end_form=end_form,
        history=history_of(session, "rule_version", version.id, *KEEPERS),
        me=current_user(),
    )


def _clauses(version: RuleVersion, names: dict[str, str]) -> list[Clause]:
    """Return everything a version says, a sentence for each clause, so that two versions can be compared."""
    offence, until = version.offence_code, version.valid_to
    return [
        *clauses_in_words(parse_parameters(version.parameters)),
        Clause(
            _("Offence"),
            _("For: %(offence)s.", offence=names.get(offence, offence))
            if offence
            else _("For any offence without a rule."),
        ),
        Clause(_("Priority"), _("Priority %(priority)s.", priority=version.priority)),
        Clause(_("First day"), _("In force from %(day)s.", day=version.valid_from)),
        Clause(_("Last day"), _("Last day %(day)s.", day=until - _ONE_DAY) if until else _("No last day.")),
    ]


@bp.route("/<int:contract_id>/rules/new", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def new_rule(contract_id: int) -> ResponseReturnValue:
    """Draft a rule, or the next version of one: ``?after=`` names the version that it copies at first."""
    after_id = request.args.get("after", type=int)
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
        after = queries.rule_by_id(session, after_id) if after_id else None
        offences = _offences(session)
    form = RuleForm(offences, data=_first_shown(contract, after))
    if not form.validate_on_submit():
        return _form_page(form, contract, _("New rule version"))
    version = db.decide(draft_rule, contract_id, form.draft(), actor_id=current_user().id)
    flash(_("Drafted; a supervisor puts it into force"), "success")
    return redirect(url_for(".rule", rule_id=version.id), code=303)


def _first_shown(contract: Contract, after: RuleVersion | None) -> dict[str, Any]:
    first_day = max(contract.starts_on, clock.today() + _ONE_DAY)
    if after is not None:
        return shown_rule(after) | {"valid_from": first_day, "last_on": None}
    return {
        "code": f"{contract.number}/",
        "priority": 0,
        "valid_from": first_day,
        "basis": Basis.PER_OFFENCE.value,
        "across_types": AcrossTypes.HIGHEST_ONLY.value,
    }


def _offences(session: Session) -> dict[str, str]:
    return {row.code: named(row) for row in offence_types_in_force(session, clock.today())}


@bp.route("/rules/<int:rule_id>/edit", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def edit_rule(rule_id: int) -> ResponseReturnValue:
    """Change a drafted version."""
    with db.reading() as session:
        version = queries.rule_by_id(session, rule_id)
        contract = queries.contract_by_id(session, version.contract_id)
        offences = _offences(session)
    if version.state is not RuleState.DRAFT:
        raise AlreadyDecidedError
    form = RuleForm(offences, data=shown_rule(version))
    if not form.validate_on_submit():
        return _form_page(form, contract, _("Change the draft"), rule_id=rule_id)
    db.decide(edit_rule_draft, rule_id, form.shown_sha256.data or "", form.draft(), actor_id=current_user().id)
    flash(_("The draft is changed"), "success")
    return redirect(url_for(".rule", rule_id=rule_id), code=303)


def _form_page(form: RuleForm, contract: Contract, title: str, rule_id: int | None = None) -> ResponseReturnValue:
    cancel_url = url_for(".rule", rule_id=rule_id) if rule_id else url_for(".detail", contract_id=contract.id)
    page = render_template(
        "contracts/rule_form.html",
        form=form,
        contract=contract,
        page_title=title,
        is_edit=rule_id is not None,
        blank_step=StepForm(formdata=None, prefix="steps-__n__-"),
        blank_cap=CapForm(formdata=None, prefix="caps-__n__-"),
        blank_share=ShareForm(formdata=None, prefix="shares-__n__-"),
        cancel_url=cancel_url,
    )
    return page, 400 if form.errors else 200


@bp.post("/rules/<int:rule_id>/activate")
@require(Permission.ACTIVATE_CONTRACTS)
def activate_version(rule_id: int) -> ResponseReturnValue:
    """Put a drafted version into force, as the second person."""
    with db.reading() as session:
        queries.rule_by_id(session, rule_id)
    seen, ticked = request.form.get("shown_sha256", ""), request.form.getlist("ticked")
    db.decide(activate_with_cautions, rule_id, seen, ticked, actor_id=current_user().id)
    flash(_("In force"), "success")
    return redirect(url_for(".rule", rule_id=rule_id), code=303)


@bp.post("/rules/<int:rule_id>/retire")
@require(Permission.ACTIVATE_CONTRACTS)
def retire_version(rule_id: int) -> ResponseReturnValue:
    """End an active version without a successor."""
    form = EndForm()
    with db.reading() as session:
        version = queries.rule_by_id(session, rule_id)
        if not form.validate():
            return _page(session, version, form), 400
    db.decide(retire_rule, rule_id, form.ends_on, reason=form.reason.data, actor_id=current_user().id)
    flash(_("The end is recorded; earlier calls stay priced by it"), "success")
    return redirect(url_for(".rule", rule_id=rule_id), code=303)
