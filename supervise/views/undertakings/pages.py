"""Undertakings: find the subscriber, draft, agree by a second person, settle history once, end."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.undertakings import UNDERTAKING_COLUMNS, undertaking_lines
from supervise import clock, db, phone
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.compensation import promise_queries as queries
from supervise.compensation.giving_up import give_up_undertaking
from supervise.compensation.models import CallUnit, CreditKind, CreditNature, PromiseState, Undertaking
from supervise.compensation.promises import draft_undertaking, end_undertaking
from supervise.compensation.propose import propose_lump
from supervise.compensation.queries import LIVE_CREDIT_STATES
from supervise.desk.approvals import agree_undertaking_within_authority
from supervise.labels import N_, _
from supervise.views.navigation import url_of
from supervise.views.register_list import RegisterList, newest_first
from supervise.views.registers import history_of
from supervise.views.settings import current_keyring
from supervise.views.undertakings.blueprint import bp
from supervise.views.undertakings.forms import (
    EndPromiseForm,
    FindForm,
    GiveUpForm,
    UndertakingFilterForm,
    UndertakingForm,
)

UNDERTAKINGS = RegisterList(
    name="undertakings",
    title=N_("Undertakings"),
    form=lambda: UndertakingFilterForm(formdata=request.args),
    # Who reads contracts reads all promises: no scope narrows them.
    rows=lambda session, _scope, filters, *, after, limit: queries.undertakings_newest(
        session, filters, before_id=after, limit=limit
    ),
    cursor=newest_first(lambda row: row.undertaking.id),
    columns=UNDERTAKING_COLUMNS,
    lines=lambda session, _scope, filters: undertaking_lines(session, filters),
    writes=Permission.DRAFT_CONTRACTS,
    # A promise is made to a subscriber, who is found first.
    new=".find",
)


@bp.get("/")
@require(Permission.READ_CONTRACTS)
def index() -> ResponseReturnValue:
    """List undertakings, the newest first."""
    return UNDERTAKINGS.page()


@bp.get("/export")
@require(Permission.READ_CONTRACTS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file; numbers stay masked."""
    return UNDERTAKINGS.download()


