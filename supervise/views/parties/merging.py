"""Merging two entries of one party: at once, or proposed to a second person while money is open."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.errors import NotFoundError
from supervise.labels import _
from supervise.parties.codes import party_named
from supervise.parties.merge_models import MergeState, PartyMerge
from supervise.parties.models import Party
from supervise.parties.open_money import OpenMoney, open_money
from supervise.parties.queries import party_in_scope
from supervise.penalties.merge_parties import approve_merge, merge_or_propose, reject_merge, withdraw_merge
from supervise.views.parties.blueprint import bp
from supervise.views.parties.forms import MergePartyForm, RejectMergeForm
from supervise.views.registers import changed, form_page, in_scope, named, scope_of

_READERS = (Permission.WRITE_REGISTERS, Permission.APPROVE_MONEY)


@bp.route("/<int:party_id>/merge", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def merge(party_id: int) -> ResponseReturnValue:
    """Declare that two entries are one party."""
    party = in_scope(party_in_scope, party_id)
    form = MergePartyForm()
    into = named(form.into, party_named) if form.validate_on_submit() else None
    if into is None:
        return form_page(
            form,
            title=_("%(name)s is the same as another entry", name=party.name),
            words=_("Merge the entries"),
            cancel_url=url_for(".detail", party_id=party_id),
            hint=_("This entry becomes another name of the one that stays, and leads to it.")
            + " "
            + _("While money of it is open, a second person approves that first."),
        )
    done = db.decide(merge_or_propose, party_id, into_id=into.id, reason=form.reason.data, actor_id=current_user().id)
    if isinstance(done, PartyMerge):
        flash(_("Money is open: the merger waits for a second person"), "info")
        return redirect(url_for(".merger", merge_id=done.id), code=303)
    return changed(url_for(".detail", party_id=into.id))


def _merge_in_scope(session: Session, merge_id: int) -> tuple[PartyMerge, Party, Party]:
    row = session.get(PartyMerge, merge_id)
    if row is None:
        raise NotFoundError
    party = party_in_scope(session, scope_of(session), row.party_id)
    return row, party, session.get_one(Party, row.into_id)


@bp.get("/mergers/<int:merge_id>")
@require(*_READERS)
def merger(merge_id: int) -> ResponseReturnValue:
    """Show a merger that waits, or what became of it: both entries, and what is open of each."""
    me = current_user()
    with db.reading() as session:
        row, party, into = _merge_in_scope(session, merge_id)
        found = open_money(session, [party.id, into.id])
        names = display_names(session, [row.proposed_by, row.decided_by])
    is_open = row.state is MergeState.OPEN
    return render_template(
        "parties/merger.html",
        row=row,
        entries=[(entry, found.get(entry.id, OpenMoney())) for entry in (party, into)],
        party=party,
        into=into,
        names=names,
        form=RejectMergeForm(formdata=None),
        may_decide=is_open and me.can(Permission.APPROVE_MONEY) and row.proposed_by != me.id,
        may_withdraw=is_open and row.proposed_by == me.id,
    )


@bp.post("/mergers/<int:merge_id>/approve")
@require(Permission.APPROVE_MONEY)
def approve_merger(merge_id: int) -> ResponseReturnValue:
    """Merge the entries as the second person."""
    with db.reading() as session:
        _merge_in_scope(session, merge_id)
    into = db.decide(approve_merge, merge_id, actor_id=current_user().id)
    flash(_("The entries are merged; what is open stays with the old one and is collected as before"), "success")
    return redirect(url_for(".detail", party_id=into.id), code=303)


@bp.post("/mergers/<int:merge_id>/reject")
@require(Permission.APPROVE_MONEY)
def reject_merger(merge_id: int) -> ResponseReturnValue:
    """Leave the entries apart, and say why."""
    with db.reading() as session:
        _merge_in_scope(session, merge_id)
    db.decide(reject_merge, merge_id, note=RejectMergeForm().note.data or "", actor_id=current_user().id)
    flash(_("The merger is rejected"), "success")
    return redirect(url_for(".merger", merge_id=merge_id), code=303)


@bp.post("/mergers/<int:merge_id>/withdraw")
@require(Permission.WRITE_REGISTERS)
def withdraw_merger(merge_id: int) -> ResponseReturnValue:
    """Take an own proposal back."""
    with db.reading() as session:
        _merge_in_scope(session, merge_id)
    db.decide(withdraw_merge, merge_id, actor_id=current_user().id)
    flash(_("The merger is withdrawn"), "success")
    return redirect(url_for(".merger", merge_id=merge_id), code=303)
