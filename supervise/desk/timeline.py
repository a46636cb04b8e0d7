"""What happened to a ticket and its calls, in one line of time: steps, replies, verdicts, findings, money, looks."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from supervise.attribution.inquiry_queries import answer_lines, inquiries_of
from supervise.attribution.models import Attribution, AttributionState, FindingState
from supervise.audit.models import AuditEvent
from supervise.complaints import originals
from supervise.complaints.link import merged_into
from supervise.complaints.models import LinkHow, OffenceType, Ticket, TicketIncident, TicketState, TicketStep
from supervise.complaints.originals import Original
from supervise.desk.calls import CallStory, FindingLine, VerdictLine
from supervise.desk.models import ResolutionCode, TicketReply
from supervise.labels import N_, current_locale
from supervise.money import format_yuan
from supervise.penalties.models import PenaltyStep

#: What the trail tells that no row of a subject tells.
_TOLD = {
    "subscriber_number.revealed": N_("The full number was shown"),
    "incident.linked": N_("A call was linked by hand"),
    "incident.opened_from_record": N_("Opened from a record, or recognised in one"),
    "incident.unlinked": N_("A call was unlinked"),
    "incident.merged": N_("Two calls were recognised as one"),
    "incident.spared": N_("Spared: nobody is charged for it"),
    "incident.sparing_agreed": N_("Sparing of a call agreed to"),
    "incident.brought_back": N_("Brought back: it is to be charged"),
    "incident.kept_apart": N_("A probable duplicate was kept apart"),
    "evidence.added": N_("Evidence was attached"),
    "evidence.downloaded": N_("Evidence was downloaded"),
    "evidence.held": N_("Evidence was put on hold"),
    "evidence.hold_released": N_("The hold on evidence was released"),
    "evidence.withdrawn": N_("Evidence was withdrawn"),
    "verification.entered": N_("A verification was entered"),
    "conflict.settled": N_("The contradiction between answers was settled"),
    "hold_request.asked": N_("Somebody was asked to keep the evidence"),
    "hold_request.answered": N_("The request to keep the evidence was answered"),
    "ticket.call_added": N_("A call was added"),
    originals.ACTION: "",
}
_SHOWN = {
    Original.COMPLAINANT.value: N_("The complainant's name was shown"),
    Original.WORDS.value: N_("The original words were shown"),
    Original.MESSAGE.value: N_("The original text of the message was shown"),
}
_STEP_TONES = {
    TicketState.NEW: "primary",
    TicketState.CLOSED: "success",
    TicketState.REFUSED: "danger",
    TicketState.WITHDRAWN: "warning",
    TicketState.TRANSFERRED: "warning",
}


class Happening(NamedTuple):
    """One thing that happened; ``message`` is a message id, translated with its parameters where it is shown."""

    at: dt.datetime
    #: None: the complainant, a job or the channel.
    actor_id: int | None
    message: str
    parameters: Mapping[str, Any]
    detail: str | None = None
    #: A Bootstrap colour name.
    tone: str | None = None


class ReplyLine(NamedTuple):
    """A reply with its resolution code."""

    reply: TicketReply
    code: ResolutionCode


def replies_of(session: Session, ticket_id: int) -> list[ReplyLine]:
    """Return the replies to a ticket, the oldest first."""
    query = (
        select(TicketReply, ResolutionCode)
        .join(ResolutionCode, ResolutionCode.code == TicketReply.resolution_code)
        .where(TicketReply.ticket_id == ticket_id)
        .order_by(TicketReply.id)
    )
    return [ReplyLine(*row) for row in session.execute(query)]


def happenings(
    session: Session, ticket: Ticket, calls: Sequence[CallStory], replies: Sequence[ReplyLine]
) -> list[Happening]:
    """Return everything that happened to *ticket* and its calls, the newest first."""
    found = [
        Happening(ticket.received_at, None, N_("Received: %(channel)s"), {"channel": ticket.channel}, tone="primary"),
        *_steps(session, ticket.id),
        *(_reply(line) for line in replies),
        *_links(session, ticket.id),
        *happenings_of_calls(session, calls),
        *_events(session, [("ticket", ticket.id), ("subscriber_number", ticket.number_id)]),
    ]
    return in_time(found)


def happenings_of_calls(session: Session, calls: Sequence[CallStory]) -> list[Happening]:
    """Return what happened to the incidents alone, and to what was merged into them, the newest first."""
    found = [happening for call in calls for happening in _of_call(call)]
    found += _penalty_steps(session, calls)
    ids = [call.incident.id for call in calls]
    found += _events(session, [("incident", incident_id) for incident_id in (*ids, *merged_into(session, ids))])
    return in_time(found)


def in_time(found: Iterable[Happening]) -> list[Happening]:
    """Return what happened, the newest first."""
    return sorted(found, key=lambda happening: happening.at, reverse=True)


def happenings_of_inquiries(session: Session, incident_id: int) -> Iterator[Happening]:
    """Yield what parties were asked about an incident and what they answered, for who may read inquiries."""
    asked = inquiries_of(session, incident_id)
    answers = answer_lines(session, [facts.inquiry.id for facts in asked])
    for facts in asked:
        inquiry, party = facts.inquiry, {"party": facts.party.name}
        yield Happening(inquiry.asked_at, inquiry.asked_by, N_("Asked: %(party)s"), party, inquiry.question)
        for line in answers[inquiry.id]:
            answer = line.answer
            parameters = {**party, "answer": answer.kind}
            message = N_("%(party)s answered: %(answer)s")
            yield Happening(answer.answered_at, answer.answered_by, message, parameters, answer.body, "primary")
        if inquiry.deemed_at is not None:
            message = N_("%(party)s did not answer in time: deemed not contested")
            yield Happening(inquiry.deemed_at, None, message, party, tone="warning")
        if inquiry.withdrawn_at is not None:
            message, reason = N_("The question to %(party)s was withdrawn"), inquiry.withdrawal_reason
            yield Happening(inquiry.withdrawn_at, inquiry.withdrawn_by, message, party, reason)


def _steps(session: Session, ticket_id: int) -> Iterator[Happening]:
    query = select(TicketStep).where(TicketStep.ticket_id == ticket_id, TicketStep.to_state != TicketState.REPLIED)
    for step in session.scalars(query.order_by(TicketStep.id)):
        message = N_("Entered") if step.to_state is TicketState.NEW else N_("Ticket: %(state)s")
        tone = _STEP_TONES.get(step.to_state)
        yield Happening(step.at, step.actor_id, message, {"state": step.to_state}, step.reason, tone)


def _reply(line: ReplyLine) -> Happening:
    name = line.code.name_en if current_locale() == "en" else line.code.name_zh
    tone = "success" if line.code.counts_as_solved else "warning"
    return Happening(
        line.reply.replied_at, line.reply.replied_by, N_("Answered: %(code)s"), {"code": name}, line.reply.body, tone
    )


def _links(session: Session, ticket_id: int) -> Iterator[Happening]:
    query = select(TicketIncident).where(TicketIncident.ticket_id == ticket_id, TicketIncident.how == LinkHow.MATCHED)
    for link in session.scalars(query.order_by(TicketIncident.id)):
        yield Happening(link.linked_at, link.linked_by, N_("A call was recognised: another ticket reports it too"), {})


def _of_call(call: CallStory) -> Iterator[Happening]:
    lines = [line for line in (call.in_force, call.waiting, *call.earlier) if line is not None]
    for line in lines:
        yield from _verdict(line)
    for found in call.findings:
        yield from _finding(found)
    for owed in call.credits:
        credit = owed.credit
        parameters = {"reference": credit.reference, "amount": format_yuan(credit.amount_fen)}
        yield Happening(
            credit.proposed_at, credit.maker_id, N_("Credit %(reference)s proposed: %(amount)s yuan"), parameters
        )
        if credit.approved_at is not None:
            message = N_("Credit %(reference)s approved: %(amount)s yuan")
            yield Happening(credit.approved_at, credit.approver_id, message, parameters, tone="success")


def _verdict(line: VerdictLine) -> Iterator[Happening]:
    one: Attribution = line.attribution
    message = N_("Verdict: %(verdict)s, %(party)s") if line.party else N_("Verdict: %(verdict)s")
    parameters = {"verdict": one.verdict, "party": line.party}
    yield Happening(one.decided_at, one.decided_by, message, parameters, one.reason, "primary")
    if one.confirmed_at is None:
        return
    if one.state is AttributionState.REJECTED:
        yield Happening(one.confirmed_at, one.confirmed_by, N_("Override rejected"), {}, tone="danger")
    else:
        yield Happening(one.confirmed_at, one.confirmed_by, N_("Override confirmed"), {}, tone="success")


def _finding(line: FindingLine) -> Iterator[Happening]:
    finding, name = line.finding, offence_name(line.offence)
    not_proven = finding.state is FindingState.NOT_PROVEN
    message = N_("Not proven: %(offence)s") if not_proven else N_("Proven: %(offence)s")
    tone = "secondary" if not_proven else "danger"
    yield Happening(finding.found_at, finding.found_by, message, {"offence": name}, finding.evidence_note, tone)
    if finding.overturned_at is not None:
        yield Happening(
            finding.overturned_at, finding.overturned_by, N_("Finding overturned: %(offence)s"), {"offence": name}
        )


def offence_name(offence: OffenceType) -> str:
    """Return the type's name in the language of the reader."""
    return offence.name_en if current_locale() == "en" else offence.name_zh