@bp.route("/find", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def find() -> ResponseReturnValue:
    """Find the subscriber to promise something to, by full number or account."""
    form = FindForm()
    found = None
    if form.validate_on_submit():
        who = form.who.data.strip()
        with db.reading() as session:
            found = queries.find_subscribers(session, current_keyring(), number=_as_number(who), account_ref=who)
    page = render_template("undertakings/find.html", form=form, found=found, now=clock.now())
    return page, 400 if form.errors else 200


def _as_number(text: str) -> str | None:
    try:
        return phone.normalise(text)
    except phone.PhoneError:
        return None  # then it is an account


@bp.route("/new/<int:subscriber_id>", methods=["GET", "POST"])
@require(Permission.DRAFT_CONTRACTS)
def new(subscriber_id: int) -> ResponseReturnValue:
    """Draft an undertaking for a subscriber."""
    with db.reading() as session:
        subscriber = queries.subscriber_with_mask(session, subscriber_id)
    form = UndertakingForm(
        starts_at=clock.now().replace(microsecond=0),
        call_unit=CallUnit.ATTEMPTED.value,
        nature=CreditNature.COMPENSATION.value,
    )
    ticket_id = None
    if form.validate_on_submit() and form.ticket.data:
        try:
            with db.reading() as session:
                ticket_id = queries.ticket_id_of(session, form.ticket.data)
        except queries.NoSuchTicketError as error:
            form.ticket.errors = [str(error)]
    if request.method == "GET" or form.errors:
        page = render_template("undertakings/new.html", form=form, subscriber=subscriber)
        return page, 400 if form.errors else 200
    undertaking = db.decide(
        draft_undertaking,
        subscriber_id,
        form.terms(),
        lump_fen=form.lump_fen.data or 0,
        text=(form.text.data or "").strip() or None,
        ticket_id=ticket_id,
        actor_id=current_user().id,
    )
    flash(_("Drafted; it has no effect before a second person agrees"), "success")
    return redirect(url_for(".detail", undertaking_id=undertaking.id), code=303)


@bp.get("/<int:undertaking_id>")
@require(Permission.READ_CONTRACTS)
def detail(undertaking_id: int) -> ResponseReturnValue:
    """Show an undertaking, what it has cost, and whose turn it is."""
    with db.reading() as session:
        undertaking = queries.undertaking_by_id(session, undertaking_id)
        return _page(session, undertaking, EndPromiseForm(formdata=None))


def _page(session: Session, undertaking: Undertaking, end_form: EndPromiseForm) -> str:
    owed = queries.credits_of_undertaking(session, undertaking.id)
    live = [credit for credit in owed if credit.state in LIVE_CREDIT_STATES]
    can_settle = undertaking.lump_fen > 0 and undertaking.state is not PromiseState.DRAFT
    return render_template(
        "undertakings/detail.html",
        undertaking=undertaking,
        subscriber=queries.subscriber_with_mask(session, undertaking.subscriber_id),
        credits=owed,
        credit_urls={credit.id: url_of("credits.detail", credit_id=credit.id) for credit in owed},
        total_fen=sum(credit.amount_fen for credit in live),
        can_settle=can_settle and not any(credit.kind is CreditKind.LUMP for credit in live),
        ticket_url=url_of("tickets.detail", ticket_id=undertaking.ticket_id) if undertaking.ticket_id else None,
        people=display_names(session, [undertaking.drafted_by, undertaking.agreed_by, undertaking.given_up_by]),
        end_form=end_form,
        give_up_form=GiveUpForm(formdata=None),
        history=history_of(
            session, "undertaking", undertaking.id, Permission.DRAFT_CONTRACTS, Permission.AGREE_UNDERTAKINGS
        ),
        me=current_user(),
    )


@bp.post("/<int:undertaking_id>/agree")
@require(Permission.AGREE_UNDERTAKINGS)
def agree(undertaking_id: int) -> ResponseReturnValue:
    """Agree to a drafted undertaking, as the second person."""
    with db.reading() as session:
        queries.undertaking_by_id(session, undertaking_id)
    version = request.form.get("version", type=int) or 0
    db.decide(agree_undertaking_within_authority, undertaking_id, version, actor_id=current_user().id)
    flash(_("Agreed; from its beginning on it earns credits"), "success")
    return redirect(url_for(".detail", undertaking_id=undertaking_id), code=303)


@bp.post("/<int:undertaking_id>/give-up")
@require(Permission.DRAFT_CONTRACTS, Permission.AGREE_UNDERTAKINGS)
def give_up(undertaking_id: int) -> ResponseReturnValue:
    """Give up a draft: its author takes it back, a colleague turns it down."""
    with db.reading() as session:
        queries.undertaking_by_id(session, undertaking_id)
    reason = GiveUpForm().because.data or ""
    db.decide(give_up_undertaking, undertaking_id, reason, actor_id=current_user().id)
    flash(_("The draft is given up; it never had an effect"), "success")
    return redirect(url_for(".detail", undertaking_id=undertaking_id), code=303)


@bp.post("/<int:undertaking_id>/end")
@require(Permission.AGREE_UNDERTAKINGS)
def end(undertaking_id: int) -> ResponseReturnValue:
    """End an undertaking in force; credits for earlier calls stay."""
    form = EndPromiseForm()
    with db.reading() as session:
        undertaking = queries.undertaking_by_id(session, undertaking_id)
        if not form.validate():
            return _page(session, undertaking, form), 400
    db.decide(end_undertaking, undertaking_id, form.ends_at.moment, reason=form.reason.data, actor_id=current_user().id)
    flash(_("The end is recorded; credits for earlier calls stay"), "success")
    return redirect(url_for(".detail", undertaking_id=undertaking_id), code=303)


@bp.post("/<int:undertaking_id>/lump")
@require(Permission.TRIAGE)
def settle_history(undertaking_id: int) -> ResponseReturnValue:
    """Propose the lump sum for history, once."""
    with db.reading() as session:
        queries.undertaking_by_id(session, undertaking_id)
    db.decide(propose_lump, undertaking_id, actor_id=current_user().id)
    flash(_("The lump sum is proposed; an approver decides"), "success")
    return redirect(url_for(".detail", undertaking_id=undertaking_id), code=303)
