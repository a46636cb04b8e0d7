"""The page of one credit."""

from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation.models import CancellationState, CreditState
from supervise.compensation.pricing import explain_in_words
from supervise.desk.credit_story import CreditStory, credit_story
from supervise.parties.scope import Scope
from supervise.views.credits.blueprint import bp
from supervise.views.credits.forms import CancellationForm
from supervise.views.ledger_words import event_words, steps_of_credit


@bp.get("/<int:credit_id>")
@require(Permission.READ_CREDITS)
def detail(credit_id: int) -> ResponseReturnValue:
    """Show the story of a credit: whom, why, by which promise, what billing and the ledger say."""
    return credit_page(credit_id, CancellationForm(formdata=None))


def credit_page(credit_id: int, form: CancellationForm) -> ResponseReturnValue:
    """Return the page; a *form* that was refused shows why, which makes the answer a 400.

    Raises:
        NotFoundError: if the credit does not exist or lies outside the user's scope.
    """
    me = current_user()
    with db.reading() as session:
        story = credit_story(session, Scope.of(session, me), credit_id)
    page = render_template("credits/detail.html", **_shown(story, me), form=form)
    return page, 400 if form.errors else 200


def _shown(story: CreditStory, me: CurrentUser) -> dict[str, Any]:
    wish = next((one for one in story.cancellations if one.state is CancellationState.OPEN), None)
    waits = story.credit.state is CreditState.APPROVED
    return {
        "story": story,
        "credit": story.credit,
        "explanation": explain_in_words(story.credit.explanation),
        "steps": steps_of_credit(story),
        "event_words": event_words,
        "wish": wish,
        "me": me,
        "may_propose": waits and wish is None and me.can(Permission.PROPOSE_REVERSALS),
        "may_withdraw": wish is not None and me.can(Permission.PROPOSE_REVERSALS),
        "may_decide": wish is not None and me.can(Permission.APPROVE_REVERSALS),
    }
