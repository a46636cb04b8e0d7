"""The page of one ticket, as one story; the full number, once; paper."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.cipher import Keyring
from supervise.complaints.models import OPEN_TICKET_STATES, Ticket, TicketState
from supervise.complaints.originals import reveal_complainant, reveal_words
from supervise.complaints.subscribers import reveal_number
from supervise.complaints.tickets import SOURCES
from supervise.desk.reach import ticket_in_reach
from supervise.desk.replies import template_text
from supervise.desk.story import ReplyChoices, TicketStory, reply_choices, ticket_story
from supervise.errors import NotFoundError
from supervise.parties.scope import Scope
from supervise.views.forms import Form, RevealForm
from supervise.views.money_words import money_words
from supervise.views.settings import current_keyring
from supervise.views.telling import told
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.dispute_forms import dispute_forms, dispute_steps
from supervise.views.tickets.forms import ReasonedForm, ReplyForm, StepForm, TransferForm


@bp.get("/<int:ticket_id>")
@require(Permission.READ_TICKETS)
def detail(ticket_id: int) -> ResponseReturnValue:
    """Show the story of a ticket; ``?template=`` starts the reply from a template."""
    return ticket_page(ticket_id)


@bp.post("/<int:ticket_id>/number")
@require(Permission.REVEAL_NUMBERS)
def reveal(ticket_id: int) -> ResponseReturnValue:
    """Show the full number once, in this answer alone, and record who looked and why."""
    return _reveal(ticket_id, "number", _number_of)


@bp.post("/<int:ticket_id>/complainant")
@require(Permission.REVEAL_NUMBERS)
def reveal_name(ticket_id: int) -> ResponseReturnValue:
    """Show the complainant's name once, in this answer alone, and record who looked and why."""
    return _reveal(ticket_id, "name", reveal_complainant)


@bp.post("/<int:ticket_id>/words")
@require(Permission.REVEAL_NUMBERS)
def reveal_original(ticket_id: int) -> ResponseReturnValue:
    """Show the complaint as it was written once, in this answer alone, and record who looked and why."""
    return _reveal(ticket_id, "words", reveal_words)


def _reveal(ticket_id: int, what: str, decision: Callable[..., str]) -> ResponseReturnValue:
    me, form = current_user(), RevealForm()
    with db.reading() as session:
        ticket_in_reach(session, Scope.of(session, me), ticket_id)
    if not form.validate():
        return ticket_page(ticket_id, {f"reveal_{what}": form})
    full = db.decide(decision, current_keyring(), ticket_id, reason=form.reason.data, actor_id=me.id)
    return ticket_page(ticket_id, revealed={what: full})


def _number_of(session: Session, keyring: Keyring, ticket_id: int, *, reason: str, actor_id: int) -> str:
    number_id = session.scalar(select(Ticket.number_id).where(Ticket.id == ticket_id))
    if number_id is None:
        raise NotFoundError
    return reveal_number(session, keyring, number_id, reason=reason, actor_id=actor_id)


@bp.get("/<int:ticket_id>/print")
@require(Permission.READ_TICKETS)
def paper(ticket_id: int) -> ResponseReturnValue:
    """Show the ticket as a record to print and sign."""
    with db.reading() as session:
        story = ticket_story(session, Scope.of(session, current_user()), ticket_id)
    return render_template("tickets/print.html", **_shown(story))


def ticket_page(
    ticket_id: int, filled: Mapping[str, Form] | None = None, revealed: Mapping[str, str] | None = None
) -> ResponseReturnValue:
    """Return the page; a form in *filled* was refused and shows why, which makes the answer a 400.

    *revealed* is what this answer alone shows in full: ``number``, ``name`` or ``words``.

    Raises:
        NotFoundError: if the ticket does not exist or lies outside the user's scope.
    """
    me = current_user()
    with db.reading() as session:
        story = ticket_story(session, Scope.of(session, me), ticket_id)
        choices = reply_choices(session)
        template_id = request.args.get("template", type=int)
        body = template_text(session, template_id, story.ticket) if template_id else ""
    forms = _forms(story.ticket, choices, body, template_id) | dict(filled or {})
    page = render_template(
        "tickets/detail.html",
        **_shown(story),
        forms=forms,
        steps=steps_for(story, me),
        choices=choices,
        revealed=revealed or {},
        may_triage=me.can(Permission.TRIAGE),
        may_reveal=me.can(Permission.REVEAL_NUMBERS),
        disputes=dispute_steps(story, me),
        may_read_promises=me.can(Permission.READ_CONTRACTS),
        refused=[name for name, form in forms.items() if form.errors],
    )
    return page, 400 if filled else 200


def _shown(story: TicketStory) -> dict[str, Any]:
    return {
        "story": story,
        "ticket": story.ticket,
        "money": money_words(story.calls, story.lump_credits),
        "timeline_items": told(story.timeline, story.names),
    }


def _forms(ticket: Ticket, choices: ReplyChoices, body: str, template_id: int | None) -> dict[str, Form]:
    seen: dict[str, Any] = {"formdata": None, "version": ticket.version}
    return {
        "step": StepForm(**seen),
        "reply": ReplyForm(choices, **seen, body=body, template_id=template_id or ""),
        "refuse": ReasonedForm(**seen),
        "transfer": TransferForm(**seen),
        "withdraw": ReasonedForm(**seen),
        "reopen": ReasonedForm(**seen),
        **dispute_forms(seen),
        **{f"reveal_{what}": RevealForm(formdata=None) for what in ("number", "name", "words")},
    }


def steps_for(story: TicketStory, me: CurrentUser) -> frozenset[str]:
    """Return the names of the steps that the ticket's state allows *me* to take."""
    if not me.can(Permission.ANSWER_TICKETS):
        return frozenset()
    state = story.ticket.state
    steps = {
        name
        for name, to_state in (
            ("accept", TicketState.ACCEPTED),
            ("investigate", TicketState.INVESTIGATING),
            ("reply", TicketState.REPLIED),
            ("refuse", TicketState.REFUSED),
            ("transfer", TicketState.TRANSFERRED),
            ("withdraw", TicketState.WITHDRAWN),
        )
        if state in SOURCES[to_state]
    }
    if state is TicketState.REPLIED:
        steps |= {"reply", "close"}
    if state is TicketState.CLOSED:
        steps = {"reopen"}
    if state in OPEN_TICKET_STATES:
        steps.add("add_call")
    return frozenset(steps)
