"""The page of one penalty."""

from collections.abc import Mapping
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.contracts.rules import parse_parameters
from supervise.contracts.words import rule_in_words
from supervise.desk.penalty_story import PenaltyStory, penalty_story
from supervise.labels import _, translate
from supervise.parties.scope import Scope
from supervise.penalties.approve import moved_since
from supervise.penalties.belonging import belongs_to_unit, speaks_for_charged
from supervise.penalties.explain import explain_in_words
from supervise.penalties.models import WAITING_OBJECTION_STATES, ObjectionState, PenaltyState, WindowStart
from supervise.penalties.objections import is_contestable, is_late
from supervise.penalties.queries import LISTED_STATES
from supervise.penalties.statement import KIND_OF_EVENT, StatementKind
from supervise.penalties.steps import ACCEPTED, ACKNOWLEDGED
from supervise.penalties.windows import open_by_charged_party
from supervise.views.filters import named, tone
from supervise.views.forms import Form
from supervise.views.navigation import url_of
from supervise.views.penalties.blueprint import bp
from supervise.views.penalties.forms import (
    AdditionForm,
    AdmissionForm,
    DecisionForm,
    ObjectionForm,
    QuestionForm,
    ReversalForm,
)
from supervise.views.penalties.lists import is_charged_side

#: Steps that are no change of the state: what the charged party said is their title.
_SAID = (ACKNOWLEDGED, ACCEPTED)


@bp.get("/<int:penalty_id>")
@require(Permission.READ_PENALTIES)
def detail(penalty_id: int) -> ResponseReturnValue:
    """Show a penalty; the charged party's first look starts the window for an objection.

    That look is a GET which writes: delivery is a fact of the act, not of a button. It writes once, only for the
    charged party's own users, never for HEAD or a browser's prefetch, and what it starts can only help the party.
    """
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        story = penalty_story(session, scope, penalty_id, listed_only=is_charged_side(me))
    if _is_first_look(me, scope, story):
        db.decide(open_by_charged_party, [penalty_id], scope, actor_id=me.id)
        with db.reading() as session:
            story = penalty_story(session, scope, penalty_id, listed_only=True)
    return render_penalty(me, scope, story)


def _is_first_look(me: CurrentUser, scope: Scope, story: PenaltyStory) -> bool:
    is_real = request.method == "GET" and "prefetch" not in request.headers.get("Sec-Purpose", "")
    is_fresh = story.penalty.state is PenaltyState.APPROVED and story.penalty.window_start is None
    return is_real and is_fresh and is_charged_side(me) and speaks_for_charged(scope, story.penalty)


_FORMS: Mapping[str, type[Form]] = {
    "objection_form": ObjectionForm,
    "addition_form": AdditionForm,
    "question_form": QuestionForm,
    "admission_form": AdmissionForm,
    "decision_form": DecisionForm,
    "reversal_form": ReversalForm,
}


def render_penalty(me: CurrentUser, scope: Scope, story: PenaltyStory, **sent: Form) -> str:
    """Return the page of a penalty, with a form that was *sent* (by its name in ``_FORMS``) and must be corrected."""
    with db.reading() as session:
        names = {code: named(row) for code, row in offence_types(session).items()}
        is_own_unit = me.can(Permission.APPROVE_MONEY) and belongs_to_unit(session, me.id, story.penalty)
        is_proposed = story.penalty.state is PenaltyState.PROPOSED
        moved = moved_since(session, story.penalty) if is_proposed and me.can(Permission.APPROVE_MONEY) else None
    penalty = story.penalty
    waiting = next((one for one in story.objections if one.state in WAITING_OBJECTION_STATES), None)
    speaks = is_charged_side(me) and speaks_for_charged(scope, penalty)
    may_speak = speaks or me.can(Permission.OBJECT_FOR_PARTY)
    forms = {name: sent.get(name) or kind(formdata=None) for name, kind in _FORMS.items()}
    return render_template(
        "penalties/detail.html",
        story=story,
        penalty=penalty,
        me=me,
        explanation=explain_in_words(penalty.explanation, names),
        rule_words=rule_in_words(parse_parameters(story.rule.parameters)),
        steps=_steps(me, story),
        event_words=_event_words,
        # A charged party learns what was decided and when; who of the carrier's staff did it is not theirs.
        people={} if is_charged_side(me) else story.people,
        is_own_unit=is_own_unit,
        moved=moved,
        waiting=waiting,
        can_acknowledge=speaks and _can_acknowledge(story),
        can_object=may_speak and _can_object(story),
        is_late=is_late(penalty, clock.today()),
        may_speak=may_speak,
        entry_urls=_entry_urls(me, story),
        ticket_urls={
            ticket_id: url_of("tickets.detail", ticket_id=ticket_id) for ticket_id, _reference in story.tickets
        },
        **forms,
    )


def _can_acknowledge(story: PenaltyStory) -> bool:
    is_done = any(step.reason == ACKNOWLEDGED for step in story.steps)
    return story.penalty.state is PenaltyState.APPROVED and not story.is_accepted and not is_done


def _entry_urls(me: CurrentUser, story: PenaltyStory) -> dict[int, str | None]:
    if not me.can(Permission.READ_LEDGER):
        return {}
    return {entry.id: url_of("ledger.entry", entry_id=entry.id) for entry in story.entries}


def _event_words(event: str) -> str:
    return KIND_OF_EVENT.get(event, StatementKind.OTHER).label


def _steps(me: CurrentUser, story: PenaltyStory) -> list[dict[str, Any]]:
    """Return what happened, in time; the charged party sees nothing before the listing, and no names."""
    is_charged = is_charged_side(me)
    penalty = story.penalty
    steps = [
        {
            "at": step.at,
            "title": translate(step.reason) if step.reason in _SAID else step.to_state.label,
            "who": None if is_charged else story.people.get(step.actor_id or 0, _("the system")),
            "detail": translate(step.reason) if step.reason and step.reason not in _SAID else None,
            "tone": tone(step.to_state),
        }
        for step in story.steps
        if not is_charged or step.to_state in LISTED_STATES
    ]
    if penalty.window_started_at is not None and penalty.window_start not in (None, WindowStart.ACKNOWLEDGED):
        steps.append({"at": penalty.window_started_at, "title": penalty.window_start.label, "tone": "primary"})
    return sorted(steps, key=lambda step: step["at"])


def _can_object(story: PenaltyStory) -> bool:
    heard = any(one.state is not ObjectionState.WITHDRAWN for one in story.objections)
    return is_contestable(story.penalty) and not story.is_accepted and not heard
