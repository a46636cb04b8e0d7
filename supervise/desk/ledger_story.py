"""What stands behind the ledger's opaque numbers: names of dimensions, and the way from an entry back to the ticket."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise.attribution.models import Finding
from supervise.compensation.models import Credit, CreditBatch, CreditBatchLine
from supervise.complaints.models import Incident, OffenceType, Subscriber, SubscriberNumber, Ticket, TicketIncident
from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.ledger.chart import DimensionKind
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.fine_models import FineRecourse, RecourseReceipt, RegulatorFine
from supervise.penalties.models import Objection, Penalty, ReversalRequest
from supervise.penalties.recovery_models import Recovery
from supervise.settlement.models import Settlement, SettlementRun

_KEY = re.compile(r"([a-z_]+):([a-z_]+):(\d{1,18})(?::(\d{1,18}))?", re.ASCII)
_SETTLEMENT_KEY = re.compile(r"settlement:(\d{1,18}):[a-z]+", re.ASCII)


class UnknownDimensionError(InvalidInputError):
    """The text names nothing that this account is split by."""

    message = N_("Nothing here is called “%(text)s”: type a code, an account or a batch number")


class DimensionName(NamedTuple):
    """A dimension for people: its code or number, and its name, or the mask of the subscriber's number."""

    code: str
    name: str


def dimension_names(
    session: Session, dimensions: Iterable[tuple[DimensionKind, int | None]]
) -> dict[tuple[DimensionKind, int], DimensionName]:
    """Return the name of each dimension, with one query for each kind there is."""
    ids: dict[DimensionKind, set[int]] = defaultdict(set)
    for kind, dimension_id in dimensions:
        if dimension_id is not None:
            ids[kind].add(dimension_id)
    return {
        (kind, dimension_id): DimensionName(code, name)
        for kind, wanted in ids.items()
        for dimension_id, code, name in session.execute(_names(kind).where(_key(kind).in_(wanted)))
    }


def dimension_called(session: Session, kind: DimensionKind, text: str) -> int:
    """Return the dimension whose code, account or number is *text*; of an account's holders the present one.

    Raises:
        UnknownDimensionError: if there is none.
    """
    words = text.strip()
    codes = {
        DimensionKind.PARTY: Party.code,
        DimensionKind.UNIT: OrgUnit.code,
        DimensionKind.BATCH: CreditBatch.number,
        DimensionKind.SUBSCRIBER: Subscriber.account_ref,
    }
    if kind is DimensionKind.NONE:
        raise UnknownDimensionError(text=words)
    found = session.scalar(select(func.max(_key(kind))).where(codes[kind] == words))
    if found is None:
        raise UnknownDimensionError(text=words)
    return found


def _key(kind: DimensionKind) -> InstrumentedAttribute[int]:
    keys: Mapping[DimensionKind, InstrumentedAttribute[int]] = {
        DimensionKind.PARTY: Party.id,
        DimensionKind.UNIT: OrgUnit.id,
        DimensionKind.BATCH: CreditBatch.id,
        DimensionKind.SUBSCRIBER: Subscriber.id,
    }
    return keys[kind]


def _names(kind: DimensionKind) -> Select[int, str, str]:
    if kind is DimensionKind.PARTY:
        return select(Party.id, Party.code, Party.name)
    if kind is DimensionKind.UNIT:
        return select(OrgUnit.id, OrgUnit.code, OrgUnit.name)
    if kind is DimensionKind.BATCH:
        return select(CreditBatch.id, CreditBatch.number, CreditBatch.period)
    return select(Subscriber.id, Subscriber.account_ref, SubscriberNumber.number_mask).join(
        SubscriberNumber, SubscriberNumber.id == Subscriber.number_id
    )


class PenaltyLink(NamedTuple):
    """The penalty that an entry is about, and what was found."""

    id: int
    reference: str
    offence: OffenceType
    finding_id: int


class CreditLink(NamedTuple):
    """The credit that an entry is about."""

    id: int
    reference: str
    subscriber_id: int


