"""The pages of contracts and of the assessment policy."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.contracts import CONTRACT_COLUMNS, RULE_COLUMNS, contract_lines, rule_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.complaints.models import DayType
from supervise.complaints.offences import offence_types
from supervise.contracts import queries
from supervise.contracts.agreements import activate_contract, draft_contract, edit_contract_draft, terminate_contract
from supervise.contracts.amendment_words import amendment_in_words
from supervise.contracts.amendments import amendments_of_contract
from supervise.contracts.checklist import missing_clauses
from supervise.contracts.models import Contract, ContractDirection, ContractScope, ContractState, SettlementOrder
from supervise.contracts.rules import parse_parameters
from supervise.contracts.terms import terms_at
from supervise.contracts.words import rule_in_words
from supervise.errors import AlreadyDecidedError
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.views.addresses import address_with
from supervise.views.contracts.blueprint import KEEPERS, bp
from supervise.views.contracts.forms import ContractFilterForm, ContractForm, EndForm, shown_terms
from supervise.views.contracts.papers import on_paper
from supervise.views.filters import named
from supervise.views.register_list import RegisterList, by_text
from supervise.views.registers import download, history_of, version_of

CONTRACTS = RegisterList(
    name="contracts",
    title=N_("Contracts and rules"),
    form=lambda: ContractFilterForm(formdata=request.args),
    # Who reads contracts reads all of them: no scope narrows them.
    rows=lambda session, _scope, filters, **page: queries.contracts_by_number(session, filters, **page),
    cursor=by_text(lambda row: row.contract.number),
    beside=lambda session, rows: {"missing": missing_clauses(session, [row.contract.id for row in rows])},
    columns=CONTRACT_COLUMNS,
    lines=lambda session, _scope, filters: contract_lines(session, filters),
    writes=Permission.DRAFT_CONTRACTS,
    imports=ImportKind.CONTRACTS,
)


@bp.get("/")
@require(Permission.READ_CONTRACTS)
def index() -> ResponseReturnValue:
    """List contracts and policies by number."""
    return CONTRACTS.page(rules_url=address_with(".export_rules", after=None))


@bp.get("/export")
@require(Permission.READ_CONTRACTS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return CONTRACTS.download()


@bp.get("/rules/export")
@require(Permission.READ_CONTRACTS)
def export_rules() -> ResponseReturnValue:
    """Give every version of every rule of the filtered contracts as a file."""
    filters = ContractFilterForm(formdata=request.args).wanted()
    return download("rules", _("Rules"), RULE_COLUMNS, lambda session, _scope: rule_lines(session, filters))


@bp.get("/<int:contract_id>")
@require(Permission.READ_CONTRACTS)
def detail(contract_id: int) -> ResponseReturnValue:
    """Show a contract with its rules, and whose turn it is."""
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
        return _page(session, contract, EndForm(formdata=None, version=contract.version))


def _page(session: Session, contract: Contract, end_form: EndForm) -> str:
    party, unit = queries.sides_of(session, contract)
    rules = queries.rules_of_contract(session, contract.id)
    amended = amendments_of_contract(session, contract.id)
    deciders = [person for row in amended for person in (row.drafted_by, row.decided_by)]
    drafters = [rule.drafted_by for rule in rules]
    people = display_names(session, [contract.drafted_by, contract.activated_by, *drafters, *deciders])
    names = {code: named(row) for code, row in offence_types(session).items()}
    return render_template(
        "contracts/detail.html",
        contract=contract,
        party=party,
        unit=unit,
        terms=terms_at(session, [contract.id], clock.today())[contract.id],
        today=clock.today(),
        amendments=[(row, amendment_in_words(row)) for row in amended],
        rules=rules,
        words={rule.id: rule_in_words(parse_parameters(rule.parameters)) for rule in rules},
        names=names,
        people=people,
        end_form=end_form,
        **on_paper(session, contract),
        history=history_of(session, "contract", contract.id, *KEEPERS),
        me=current_user(),
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def new() -> ResponseReturnValue:
    """Draft a contract or policy."""
    with db.reading() as session:
        parties, units = queries.parties_to_sign(session), queries.units_to_sign(session)
    form = ContractForm(
        parties,
        units,
        direction=ContractDirection.WE_BUY.value,
        scope=ContractScope.ALL.value,
        appeal_day_type=DayType.WORKING.value,
        deemed_days=3,
        deposit_required_fen=0,
        top_up_days=10,
        settlement_order=SettlementOrder.DEPOSIT_COMMISSION_CASH,
    )
    if not form.validate_on_submit():
        return _form_page(form, _("New contract or policy"), url_for(".index")), 400 if form.errors else 200
    contract = db.decide(draft_contract, form.terms(), actor_id=current_user().id)
    flash(_("Drafted; a supervisor puts it into force"), "success")
    return redirect(url_for(".detail", contract_id=contract.id), code=303)


@bp.route("/<int:contract_id>/edit", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def edit(contract_id: int) -> ResponseReturnValue:
    """Change a draft."""
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
        parties, units = queries.parties_to_sign(session), queries.units_to_sign(session)
    if contract.state is not ContractState.DRAFT:
        raise AlreadyDecidedError
    form = ContractForm(parties, units, data=shown_terms(contract))
    back_url = url_for(".detail", contract_id=contract_id)
    if not form.validate_on_submit():
        return _form_page(form, _("Change the draft"), back_url), 400 if form.errors else 200
    db.decide(edit_contract_draft, contract_id, version_of(form.version), form.terms(), actor_id=current_user().id)
    flash(_("The draft is changed"), "success")
    return redirect(back_url, code=303)


def _form_page(form: ContractForm, title: str, cancel_url: str) -> str:
    return render_template("contracts/form.html", form=form, page_title=title, cancel_url=cancel_url)


@bp.post("/<int:contract_id>/activate")
@require(Permission.ACTIVATE_CONTRACTS)
def activate(contract_id: int) -> ResponseReturnValue:
    """Put a draft into force, as the second person."""
    with db.reading() as session:
        queries.contract_by_id(session, contract_id)
    version = request.form.get("version", type=int) or 0
    db.decide(activate_contract, contract_id, version, actor_id=current_user().id)
    flash(_("In force"), "success")
    return redirect(url_for(".detail", contract_id=contract_id), code=303)


@bp.post("/<int:contract_id>/terminate")
@require(Permission.ACTIVATE_CONTRACTS)
def terminate(contract_id: int) -> ResponseReturnValue:
    """End a contract in force early."""
    form = EndForm()
    with db.reading() as session:
        contract = queries.contract_by_id(session, contract_id)
        if not form.validate():
            return _page(session, contract, form), 400
    db.decide(
        terminate_contract,
        contract_id,
        version_of(form.version),
        form.ends_on,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("The end is recorded; earlier calls stay priced by it"), "success")
    return redirect(url_for(".detail", contract_id=contract_id), code=303)
