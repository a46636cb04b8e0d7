"""What people decide about a sanction: approve, turn down, lift, extend."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import _, ngettext
from supervise.parties.sanctions import SanctionLine
from supervise.penalties.contract_ends import propose_contract_ends
from supervise.penalties.sanctions import approve_sanction, extend_sanction, lift_sanction, reject_sanction
from supervise.views.registers import form_page
from supervise.views.sanctions.blueprint import bp
from supervise.views.sanctions.forms import ApproveForm, ExtendForm, ReasonForm
from supervise.views.sanctions.pages import line_in_scope


def _load(sanction_id: int) -> SanctionLine:
    with db.reading() as session:
        return line_in_scope(session, sanction_id)


def _about(line: SanctionLine) -> str:
    against = line.number.digits if line.number is not None else line.party.name if line.party is not None else ""
    return f"{against}: {line.row.kind.label}"


def _page_of(sanction_id: int) -> str:
    return url_for(".detail", sanction_id=sanction_id)


def _done(words: str, sanction_id: int) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(_page_of(sanction_id), code=303)


@bp.route("/<int:sanction_id>/approve", methods=["GET", "POST"])
@require(Permission.APPROVE_SANCTIONS)
def approve(sanction_id: int) -> ResponseReturnValue:
    """Put a proposed sanction into force."""
    line, form = _load(sanction_id), ApproveForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Approve a sanction"),
            words=_("Approve it"),
            cancel_url=_page_of(sanction_id),
            hint=_("%(about)s. It begins on its first day, tomorrow at the earliest.", about=_about(line)),
        )
    db.decide(approve_sanction, sanction_id, note=form.note.data, actor_id=current_user().id)
    return _done(_("The sanction is approved"), sanction_id)


@bp.route("/<int:sanction_id>/reject", methods=["GET", "POST"])
@require(Permission.APPROVE_SANCTIONS)
def reject(sanction_id: int) -> ResponseReturnValue:
    """Turn a proposed sanction down."""
    line, form = _load(sanction_id), ReasonForm()
    if not form.validate_on_submit():
        title, words = _("Turn a sanction down"), _("Turn it down")
        return form_page(form, title=title, words=words, cancel_url=_page_of(sanction_id), hint=_about(line))
    db.decide(reject_sanction, sanction_id, note=form.reason.data, actor_id=current_user().id)
    return _done(_("The sanction is turned down"), sanction_id)


@bp.route("/<int:sanction_id>/lift", methods=["GET", "POST"])
@require(Permission.APPROVE_SANCTIONS)
def lift(sanction_id: int) -> ResponseReturnValue:
    """Lift a sanction before its end."""
    line, form = _load(sanction_id), ReasonForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Lift a sanction early"),
            words=_("Lift it"),
            cancel_url=_page_of(sanction_id),
            hint=_("%(about)s. It has no effect from today on; what extends it falls with it.", about=_about(line)),
        )
    db.decide(lift_sanction, sanction_id, reason=form.reason.data, actor_id=current_user().id)
    return _done(_("The sanction is lifted"), sanction_id)


@bp.route("/<int:sanction_id>/extend", methods=["GET", "POST"])
@require(Permission.PROPOSE_SANCTIONS)
def extend(sanction_id: int) -> ResponseReturnValue:
    """Propose that a sanction goes on after its last day."""
    line, form = _load(sanction_id), ExtendForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Extend a sanction"),
            words=_("Propose the extension"),
            cancel_url=_page_of(sanction_id),
            hint=_(
                "%(about)s. The extension begins on %(day)s; a second person approves it.",
                about=_about(line),
                day=line.row.until_on or "—",
            ),
        )
    row = db.decide(
        extend_sanction,
        sanction_id,
        until_on=form.until_on.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    return _done(_("Proposed; a second person decides"), row.id)


@bp.post("/<int:sanction_id>/end-contracts")
@require(Permission.DRAFT_CONTRACTS)
def end_contracts(sanction_id: int) -> ResponseReturnValue:
    """Draft the end of every contract that outlasts the cooperation."""
    _load(sanction_id)
    drafted = db.decide(propose_contract_ends, sanction_id, actor_id=current_user().id)
    words = ngettext(
        "The end of %(n)d contract is drafted; a second person puts it into force",
        "The ends of %(n)d contracts are drafted; a second person puts them into force",
        len(drafted),
    )
    return _done(words, sanction_id)