class EntryStory(NamedTuple):
    """From an entry back to where it came from; what does not apply is None or empty."""

    penalty: PenaltyLink | None
    credit: CreditLink | None
    #: (id, number)
    batch: tuple[int, str] | None
    incident: Incident | None
    #: (id, reference) of the tickets that report the call, or on which a lump sum was promised.
    tickets: Sequence[tuple[int, str]]
    #: Number of the recovery of a credit.
    recovery: str | None = None
    #: Number of the recourse line, and (id, number) of the fine that it claims back.
    recourse: str | None = None
    fine: tuple[int, str] | None = None
    #: (id, number of its run); its notice names every debt that it paid.
    settlement: tuple[int, str] | None = None


_NOTHING = EntryStory(None, None, None, None, ())


def entry_story(session: Session, key: str) -> EntryStory:
    """Return what the entry with this idempotency *key* is about; nothing for a key of no known form.

    For a reversal give the key of the original.
    """
    if settled := _SETTLEMENT_KEY.fullmatch(key):
        return _story_of_settlement(session, int(settled[1]))
    match = _KEY.fullmatch(key)
    if match is None:
        return _NOTHING
    family, event = match[1], match[2]
    first, second = int(match[3]), int(match[4]) if match[4] else None
    if family == "credit":
        credit_id, batch_id = _credit_and_batch(session, event, first, second)
        return _story_of_credit(session, credit_id, batch_id)
    if family == "recovery":
        return _story_of_recovery(session, first)
    if family == "recourse":
        return _story_of_recourse(session, _recourse_id(session, event, first))
    return _story_of_penalty(session, _penalty_id(session, family, first))


def _credit_and_batch(session: Session, event: str, first: int, second: int | None) -> tuple[int | None, int | None]:
    if second is not None:  # credit:sent:<batch>:<credit>, credit:void:<batch>:<credit>
        return second, first
    if event in {"accepted", "rejected"}:
        row = session.execute(
            select(CreditBatchLine.credit_id, CreditBatchLine.batch_id).where(CreditBatchLine.id == first)
        ).one_or_none()
        return (row.credit_id, row.batch_id) if row else (None, None)
    return first, None


def _penalty_id(session: Session, family: str, row_id: int) -> int | None:
    if family == "penalty":
        return row_id
    if family == "objection":
        return session.scalar(select(Objection.penalty_id).where(Objection.id == row_id))
    if family == "reversal":
        return session.scalar(select(ReversalRequest.penalty_id).where(ReversalRequest.id == row_id))
    return None


def _story_of_credit(session: Session, credit_id: int | None, batch_id: int | None) -> EntryStory:
    credit = session.get(Credit, credit_id) if credit_id is not None else None
    batch = session.get(CreditBatch, batch_id) if batch_id is not None else None
    if credit is None:
        return _NOTHING
    return EntryStory(
        penalty=None,
        credit=CreditLink(credit.id, credit.reference, credit.subscriber_id),
        batch=(batch.id, batch.number) if batch else None,
        incident=session.get(Incident, credit.incident_id) if credit.incident_id else None,
        tickets=_tickets(session, credit.incident_id, credit.ticket_id),
    )


def _story_of_penalty(session: Session, penalty_id: int | None) -> EntryStory:
    row = session.execute(
        select(Penalty.id, Penalty.reference, OffenceType, Finding.id, Penalty.incident_id)
        .join(Finding, Finding.id == Penalty.finding_id)
        .join(OffenceType, OffenceType.id == Finding.offence_type_id)
        .where(Penalty.id == penalty_id)
    ).one_or_none()
    if row is None:
        return _NOTHING
    *link, incident_id = row
    return EntryStory(
        penalty=PenaltyLink._make(link),
        credit=None,
        batch=None,
        incident=session.get(Incident, incident_id),
        tickets=_tickets(session, incident_id, None),
    )


