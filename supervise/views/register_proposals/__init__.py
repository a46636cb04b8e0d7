"""The pages of proposals to the registers: a branch or partner proposes, a triager accepts or rejects."""

import datetime as dt
from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import ConflictError
from supervise.labels import _
from supervise.parties import number_queries, proposals, queries, staff_queries
from supervise.parties.models import Party, ProposalState, RegisterProposal, StaffNumber
from supervise.parties.official_queries import carriers_by_code
from supervise.parties.proposals import Action
from supervise.views.addresses import address_with
from supervise.views.register_proposals.forms import (
    EndHoldingForm,
    EndStaffProposalForm,
    NumberProposalForm,
    ProposalFilterForm,
    ProposalForm,
    RejectForm,
    StaffProposalForm,
    VersionForm,
)
from supervise.views.registers import PAGE, first_page, form_page, scope_of, version_of

bp = Blueprint("register_proposals", __name__, url_prefix="/register-proposals")

_READERS = (Permission.PROPOSE_REGISTER_CHANGES, Permission.ACCEPT_REGISTER_CHANGES)
_Change = dict[str, str | int | None]


@bp.get("/")
@require(*_READERS)
def index() -> ResponseReturnValue:
    """List the proposals, the newest first, a page at a time; open ones unless another state is asked for."""
    form = ProposalFilterForm(formdata=request.args if "state" in request.args else None)
    form.validate()
    if "state" not in request.args:
        form.state.data = ProposalState.OPEN
    state = form.state.data if not form.state.errors else None
    with db.reading() as session:
        found = staff_queries.proposals_by_id(
            session, scope_of(session), state, before=request.args.get("before", type=int), limit=PAGE + 1
        )
        names = display_names(session, [row.proposal.proposed_by for row in found])
    rows, more = first_page(found)
    return render_template(
        "register_proposals/index.html",
        form=form,
        rows=rows,
        names=names,
        action_of=_action_of,
        next_url=address_with(before=rows[-1].proposal.id) if more else None,
        may_propose=current_user().can(Permission.PROPOSE_REGISTER_CHANGES),
    )


@bp.get("/<int:proposal_id>")
@require(*_READERS)
def detail(proposal_id: int) -> ResponseReturnValue:
    """Show what is proposed, beside the row that it ends."""
    user = current_user()
    with db.reading() as session:
        row = staff_queries.proposal_in_scope(session, scope_of(session), proposal_id)
        proposal = row.proposal
        holder_id, staff_id = proposal.change.get("holder_id"), proposal.change.get("staff_id")
        facts = {
            "proposal": proposal,
            "party": row.party,
            "action": _action_of(proposal),
            "at": _moment(proposal, "at"),
            "end_at": _moment(proposal, "end_at"),
            "holder": number_queries.holder_in_scope(session, scope_of(session), holder_id) if holder_id else None,
            "staff": session.get(StaffNumber, staff_id) if staff_id else None,
            "names": display_names(session, [proposal.proposed_by, proposal.decided_by]),
        }
    is_open = proposal.state is ProposalState.OPEN
    return render_template(
        "register_proposals/detail.html",
        **facts,
        may_decide=is_open and user.can(Permission.ACCEPT_REGISTER_CHANGES) and proposal.proposed_by != user.id,
        may_withdraw=is_open and proposal.proposed_by == user.id,
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.PROPOSE_REGISTER_CHANGES)
def new() -> ResponseReturnValue:
    """Propose a change: ``holder`` or ``staff`` in the address ends that row, ``register=staff`` adds a worker.

    ``number`` begins with the digits of that row of the register.
    """
    holder_id, staff_id = request.args.get("holder", type=int), request.args.get("staff", type=int)
    if holder_id is not None:
        return _end_holding(holder_id)
    if staff_id is not None:
        return _end_staff(staff_id)
    if request.args.get("register") == "staff":
        return _add_staff()
    return _add_number()


def _add_number() -> ResponseReturnValue:
    number_id = request.args.get("number", type=int)
    with db.reading() as session:
        scope = scope_of(session)
        parties = queries.own_parties(session, scope)
        digits = number_queries.number_in_scope(session, scope, number_id).digits if number_id is not None else ""
    form = NumberProposalForm(parties, digits=digits, party=_asked_party(parties))
    if not form.validate_on_submit():
        return _page(form, _("Propose a number"))
    end_at = form.end_at.data
    change: _Change = {
        "digits": form.digits.data,
        "at": form.at.moment.isoformat(),
        "end_at": end_at.isoformat() if end_at is not None and form.action.data is Action.HOLD else None,
    }
    return _propose(form.action.data, form.party.data, change, form)


