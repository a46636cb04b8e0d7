"""The page of one penalty: what it rests on, how it came about, what happened to it, where it stands in the books."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from supervise.access.queries import display_names
from supervise.attribution.checklists import Answer, answers_of
from supervise.attribution.models import Attribution, Finding
from supervise.complaints.models import Incident, OffenceType, SubscriberNumber, Ticket, TicketIncident
from supervise.complaints.offences import offence_type_by_id
from supervise.contracts.models import Contract, RuleVersion
from supervise.contracts.terms import ContractTermsAt
from supervise.files.models import Attachment
from supervise.ledger.movements import debits_of, entries_of_facts
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.acceptance import acceptances
from supervise.penalties.admission import admissions_of
from supervise.penalties.exchange import files_of, statements_of
from supervise.penalties.fine_models import FineRecourse, RecourseState
from supervise.penalties.models import Objection, Penalty, PenaltyStep, ReversalRequest
from supervise.penalties.notice_models import Notice, ObjectionAdmission, ObjectionStatement
from supervise.penalties.notice_queries import notice_of_penalty, terms_of_penalty
from supervise.penalties.queries import (
    LISTED_STATES,
    objections_of_penalty,
    penalty_in_scope,
    reversals_of_penalty,
    steps_of_penalty,
)


class BookEntry(NamedTuple):
    """A journal entry that this penalty caused."""

    id: int
    event: str
    effective_on: dt.date
    period: str
    amount_fen: int
    is_reversal: bool


@dataclass(frozen=True)
class PenaltyStory:
    """Everything that the page of a penalty shows."""

    penalty: Penalty
    party: Party
    unit: OrgUnit | None
    contract: Contract
    rule: RuleVersion
    finding: Finding
    #: How the finding answered the checklist of its offence type.
    answers: tuple[Answer, ...]
    attribution: Attribution
    offence: OffenceType
    incident: Incident
    number_mask: str | None
    #: (id, reference) of the tickets that report the call.
    tickets: Sequence[tuple[int, str]]
    entries: Sequence[BookEntry]
    steps: Sequence[PenaltyStep]
    objections: Sequence[Objection]
    #: By the objection's id: what was said after it was filed, its files, whether a late one was admitted.
    statements: Mapping[int, Sequence[ObjectionStatement]]
    files: Mapping[int, Sequence[Attachment]]
    admissions: Mapping[int, ObjectionAdmission]
    #: The notice that tells of it; None for one that is not approved, or from before notices.
    notice: Notice | None
    #: For an objection: as amended by the day that counts.
    terms: ContractTermsAt
    is_accepted: bool
    reversals: Sequence[ReversalRequest]
    people: dict[int, str]

    @property
    def owed_fen(self) -> int:
        """What objections and reversals have left."""
        return self.penalty.amount_fen - self.penalty.lifted_fen


def penalty_story(session: Session, scope: Scope, penalty_id: int, *, listed_only: bool) -> PenaltyStory:
    """Return the story of a penalty.

    Raises:
        NotFoundError: if it does not exist, is not in *scope*, or is not listed to the charged party yet.
    """
    penalty = penalty_in_scope(session, scope, penalty_id, listed_only=listed_only)
    finding = session.get_one(Finding, penalty.finding_id)
    incident, notice = session.get_one(Incident, penalty.incident_id), notice_of_penalty(session, penalty_id)
    mask = select(SubscriberNumber.number_mask).where(SubscriberNumber.id == incident.number_id)
    steps, objections = steps_of_penalty(session, penalty_id), objections_of_penalty(session, penalty_id)
    reversals = reversals_of_penalty(session, penalty_id)
    objection_ids = [one.id for one in objections]
    statements, admissions = statements_of(session, objection_ids), admissions_of(session, objection_ids)
    actors: list[int | None] = [penalty.maker_id, penalty.approver_id, finding.found_by]
    actors += [step.actor_id for step in steps]
    actors += [person for one in objections for person in (one.filed_by, one.decided_by)]
    actors += [person for one in reversals for person in (one.proposed_by, one.approved_by)]
    actors += [one.made_by for said in statements.values() for one in said]
    actors += [one.decided_by for one in admissions.values()]
    return PenaltyStory(
        penalty=penalty,
        party=session.get_one(Party, penalty.party_id),
        unit=session.get(OrgUnit, penalty.unit_id) if penalty.unit_id is not None else None,
        contract=session.get_one(Contract, penalty.contract_id),
        rule=session.get_one(RuleVersion, penalty.rule_version_id),
        finding=finding,
        answers=answers_of(session, [(finding, incident.occurred_on)])[finding.id],
        attribution=session.get_one(Attribution, finding.attribution_id),
        offence=offence_type_by_id(session, finding.offence_type_id),
        incident=incident,
        number_mask=session.scalar(mask),
        tickets=_tickets(session, incident.id),
        entries=_entries(session, penalty_id),
        steps=steps,
        objections=objections,
        statements=statements,
        files=files_of(session, objection_ids),
        admissions=admissions,
        notice=notice,
        terms=terms_of_penalty(session, penalty, notice),
        is_accepted=bool(acceptances(session, [penalty_id])),
        reversals=reversals,
        people=display_names(session, actors),
    )


def _tickets(session: Session, incident_id: int) -> list[tuple[int, str]]:
    query = (
        select(Ticket.id, Ticket.reference)
        .join(TicketIncident, TicketIncident.ticket_id == Ticket.id)
        .where(TicketIncident.incident_id == incident_id)
        .order_by(Ticket.id)
    )
    return [(row.id, row.reference) for row in session.execute(query)]


def _entries(session: Session, penalty_id: int) -> list[BookEntry]:
    heads = entries_of_facts(session, [f"penalty:approved:{penalty_id}", f"penalty:final:{penalty_id}"])
    debits = debits_of(session, [head.id for head in heads])
    return [
        BookEntry(
            head.id, head.event, head.effective_on, head.period, debits.get(head.id, 0), head.reverses_id is not None
        )
        for head in heads
    ]


class Choice(NamedTuple):
    """A party or a unit that a list can be narrowed to."""

    id: int
    name: str


def charged_parties(session: Session, scope: Scope, *, listed_only: bool) -> list[Choice]:
    """Return the parties that penalties in *scope* charge, by name."""
    of_party = select(Penalty.id).where(Penalty.party_id == Party.id)
    if listed_only:
        of_party = of_party.where(Penalty.state.in_(LISTED_STATES))
    of_party = scope.limit(of_party, unit=Penalty.unit_id, party=Penalty.party_id)
    rows = session.execute(select(Party.id, Party.name).where(exists(of_party)).order_by(Party.name, Party.id))
    return [Choice(*row) for row in rows]


def parties_with_account(session: Session, scope: Scope, *, listed_only: bool) -> list[Choice]:
    """Return the parties in *scope* that were charged, or that a regulator's fine is claimed back from, by name."""
    claims = select(Party.id, Party.name).join(FineRecourse, FineRecourse.party_id == Party.id)
    claims = claims.where(FineRecourse.state.in_((RecourseState.APPROVED, RecourseState.REVERSED)))
    claims = scope.limit(claims, unit=FineRecourse.unit_id, party=FineRecourse.party_id)
    claimed = {Choice(*row) for row in session.execute(claims)}
    charged = charged_parties(session, scope, listed_only=listed_only)
    return sorted(claimed | set(charged), key=lambda choice: (choice.name, choice.id))


def charged_units(session: Session, scope: Scope, *, listed_only: bool) -> list[Choice]:
    """Return the branches of penalties in *scope*, by name."""
    of_unit = select(Penalty.id).where(Penalty.unit_id == OrgUnit.id)
    if listed_only:
        of_unit = of_unit.where(Penalty.state.in_(LISTED_STATES))
    of_unit = scope.limit(of_unit, unit=Penalty.unit_id, party=Penalty.party_id)
    rows = session.execute(select(OrgUnit.id, OrgUnit.name).where(exists(of_unit)).order_by(OrgUnit.name, OrgUnit.id))
    return [Choice(*row) for row in rows]


def first_penalty_month(session: Session, scope: Scope) -> str | None:
    """Return the month of the earliest call that was charged in *scope*; None if there is none."""
    query = scope.limit(select(func.min(Penalty.period)), unit=Penalty.unit_id, party=Penalty.party_id)
    return session.scalar(query)