def _story_of_recovery(session: Session, recovery_id: int) -> EntryStory:
    recovery = session.get(Recovery, recovery_id)
    if recovery is None:
        return _NOTHING
    return _story_of_credit(session, recovery.credit_id, None)._replace(recovery=recovery.reference)


def _recourse_id(session: Session, event: str, row_id: int) -> int | None:
    if event == "received":
        return session.scalar(select(RecourseReceipt.recourse_id).where(RecourseReceipt.id == row_id))
    return row_id


def _story_of_recourse(session: Session, recourse_id: int | None) -> EntryStory:
    row = session.execute(
        select(FineRecourse.reference, RegulatorFine.id, RegulatorFine.reference)
        .join(RegulatorFine, RegulatorFine.id == FineRecourse.fine_id)
        .where(FineRecourse.id == recourse_id)
    ).one_or_none()
    return _NOTHING if row is None else _NOTHING._replace(recourse=row[0], fine=(row[1], row[2]))


def _story_of_settlement(session: Session, settlement_id: int) -> EntryStory:
    number = session.scalar(
        select(SettlementRun.number)
        .join(Settlement, Settlement.run_id == SettlementRun.id)
        .where(Settlement.id == settlement_id)
    )
    return _NOTHING if number is None else _NOTHING._replace(settlement=(settlement_id, number))


def _tickets(session: Session, incident_id: int | None, ticket_id: int | None) -> list[tuple[int, str]]:
    reporting = select(TicketIncident.ticket_id).where(TicketIncident.incident_id == incident_id)
    wanted = Ticket.id.in_(reporting) if incident_id is not None else Ticket.id == ticket_id
    query = select(Ticket.id, Ticket.reference).where(wanted).order_by(Ticket.id)
    return [(row.id, row.reference) for row in session.execute(query)]


def facts_in_words(session: Session, keys: Collection[str]) -> dict[str, str]:
    """Return the reference of what stands behind each key; keys of no known form are left out.

    Statements name their lines by it. One query for each kind of fact.
    """
    of_line = (
        select(CreditBatchLine.id, Credit.reference)
        .join(Credit, Credit.id == CreditBatchLine.credit_id)
        .order_by(CreditBatchLine.id)
    )
    of_receipt = select(RecourseReceipt.id, FineRecourse.reference).join(
        FineRecourse, FineRecourse.id == RecourseReceipt.recourse_id
    )
    of_settlement = select(Settlement.id, SettlementRun.number.label("reference")).join(
        SettlementRun, SettlementRun.id == Settlement.run_id
    )
    sources: dict[str, tuple[Select[int, str], InstrumentedAttribute[int]]] = {
        "credit": (select(Credit.id, Credit.reference), Credit.id),
        "line": (of_line, CreditBatchLine.id),
        "penalty": (select(Penalty.id, Penalty.reference), Penalty.id),
        "recovery": (select(Recovery.id, Recovery.reference), Recovery.id),
        "recourse": (select(FineRecourse.id, FineRecourse.reference), FineRecourse.id),
        "receipt": (of_receipt, RecourseReceipt.id),
        "settlement": (of_settlement, Settlement.id),
    }
    wanted = {key: subject for key in keys if (subject := _subject_of(key)) is not None}
    found: dict[tuple[str, int], str] = {}
    for source, (query, column) in sources.items():
        ids = {row_id for name, row_id in wanted.values() if name == source}
        if ids:
            found |= {(source, row.id): row.reference for row in session.execute(query.where(column.in_(ids)))}
    return {key: found[subject] for key, subject in wanted.items() if subject in found}


def _subject_of(key: str) -> tuple[str, int] | None:
    if settled := _SETTLEMENT_KEY.fullmatch(key):
        return "settlement", int(settled[1])
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    family, event, first, second = match[1], match[2], int(match[3]), match[4]
    if family == "credit":
        return ("line", first) if event in {"accepted", "rejected"} else (family, int(second or first))
    if (family, event) == ("recourse", "received"):
        return "receipt", first
    return (family, first) if family in {"penalty", "recovery", "recourse"} else None
