"""Answers that contradict: the list, and the page on which a supervisor reads both sides and settles it."""

from typing import NamedTuple

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.attribution.answer_files import files_of
from supervise.attribution.conflict_queries import PAGE, conflict_of, conflicts_to_settle, last_conflict
from supervise.attribution.conflicts import ConflictChangedError, settle_conflict
from supervise.attribution.decide import VerdictChangedError
from supervise.attribution.inquiry_models import AnswerConflict, ConflictState
from supervise.attribution.inquiry_queries import answer_lines, inquiries_of
from supervise.attribution.models import AttributionState
from supervise.desk.calls import VerdictLine
from supervise.desk.parties import UnknownPartyError, codes_of, parties_to_choose, party_named
from supervise.desk.story import IncidentStory, incident_story
from supervise.errors import NotFoundError
from supervise.labels import _
from supervise.parties.scope import Scope
from supervise.views.inquiries.blueprint import bp
from supervise.views.inquiries.forms import SettleForm
from supervise.views.refusals import record_refusal

READERS = (Permission.TRIAGE, Permission.CONFIRM_OVERRIDES, Permission.READ_AUDIT)


@bp.get("/conflicts")
@require(*READERS)
def conflicts() -> ResponseReturnValue:
    """List the contradictions that wait for a supervisor, the oldest first."""
    after_id = request.args.get("after", default=0, type=int)
    with db.reading() as session:
        rows = conflicts_to_settle(session, after_id=after_id, limit=PAGE + 1)
    more, rows = len(rows) > PAGE, rows[:PAGE]
    return render_template(
        "inquiries/conflicts.html",
        rows=rows,
        may_settle=current_user().can(Permission.CONFIRM_OVERRIDES),
        next_url=url_for(".conflicts", after=rows[-1].id) if more else None,
        first_url=url_for(".conflicts") if after_id else None,
    )


@bp.get("/conflicts/<int:incident_id>")
@require(*READERS)
def conflict(incident_id: int) -> ResponseReturnValue:
    """Show what contradicts about a call, both sides on one screen."""
    return _page(incident_id)


@bp.post("/conflicts/<int:incident_id>")
@require(Permission.CONFIRM_OVERRIDES)
def settle(incident_id: int) -> ResponseReturnValue:
    """Decide who answers, or that the verdict stands; against the only suggestion, a second person confirms."""
    me, form = current_user(), SettleForm(may_stand=True)
    party_id: int | None = None
    with db.reading() as session:
        incident_story(session, Scope.of(session, me), incident_id)
        if form.validate() and form.party.data:
            try:
                party_id = party_named(session, form.party.data).id
            except UnknownPartyError as error:
                form.party.errors = [str(error)]
    if form.errors:
        return _page(incident_id, form)
    try:
        attribution = db.decide(
            settle_conflict,
            incident_id,
            form.chosen,
            party_id,
            reason=form.reason.data,
            shown_conflict_id=int(form.conflict.data),
            shown_id=form.shown_id,
            actor_id=me.id,
        )
    except (ConflictChangedError, VerdictChangedError) as error:
        record_refusal(error)
        return _page(incident_id, form, is_late=True)
    if attribution.state is AttributionState.WAITING:
        flash(_("It is decided against the suggestion and takes effect when a second person confirms it"), "warning")
    else:
        flash(_("The contradiction is settled"), "success")
    return redirect(url_for(".conflict", incident_id=incident_id), code=303)


class _Seen(NamedTuple):
    """What a supervisor had on screen who came too late."""

    conflict: AnswerConflict | None
    verdict: VerdictLine | None


def _page(incident_id: int, refused: SettleForm | None = None, *, is_late: bool = False) -> ResponseReturnValue:
    me = current_user()
    with db.reading() as session:
        story = incident_story(session, Scope.of(session, me), incident_id)
        found = last_conflict(session, incident_id)
        if found is None:
            raise NotFoundError
        seen = _seen(session, story, refused) if refused is not None and is_late else None
        asked = inquiries_of(session, incident_id)
        lines = answer_lines(session, [facts.inquiry.id for facts in asked])
        answers = [line.answer for some in lines.values() for line in some]
        files = files_of(session, [answer.id for answer in answers])
        settled_by = {one.settled_by for one in (found, seen.conflict if seen else None) if one is not None}
        names = display_names(session, {*(answer.answered_by for answer in answers), *settled_by})
        suggestion = story.call.suggestion
        codes = codes_of(session, [one.party_id for one in suggestion.candidates] if suggestion else [])
        parties = parties_to_choose(session)
    blank = _blank_form(story, found)
    if refused is not None and is_late:
        # Whoever decides again has seen what holds now.
        refused.conflict.data, refused.shown.data = blank.conflict.data, blank.shown.data
    page = render_template(
        "inquiries/conflict.html",
        seen=seen,
        call=story.call,
        incident=story.call.incident,
        found=found,
        is_open=found.state is ConflictState.OPEN,
        asked=asked,
        lines=lines,
        files=files,
        names=names | story.names,
        codes=codes,
        parties=parties,
        form=refused or blank,
        may_settle=me.can(Permission.CONFIRM_OVERRIDES),
    )
    return page, 409 if is_late else 400 if refused else 200


def _seen(session: Session, story: IncidentStory, form: SettleForm) -> _Seen:
    call = story.call
    verdicts = [line for line in (call.in_force, call.waiting, *call.earlier) if line is not None]
    return _Seen(
        conflict_of(session, call.incident.id, int(form.conflict.data)),
        next((line for line in verdicts if line.attribution.id == form.shown_id), None),
    )


def _blank_form(story: IncidentStory, found: AnswerConflict) -> SettleForm:
    in_force, suggestion = story.call.in_force, story.call.suggestion
    leading = suggestion.leading if suggestion else None
    return SettleForm(
        may_stand=in_force is not None,
        formdata=None,
        verdict=suggestion.verdict.value if suggestion and suggestion.verdict and not in_force else None,
        party=leading.chain[0].name if leading and not in_force else None,
        conflict=str(found.id),
        shown=str(in_force.attribution.id) if in_force else "",
    )
