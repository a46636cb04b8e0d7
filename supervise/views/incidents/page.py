"""The page on which a call is decided: what the registers say, the verdicts so far, findings, money, tickets."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flask import render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.checklists import evidence_items, items_on
from supervise.attribution.conflict_queries import last_conflict
from supervise.attribution.findings import suggested_offences
from supervise.attribution.inquiry_models import AnswerConflict
from supervise.attribution.inquiry_queries import AnswerLine, InquiryFacts, answer_lines, inquiries_of
from supervise.attribution.models import EvidenceItem, FindingState
from supervise.attribution.traceback_models import TracebackTask
from supervise.attribution.traceback_queries import traceback_of
from supervise.attribution.watching.models import WatchedIncident
from supervise.attribution.watching.queries import records_of_incident
from supervise.complaints.link import duplicate_candidates
from supervise.complaints.models import Incident, IncidentState
from supervise.complaints.originals import reveal_message
from supervise.desk.calls import CallStory
from supervise.desk.offences import offences_on
from supervise.desk.parties import codes_of, parties_to_choose
from supervise.desk.reach import incident_in_reach
from supervise.desk.story import IncidentStory, has_proven, incident_story, probable_same
from supervise.parties.models import UnitKind
from supervise.parties.queries import unit_kinds
from supervise.parties.scope import Scope
from supervise.penalties.models import LIVE_PENALTY_STATES
from supervise.penalties.recovery_queries import RecoveryLine, recoveries_of_incident
from supervise.penalties.spare_queries import SparingLine, sparings_of_incident
from supervise.views.checklist_form import LOGGED
from supervise.views.forms import Form, RevealForm
from supervise.views.incidents.blueprint import READERS, SPARERS, bp
from supervise.views.incidents.changed import LostRace, changed_of, findings_now
from supervise.views.incidents.evidence_forms import EvidenceForm, VerificationForm
from supervise.views.incidents.forms import FindingsForm, LinkForm, ReasonForm, VerdictForm
from supervise.views.incidents.holds import Keeping, keeping_of
from supervise.views.incidents.proofs import Proofs, proofs_of
from supervise.views.money_words import money_words
from supervise.views.settings import current_keyring
from supervise.views.telling import told

#: Offence types whose proof the register of refusals and consents may hold.
_OF_PERMISSIONS = ("after_refusal", "without_consent")


class _Beside(NamedTuple):
    """What the page offers beside the story."""

    offences: tuple[Any, ...]
    #: The checklists of the day of the call.
    items: list[EvidenceItem]
    suggested: tuple[str, ...]
    parties: tuple[tuple[str, str], ...]
    #: Codes of the suggested parties, by party id; what the carrier's own among them are in its tree, by unit id.
    codes: Mapping[int, str]
    unit_kinds: Mapping[int, UnitKind]
    same: tuple[Incident, ...]
    same_tickets: Mapping[int, list[tuple[int, str]]]
    proofs: Proofs
    #: What parties were asked, with their answers by inquiry id, and what contradicts.
    asked: tuple[InquiryFacts, ...]
    answers: Mapping[int, list[AnswerLine]]
    conflict: AnswerConflict | None
    #: What of its day is on record, and until when others must keep what they have of it.
    keeping: Keeping
    traceback: TracebackTask | None
    #: The records that it was opened from, where nobody complained first.
    opened: tuple[WatchedIncident, ...]
    #: What parties give back of its credits.
    recoveries: tuple[RecoveryLine, ...]
    #: What nobody is charged for, and what was brought back.
    sparings: tuple[SparingLine, ...]
    #: Whether the reader can spare it, bring it back, or agree to it as the second person.
    can_spare: bool
    can_bring_back: bool
    can_agree_to_sparing: bool


@bp.get("/<int:incident_id>")
@require(Permission.READ_TICKETS)
def detail(incident_id: int) -> ResponseReturnValue:
    """Show the story of a call."""
    return incident_page(incident_id)


@bp.post("/<int:incident_id>/message")
@require(Permission.REVEAL_NUMBERS)
def reveal(incident_id: int) -> ResponseReturnValue:
    """Show the text of a message as it was reported once, in this answer alone, and record who looked and why."""
    me, form = current_user(), RevealForm()
    with db.reading() as session:
        incident_in_reach(session, Scope.of(session, me), incident_id)
    if not form.validate():
        return incident_page(incident_id, {"reveal": form})
    full = db.decide(reveal_message, current_keyring(), incident_id, reason=form.reason.data, actor_id=me.id)
    return incident_page(incident_id, message=full)


def incident_page(
    incident_id: int,
    filled: Mapping[str, Form] | None = None,
    message: str | None = None,
    changed: LostRace | None = None,
) -> ResponseReturnValue:
    """Return the page; a form in *filled* was refused and shows why, which makes the answer a 400.

    *message* is the text of an SMS in full, which this answer alone shows. After *changed* the page shows what the
    user saw beside what holds now, and is a 409.

    Raises:
        NotFoundError: if there is no such incident, or no ticket within the user's scope reports it.
    """
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        may_read_inquiries = me.can(Permission.READ_INQUIRIES)
        story = incident_story(session, scope, incident_id, with_inquiries=may_read_inquiries)
        beside = _beside(session, scope, story)
    forms = _forms(story, beside) | dict(filled or {})
    if changed is not None and changed.form in (filled or {}):
        forms[changed.form].shown.data = _shown(story)[changed.form]  # whoever decides again has seen it
    is_live = story.call.incident.state is not IncidentState.MERGED
    page = render_template(
        "incidents/detail.html",
        story=story,
        call=story.call,
        incident=story.call.incident,
        beside=beside,
        forms=forms,
        money=money_words([story.call]),
        timeline_items=told(story.timeline, story.names),
        of_permissions=_OF_PERMISSIONS,
        changed=changed_of(story, changed) if changed is not None else None,
        may_decide=is_live and me.can(Permission.TRIAGE),
        may_link=is_live and me.can(Permission.TRIAGE, Permission.CREATE_TICKETS),
        may_propose=is_live and me.can(Permission.TRIAGE) and has_proven(story.call),
        may_reveal=me.can(Permission.REVEAL_NUMBERS),
        message=message,
        may_read_inquiries=may_read_inquiries,
        may_read_traceback=me.can(*READERS),
        may_confirm=me.can(Permission.CONFIRM_OVERRIDES),
        may_release=me.can(Permission.TRIAGE, Permission.CONFIRM_OVERRIDES),
        me_id=me.id,
        refused=[name for name, form in forms.items() if form.errors or (changed and name == changed.form)],
    )
    return page, 409 if changed else 400 if filled else 200


def _spare_steps(call: CallStory, sparings: Iterable[SparingLine]) -> tuple[bool, bool, bool]:
    """Say whether the reader can spare an offence without an amount, bring back what is spared, and agree to it."""
    me = current_user()
    if call.incident.state is IncidentState.MERGED or not me.can(*SPARERS):
        return False, False, False
    live = [line.sparing for line in sparings if line.sparing.brought_back_at is None]
    spared = {sparing.finding_id for sparing in live}
    waiting = [sparing for sparing in live if sparing.agreed_at is None]
    is_second = me.can(Permission.APPROVE_MONEY) and all(sparing.spared_by != me.id for sparing in waiting)
    proven = {line.finding.id for line in call.findings if line.finding.state is FindingState.PROVEN}
    is_charged = any(line.penalty.state in LIVE_PENALTY_STATES for line in call.penalties)
    return bool(proven - spared) and not is_charged, bool(spared), bool(waiting) and is_second


def _shown(story: IncidentStory) -> dict[str, str]:
    """Return what the forms carry of what is on screen: the verdict in force, and with it the findings that hold."""
    verdict = str(story.call.in_force.attribution.id) if story.call.in_force else ""
    held = [f"{line.finding.id}:{line.finding.state.value}" for line in findings_now(story)]
    return {"verdict": verdict, "findings": ";".join([verdict, *held]) if verdict else ""}


def _beside(session: Session, scope: Scope, story: IncidentStory) -> _Beside:
    incident = story.call.incident
    same = duplicate_candidates(session, incident) if incident.state is not IncidentState.MERGED else []
    suggestion = story.call.suggestion
    candidates = suggestion.candidates if suggestion else ()
    asked = inquiries_of(session, incident.id)
    sparings = tuple(sparings_of_incident(session, incident.id))
    return _Beside(
        tuple(offences_on(session, incident.occurred_on)),
        items_on(evidence_items(session), incident.occurred_on),
        suggested_offences(session, [incident])[incident.id],
        tuple(parties_to_choose(session)),
        codes_of(session, [candidate.party_id for candidate in candidates]),
        unit_kinds(session, [candidate.chain[0].unit_id for candidate in candidates if candidate.chain[0].unit_id]),
        tuple(same),
        probable_same(session, scope, same),
        proofs_of(session, incident),
        tuple(asked),
        answer_lines(session, [facts.inquiry.id for facts in asked]),
        last_conflict(session, incident.id),
        keeping_of(session, incident),
        traceback_of(session, incident.id),
        tuple(records_of_incident(session, incident.id)),
        tuple(recoveries_of_incident(session, scope, incident.id)),
        sparings,
        *_spare_steps(story.call, sparings),
    )


def _forms(story: IncidentStory, beside: _Beside) -> dict[str, Form]:
    in_force, suggestion, shown = story.call.in_force, story.call.suggestion, _shown(story)
    # Whoever leads, whatever speaks against it: deciding so needs a word then.
    leading = suggestion.leading if suggestion else None
    verdict = VerdictForm(
        formdata=None,
        shown=shown["verdict"],
        verdict=suggestion.verdict.value if suggestion and suggestion.verdict and not in_force else None,
        party=beside.codes.get(leading.party_id) if leading and not in_force else None,
    )
    proven = list(beside.suggested) if not story.call.findings else None
    # Where the log confirms the call, how it was verified need not be said again.
    how = {"verified_by": LOGGED} if beside.proofs.is_verified else {}
    return {
        "verdict": verdict,
        "findings": FindingsForm.asking(beside.items)(
            beside.offences, formdata=None, shown=shown["findings"], proven=proven, **how
        ),
        "evidence": EvidenceForm(formdata=None),
        "verification": VerificationForm(beside.proofs.evidence, formdata=None),
        "link": LinkForm(formdata=None),
        "row": ReasonForm(formdata=None),
        "reveal": RevealForm(formdata=None),
    }
