"""The page of a sanction, and the form that proposes one."""

import datetime as dt

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.labels import N_, _
from supervise.parties.codes import UnknownCodeError, party_named
from supervise.parties.models import PhoneNumber
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionState
from supervise.parties.sanctions import SanctionLine, sanction_in_scope
from supervise.parties.scope import Scope
from supervise.penalties.contract_ends import first_day_without, running_contracts
from supervise.penalties.sanction_queries import SanctionStage, points_given_back, stage_of
from supervise.penalties.sanction_words import because, length_in_words, trigger_in_words
from supervise.penalties.sanctions import propose_sanction
from supervise.views.registers import form_page, history_of, named, scope_of
from supervise.views.sanctions.blueprint import bp
from supervise.views.sanctions.forms import ProposeForm, sees_proposals


def line_in_scope(session: Session, sanction_id: int) -> SanctionLine:
    """Return the sanction as the user may see it.

    Raises:
        NotFoundError: if there is none, or it is not for the user's eyes.
    """
    return sanction_in_scope(session, scope_of(session), sanction_id, decided_only=not sees_proposals())


@bp.get("/<int:sanction_id>")
@require(Permission.READ_SANCTIONS)
def detail(sanction_id: int) -> ResponseReturnValue:
    """Show a sanction: against whom, from when until when, on what it stands, who decided."""
    me, today = current_user(), clock.today()
    with db.reading() as session:
        line = line_in_scope(session, sanction_id)
        row = line.row
        people = [one for one in (row.proposed_by, row.decided_by, row.lifted_by) if one is not None]
        facts = {
            "line": line,
            "before": session.get(Sanction, row.extends_id) if row.extends_id is not None else None,
            "after": session.scalars(
                select(Sanction).where(Sanction.extends_id == row.id, Sanction.state != SanctionState.REJECTED)
            ).first(),
            "running": running_contracts(session, row) if me.can(Permission.READ_CONTRACTS) else [],
            "given_back": sees_proposals() and points_given_back(session, line),
            "names": display_names(session, people) if sees_proposals() else {},
            "history": history_of(
                session, "sanction", sanction_id, Permission.PROPOSE_SANCTIONS, Permission.APPROVE_SANCTIONS
            ),
        }
    stage = stage_of(line, today)
    is_open = stage in {SanctionStage.IN_FORCE, SanctionStage.TO_COME}
    return render_template(
        "sanctions/detail.html",
        **facts,
        stage=stage,
        because=because(line),
        step=trigger_in_words(line.rule) if line.rule else None,
        length=length_in_words(line.rule) if line.rule else None,
        own_proposal=row.proposed_by == me.id,
        may_decide=stage is SanctionStage.WAITING and me.can(Permission.APPROVE_SANCTIONS),
        may_lift=is_open and me.can(Permission.APPROVE_SANCTIONS),
        may_extend=is_open
        and row.state is SanctionState.APPROVED
        and row.until_on is not None
        and me.can(Permission.PROPOSE_SANCTIONS),
        staff=sees_proposals(),
        may_read_registers=me.can(Permission.READ_REGISTERS),
        may_end_contracts=me.can(Permission.DRAFT_CONTRACTS),
        ends_on=first_day_without(row),
    )


class UnknownNumberError(UnknownCodeError):
    """Digits that no row of the register has."""

    message = N_("%(code)s is not in the register of numbers; enter it there first")


def _number_named(session: Session, _scope: Scope, digits: str) -> PhoneNumber:
    row = session.scalars(select(PhoneNumber).where(PhoneNumber.digits == digits.strip())).one_or_none()
    if row is None:
        raise UnknownNumberError(code=digits.strip()[:40])
    return row


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.PROPOSE_SANCTIONS)
def new() -> ResponseReturnValue:
    """Propose a sanction; ``?party=`` or ``?number=`` and ``?kind=`` fill the form in."""
    form = ProposeForm(
        party=request.args.get("party", ""),
        number=request.args.get("number", ""),
        from_on=clock.today() + dt.timedelta(days=1),
    )
    if request.method == "GET" and request.args.get("number"):
        form.kind.data = SanctionKind.NUMBER_SHUTDOWN
    is_valid = form.validate_on_submit()
    of_number = is_valid and form.kind.data is SanctionKind.NUMBER_SHUTDOWN
    number = named(form.number, _number_named) if of_number else None
    party = named(form.party, party_named) if is_valid and not of_number else None
    if party is None and number is None:
        return form_page(
            form,
            title=_("Propose a sanction"),
            words=_("Propose it"),
            cancel_url=url_for(".index"),
            hint=_("It has no effect before a second person approves it, and begins on the day after at the earliest."),
        )
    row = db.decide(
        propose_sanction,
        form.kind.data,
        party_id=party.id if party is not None else None,
        number_id=number.id if number is not None else None,
        from_on=form.from_on.data,
        until_on=form.until_on.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("Proposed; a second person decides"), "success")
    return redirect(url_for(".detail", sanction_id=row.id), code=303)