def _penalty_steps(session: Session, calls: Sequence[CallStory]) -> Iterator[Happening]:
    penalties = {line.penalty.id: line for call in calls for line in call.penalties}
    if not penalties:
        return
    for line in penalties.values():
        penalty = line.penalty
        parameters = {"reference": penalty.reference, "amount": format_yuan(penalty.amount_fen), "party": line.party}
        message = N_("Penalty %(reference)s proposed: %(amount)s yuan, %(party)s")
        yield Happening(penalty.proposed_at, penalty.maker_id, message, parameters)
    query = select(PenaltyStep).where(PenaltyStep.penalty_id.in_(penalties)).order_by(PenaltyStep.id)
    for step in session.scalars(query):
        penalty = penalties[step.penalty_id].penalty
        if step.at == penalty.proposed_at:
            continue  # told above, with the amount
        parameters = {"reference": penalty.reference, "state": step.to_state}
        message = N_("Penalty %(reference)s: %(state)s")
        yield Happening(step.at, step.actor_id, message, parameters, step.reason, "success")


def _events(session: Session, rows: Iterable[tuple[str, int | None]]) -> Iterator[Happening]:
    of_rows = [
        and_(AuditEvent.subject == subject, AuditEvent.subject_id == str(row_id))
        for subject, row_id in rows
        if row_id is not None
    ]
    if not of_rows:
        return
    query = select(AuditEvent).where(or_(*of_rows), AuditEvent.action.in_(_TOLD)).order_by(AuditEvent.id.desc())
    for event in session.scalars(query.limit(200)):
        message = _TOLD[event.action] or _SHOWN[(event.changes or {})["what"]]
        yield Happening(event.at, event.actor_id, message, {}, event.reason)
