"""One decision on many tickets, or on the calls they report: a result for every row, in words (domain F11)."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.decide import accept_suggestions
from supervise.attribution.findings import Proof, record_findings_for
from supervise.compensation.propose import propose_credits
from supervise.complaints.models import Incident, Ticket, TicketState
from supervise.complaints.tickets import move_tickets
from supervise.desk.reach import incidents_by_ticket
from supervise.errors import InvalidInputError, NotFoundError, RefusalError, RowResult
from supervise.labels import N_
from supervise.parties.scope import Scope, Viewer
from supervise.penalties.propose import propose_penalties

#: More would hold the locks of one transaction for too long (domain F11).
ROWS_MAX = 1_000


class TooManyRowsError(InvalidInputError):
    """A bulk decision is one transaction; beyond this it is split by narrowing the view."""

    message = N_("At most %(limit)d tickets at once; narrow the view and do it in parts")


class NoRowsError(InvalidInputError):
    """Nothing was chosen."""

    message = N_("Choose at least one ticket")


class NoCallError(InvalidInputError):
    """A ticket without a call or message has nothing to decide on."""

    message = N_("The ticket names no call or message yet")


class Outcome(NamedTuple):
    """What became of one row: done (``what`` says what), or refused."""

    ticket_id: int
    reference: str | None
    incident_id: int | None
    caller_number: str | None
    #: A message id.
    what: str
    refusal: RefusalError | None


class Told(Protocol):
    """A result of a row, fresh or kept."""

    @property
    def what(self) -> str:
        """What was to be done: a message id."""

    @property
    def refusal(self) -> object | None:
        """Why it was not done; None: it was."""


class Tally(NamedTuple):
    """How often one part of a decision was done, and how often refused."""

    #: A message id.
    what: str
    done: int
    refused: int


#: Decides on incidents and returns, for each part of the decision, its words and a result for every incident.
Decision = Callable[[Session, Sequence[int], int], list[tuple[str, list[RowResult]]]]


def move_many(
    session: Session, viewer: Viewer, ticket_ids: Sequence[int], to_state: TicketState, *, actor_id: int
) -> list[Outcome]:
    """Take each ticket to *to_state*, if its own state allows it; what is out of scope is not there.

    Raises:
        NoRowsError: if nothing was chosen.
        TooManyRowsError: if there are more than ``ROWS_MAX``.
    """
    ids = _checked(ticket_ids)
    reached = incidents_by_ticket(session, Scope.of(session, viewer), ids)
    references = _references(session, list(reached))
    results = {
        result.subject_id: result for result in move_tickets(session, list(reached), to_state, actor_id=actor_id)
    }
    return [
        Outcome(
            ticket_id,
            references.get(ticket_id),
            None,
            None,
            N_("Done"),
            results[ticket_id].refusal if ticket_id in results else NotFoundError(),
        )
        for ticket_id in ids
    ]


def decide_many(
    session: Session, viewer: Viewer, ticket_ids: Sequence[int], decision: Decision, *, actor_id: int
) -> list[Outcome]:
    """Apply *decision* to the calls of each ticket; a call that two of them report is decided once, told twice.

    Raises:
        NoRowsError: if nothing was chosen.
        TooManyRowsError: if there are more than ``ROWS_MAX``.
    """
    ids = _checked(ticket_ids)
    reached = incidents_by_ticket(session, Scope.of(session, viewer), ids)
    incident_ids = list(dict.fromkeys(incident_id for found in reached.values() for incident_id in found))
    parts = [
        (what, {result.subject_id: result.refusal for result in results})
        for what, results in (decision(session, incident_ids, actor_id) if incident_ids else [])
    ]
    references, callers = _references(session, ids), _callers(session, incident_ids)
    outcomes: list[Outcome] = []
    for ticket_id in ids:
        if ticket_id not in reached:
            outcomes.append(Outcome(ticket_id, None, None, None, N_("Done"), NotFoundError()))
        elif not reached[ticket_id]:
            outcomes.append(Outcome(ticket_id, references[ticket_id], None, None, N_("Done"), NoCallError()))
        else:
            outcomes += [
                Outcome(
                    ticket_id, references[ticket_id], incident_id, callers[incident_id], what, refusals[incident_id]
                )
                for incident_id in reached[ticket_id]
                for what, refusals in parts
            ]
    return outcomes


def tallies(results: Iterable[Told]) -> list[Tally]:
    """Count what became of the rows, each part of the decision by itself, in the order in which they come."""
    counts: dict[str, list[int]] = {}
    for result in results:
        counts.setdefault(result.what, [0, 0])[result.refusal is not None] += 1
    return [Tally(what, done, refused) for what, (done, refused) in counts.items()]


def accept_suggested(session: Session, incident_ids: Sequence[int], actor_id: int) -> list[tuple[str, list[RowResult]]]:
    """Accept what the registers suggest, where they name exactly one party."""
    return [(N_("Suggestion accepted"), accept_suggestions(session, incident_ids, actor_id=actor_id))]


def propose_amounts(session: Session, incident_ids: Sequence[int], actor_id: int) -> list[tuple[str, list[RowResult]]]:
    """Propose what each call costs its party and earns its subscriber.

    Credits come first: they are the loss that stands beside a penalty.
    """
    credits_ = propose_credits(session, incident_ids, actor_id=actor_id)
    penalties = propose_penalties(session, incident_ids, actor_id=actor_id)
    return [(N_("Penalty proposed"), penalties), (N_("Credit proposed"), credits_)]


def finding_decision(proofs: Sequence[Proof]) -> Decision:
    """Return the decision that records *proofs* for every incident."""

    def record(session: Session, incident_ids: Sequence[int], actor_id: int) -> list[tuple[str, list[RowResult]]]:
        results = record_findings_for(session, incident_ids, proofs, actor_id=actor_id)
        return [(N_("Findings recorded"), results)]

    return record


def _checked(ticket_ids: Sequence[int]) -> list[int]:
    ids = list(dict.fromkeys(ticket_ids))
    if not ids:
        raise NoRowsError
    if len(ids) > ROWS_MAX:
        raise TooManyRowsError(limit=ROWS_MAX)
    return ids


def _references(session: Session, ticket_ids: Sequence[int]) -> dict[int, str]:
    query = select(Ticket.id, Ticket.reference).where(Ticket.id.in_(ticket_ids))
    return {row.id: row.reference for row in session.execute(query)}


def _callers(session: Session, incident_ids: Sequence[int]) -> dict[int, str | None]:
    query = select(Incident.id, Incident.caller_number).where(Incident.id.in_(incident_ids))
    return {row.id: row.caller_number for row in session.execute(query)}
