"""What is said of incidents: claims, signatures, answers. Grounds of grade C, by our own registers and inquiries."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import ColumnElement, Subquery, func, select, union
from sqlalchemy.orm import Session

from supervise.attribution.grades import GroundKind
from supervise.attribution.inquiry_models import DENIALS, AnswerKind, Inquiry
from supervise.attribution.inquiry_queries import AnswerGiven, answers_for
from supervise.bulk import among, slices
from supervise.complaints.link import merged_into
from supervise.complaints.models import Ticket, TicketIncident
from supervise.parties.models import Party, PartyAlias


class Said(NamedTuple):
    """That a party is named, by whom or what *ground* says."""

    incident_id: int
    ground: GroundKind
    party_id: int


class Denied(NamedTuple):
    """That a party says it was not its own doing."""

    incident_id: int
    party_id: int


_BRACKETS = "【】[] "
_SURVIVOR: ColumnElement[int] = func.coalesce(Party.merged_into_id, Party.id)
_IS_ONE = func.count(_SURVIVOR.distinct()) == 1


def _names() -> Subquery:
    """Return every name and alias, with the id of its party."""
    return union(select(Party.name, Party.id), select(PartyAlias.name, PartyAlias.party_id)).subquery()


def claims(session: Session, incident_ids: Collection[int]) -> Iterator[Said]:
    """Yield the party that each caller claimed to be, if exactly one is registered under that name or alias."""
    names = _names()
    query = (
        select(TicketIncident.incident_id, func.min(_SURVIVOR))
        .join(Ticket, Ticket.id == TicketIncident.ticket_id)
        .join(names, names.c.name == Ticket.claimed_party)
        .join(Party, Party.id == names.c.id)
        .where(among(session, TicketIncident.incident_id, incident_ids))
        .group_by(TicketIncident.incident_id, Ticket.claimed_party)
        .having(_IS_ONE)
    )
    for incident_id, party_id in session.execute(query):
        yield Said(incident_id, GroundKind.CLAIM, party_id)


def signatures(session: Session, messages: pa.Table) -> Iterator[Said]:
    """Yield the party with whose name a message was signed, if exactly one is registered under that name or alias.

    *messages* are records that fit incidents (``FITTING_MESSAGES``). Anybody can sign as anybody: it is a claim.
    """
    pairs = messages.select(["incident_id", "signature"]).group_by(["incident_id", "signature"]).aggregate([])
    signed = [(row["incident_id"], row["signature"].strip(_BRACKETS)) for row in pairs.to_pylist() if row["signature"]]
    names = _names()
    registered: dict[str, int] = {}
    for some in slices({name for _id, name in signed}):
        query = (
            select(names.c.name, func.min(_SURVIVOR))
            .join(Party, Party.id == names.c.id)
            .where(names.c.name.in_(some))
            .group_by(names.c.name)
            .having(_IS_ONE)
        )
        registered |= dict(iter(session.execute(query)))
    for incident_id, name in signed:
        if name in registered:
            yield Said(incident_id, GroundKind.SIGNATURE, registered[name])


def answers(session: Session, incident_ids: Collection[int]) -> tuple[list[Said], list[Denied]]:
    """Return whom the answers to inquiries name, and who denies."""
    lives = merged_into(session, incident_ids)
    of_either = {*incident_ids, *lives}
    asked = session.scalars(select(Inquiry.incident_id).where(among(session, Inquiry.incident_id, of_either)))
    said: list[Said] = []
    denied: list[Denied] = []
    for incident_id, given in answers_for(session, {lives.get(one, one) for one in asked}).items():
        for answer in given:
            said += (Said(incident_id, ground, party_id) for ground, party_id in _named_by(answer))
            if answer.kind in DENIALS:
                denied.append(Denied(incident_id, answer.party_id))
    return said, denied


def _named_by(answer: AnswerGiven) -> Iterator[tuple[GroundKind, int]]:
    if answer.deemed:
        yield GroundKind.ANSWER_SILENT, answer.party_id
    elif answer.kind is AnswerKind.OURS:
        yield GroundKind.ANSWER_OURS, answer.party_id
    elif answer.named_party_id is not None:
        yield GroundKind.ANSWER_NAMED, answer.named_party_id