def _add_staff() -> ResponseReturnValue:
    with db.reading() as session:
        parties = queries.own_parties(session, scope_of(session))
        carriers = carriers_by_code(session)
    form = StaffProposalForm(parties, carriers, party=_asked_party(parties))
    if not form.validate_on_submit():
        return _page(form, _("Propose a staff number"))
    end_on = form.end_on.data
    change: _Change = {
        "carrier_code": form.carrier.data,
        "staff_number": form.staff_number.data.strip(),
        "alias": form.alias.data or None,
        "on": form.on.data.isoformat(),
        "end_on": end_on.isoformat() if end_on is not None else None,
    }
    return _propose(Action.ASSIGN, form.party.data, change, form)


def _end_holding(holder_id: int) -> ResponseReturnValue:
    with db.reading() as session:
        row = number_queries.holder_in_scope(session, scope_of(session), holder_id)
    form = EndHoldingForm()
    if not form.validate_on_submit():
        return _page(form, _("Propose to give %(digits)s back", digits=row.number.digits))
    change: _Change = {"holder_id": holder_id, "at": form.at.moment.isoformat()}
    return _propose(Action.END_HOLDING, row.holder.party_id, change, form)


def _end_staff(staff_id: int) -> ResponseReturnValue:
    with db.reading() as session:
        row = staff_queries.staff_in_scope(session, scope_of(session), staff_id)
    form = EndStaffProposalForm()
    if not form.validate_on_submit():
        return _page(form, _("Propose the end of staff number %(number)s", number=row.row.staff_number))
    change: _Change = {"staff_id": staff_id, "on": form.on.data.isoformat()}
    return _propose(Action.END_STAFF, row.row.employer_id, change, form)


def _asked_party(parties: Sequence[Party]) -> int | None:
    known = {party.code: party.id for party in parties}
    return known.get(request.args.get("party", ""))


def _page(form: ProposalForm, title: str) -> ResponseReturnValue:
    return form_page(
        form,
        title=title,
        words=_("Propose"),
        cancel_url=url_for(".index"),
        hint=_("A triager looks at it; until it is accepted, the register stays as it is."),
    )


def _propose(action: Action, party_id: int, change: _Change, form: ProposalForm) -> ResponseReturnValue:
    with db.reading() as session:
        scope = scope_of(session)
    proposal = db.decide(
        proposals.propose,
        scope,
        action=action,
        party_id=party_id,
        change=change,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("The proposal waits for a triager"), "success")
    return redirect(url_for(".detail", proposal_id=proposal.id), code=303)


@bp.post("/<int:proposal_id>/accept")
@require(Permission.ACCEPT_REGISTER_CHANGES)
def accept(proposal_id: int) -> ResponseReturnValue:
    """Do what is proposed."""
    _load(proposal_id)
    db.decide(proposals.accept, proposal_id, version=_seen_version(), note=None, actor_id=current_user().id)
    return _decided(proposal_id, _("The proposal is accepted and the register changed"))


@bp.route("/<int:proposal_id>/reject", methods=["GET", "POST"])
@require(Permission.ACCEPT_REGISTER_CHANGES)
def reject(proposal_id: int) -> ResponseReturnValue:
    """Leave the register as it is, and say why."""
    proposal = _load(proposal_id)
    form = RejectForm(obj=proposal)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Reject proposal %(id)d", id=proposal_id),
            words=_("Reject the proposal"),
            cancel_url=url_for(".detail", proposal_id=proposal_id),
        )
    db.decide(
        proposals.reject,
        proposal_id,
        version=version_of(form.version),
        note=form.note.data,
        actor_id=current_user().id,
    )
    return _decided(proposal_id, _("The proposal is rejected"))


@bp.post("/<int:proposal_id>/withdraw")
@require(Permission.PROPOSE_REGISTER_CHANGES)
def withdraw(proposal_id: int) -> ResponseReturnValue:
    """Take an own proposal back."""
    _load(proposal_id)
    db.decide(proposals.withdraw, proposal_id, version=_seen_version(), actor_id=current_user().id)
    return _decided(proposal_id, _("The proposal is withdrawn"))


def _load(proposal_id: int) -> RegisterProposal:
    with db.reading() as session:
        return staff_queries.proposal_in_scope(session, scope_of(session), proposal_id).proposal


def _seen_version() -> int:
    form = VersionForm()
    if not form.validate():
        raise ConflictError
    return version_of(form.version)


def _decided(proposal_id: int, words: str) -> Response:
    flash(words, "success")
    return redirect(url_for(".detail", proposal_id=proposal_id), code=303)


def _action_of(proposal: RegisterProposal) -> Action:
    return Action(proposal.change["action"])


def _moment(proposal: RegisterProposal, name: str) -> dt.datetime | None:
    text = proposal.change.get(name)
    return dt.datetime.fromisoformat(text) if text else None
