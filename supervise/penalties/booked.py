"""A month of the books, penalty by penalty: what was charged in it, and what changed of earlier and later ones.

The month is that of the ledger, not that of the call: what a closed month holds never changes.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import slices
from supervise.complaints.models import Incident, Precision, Ticket, TicketIncident
from supervise.contracts.models import Contract, RuleVersion
from supervise.ledger.chart import AccountCode
from supervise.ledger.movements import Movement, balances_before, movements, periods_of_keys
from supervise.parties.models import OrgUnit, Party
from supervise.penalties.models import Objection, ObjectionState, Penalty, PenaltyFamily
from supervise.penalties.queries import LISTED_STATES
from supervise.penalties.statement import ACCOUNTS, KIND_OF_EVENT, StatementKind, grouped, penalty_id_of

#: Penalties in memory at once, with all that is told of each.
_AT_ONCE = 1_000
_ALL_ACCOUNTS = tuple(account for accounts in ACCOUNTS.values() for account in accounts)


class ChargedPenalty(NamedTuple):
    """A penalty that was charged in the month, as it stands now."""

    penalty: Penalty
    party: str
    unit: str | None
    contract: str
    rule: str
    occurred_at: dt.datetime
    precision: Precision
    #: What became of the objection, if there was one that was not withdrawn.
    objection: ObjectionState | None
    #: The month in which it became final; None while it can be objected to, or was lifted wholly.
    final_period: str | None
    tickets: str


class Change(NamedTuple):
    """What happened in the month to a penalty that was charged then or before; amounts in fen."""

    on: dt.date
    kind: StatementKind
    family: PenaltyFamily
    reference: str
    party: str
    charged_fen: int
    contestable_fen: int
    final_fen: int
    reason: str | None


class AccountControl(NamedTuple):
    """What one account held and holds: opening + charged + changes must be what the ledger says."""

    account: AccountCode
    opening_fen: int
    charged_fen: int
    changed_fen: int
    ledger_closing_fen: int

    @property
    def closing_fen(self) -> int:
        """What the rows of the month lead to."""
        return self.opening_fen + self.charged_fen + self.changed_fen

    @property
    def is_equal(self) -> bool:
        """Say whether the rows add up to the ledger."""
        return self.closing_fen == self.ledger_closing_fen


@dataclass(frozen=True)
class BookedMonth:
    """Everything that a month of the books says about penalties."""

    month: str
    charged: tuple[ChargedPenalty, ...]
    changes: tuple[Change, ...]
    controls: tuple[AccountControl, ...]


def booked_month(session: Session, month: str) -> BookedMonth:
    """Return what was booked in *month* (``2026-11``): charged penalties by number, changes in the order of posting."""
    moved = list(movements(session, _ALL_ACCOUNTS, first_month=month, last_month=month))
    charges = [one for one in moved if KIND_OF_EVENT.get(one.event) is StatementKind.APPROVED]
    others = [one for one in moved if KIND_OF_EVENT.get(one.event) is not StatementKind.APPROVED]
    charged_ids = {penalty_id for one in charges if (penalty_id := penalty_id_of(one)) is not None}
    charged_ids |= _charged_nothing(session, month)
    charged = tuple(_charged(session, charged_ids))
    changes = tuple(_changes(session, others))
    return BookedMonth(month, charged, changes, tuple(_controls(session, month, charged, changes)))


def _charged_nothing(session: Session, month: str) -> set[int]:
    """Return the penalties that a cap took away wholly: approved in the month, but nothing was posted."""
    first, next_first = clock.month_bounds(month)
    query = select(Penalty.id).where(
        Penalty.amount_fen == 0,
        Penalty.state.in_(LISTED_STATES),
        Penalty.approved_at >= clock.start_of_day(first),
        Penalty.approved_at < clock.start_of_day(next_first),
    )
    return set(session.scalars(query))


def _charged(session: Session, penalty_ids: Collection[int]) -> Iterator[ChargedPenalty]:
    for ids in slices(sorted(penalty_ids), _AT_ONCE):
        objections = _objections(session, ids)
        final_periods = _final_periods(session, ids)
        query = (
            select(
                Penalty,
                Party.name,
                OrgUnit.name,
                Contract.number,
                RuleVersion.code,
                RuleVersion.number,
                Incident.occurred_at,
                Incident.precision,
            )
            .join(Party, Party.id == Penalty.party_id)
            .join(OrgUnit, OrgUnit.id == Penalty.unit_id, isouter=True)
            .join(Contract, Contract.id == Penalty.contract_id)
            .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
            .join(Incident, Incident.id == Penalty.incident_id)
            .where(Penalty.id.in_(ids))
            .order_by(Penalty.id)
        )
        rows = session.execute(query).all()
        tickets = _tickets(session, {row[0].incident_id for row in rows})
        for penalty, party, unit, contract, code, number, occurred_at, precision in rows:
            yield ChargedPenalty(
                penalty,
                party,
                unit,
                contract,
                f"{code} v{number}",
                occurred_at,
                precision,
                objections.get(penalty.id),
                final_periods.get(penalty.id),
                " ".join(tickets.get(penalty.incident_id, [])),
            )


def _objections(session: Session, penalty_ids: Sequence[int]) -> dict[int, ObjectionState]:
    query = (
        select(Objection.penalty_id, Objection.state)
        .where(Objection.penalty_id.in_(penalty_ids), Objection.state != ObjectionState.WITHDRAWN)
        .order_by(Objection.id)
    )
    return {row.penalty_id: row.state for row in session.execute(query)}


def _final_periods(session: Session, penalty_ids: Sequence[int]) -> dict[int, str]:
    keys = {f"penalty:final:{penalty_id}": penalty_id for penalty_id in penalty_ids}
    return {keys[key]: period for key, period in periods_of_keys(session, list(keys)).items()}


def _tickets(session: Session, incident_ids: Collection[int]) -> dict[int, list[str]]:
    query = (
        select(TicketIncident.incident_id, Ticket.reference)
        .join(Ticket, Ticket.id == TicketIncident.ticket_id)
        .where(TicketIncident.incident_id.in_(incident_ids))
        .order_by(TicketIncident.incident_id, Ticket.id)
    )
    found: dict[int, list[str]] = {}
    for incident_id, reference in session.execute(query):
        found.setdefault(incident_id, []).append(reference)
    return found


class _Named(NamedTuple):
    reference: str
    party: str
    amount_fen: int


def _changes(session: Session, moved: Sequence[Movement]) -> Iterator[Change]:
    groups = grouped(moved)
    named = _named(session, {penalty_id for one in moved if (penalty_id := penalty_id_of(one)) is not None})
    for group in groups:
        first = group[0]
        family = next(family for family, accounts in ACCOUNTS.items() if first.account in accounts)
        contestable, final = ACCOUNTS[family]
        penalty = named.get(penalty_id_of(first) or 0, _Named("", "", 0))
        yield Change(
            first.effective_on,
            KIND_OF_EVENT.get(first.event, StatementKind.OTHER),
            family,
            penalty.reference,
            penalty.party,
            penalty.amount_fen,
            sum(one.amount_fen for one in group if one.account is contestable),
            sum(one.amount_fen for one in group if one.account is final),
            first.reason if KIND_OF_EVENT.get(first.event) is not StatementKind.FINAL else None,
        )


def _named(session: Session, penalty_ids: Collection[int]) -> dict[int, _Named]:
    found: dict[int, _Named] = {}
    for ids in slices(sorted(penalty_ids), _AT_ONCE):
        query = select(Penalty.id, Penalty.reference, Party.name, Penalty.amount_fen).join(
            Party, Party.id == Penalty.party_id
        )
        for penalty_id, reference, party, amount_fen in session.execute(query.where(Penalty.id.in_(ids))):
            found[penalty_id] = _Named(reference, party, amount_fen)
    return found


def _controls(
    session: Session, month: str, charged: Sequence[ChargedPenalty], changes: Sequence[Change]
) -> Iterator[AccountControl]:
    """Add up the rows that are shown, and set beside them what the ledger says by itself."""
    opening = balances_before(session, _ALL_ACCOUNTS, month)
    closing = balances_before(session, _ALL_ACCOUNTS, clock.next_month(month))
    for family, (contestable, final) in ACCOUNTS.items():
        charged_fen = sum(row.penalty.amount_fen for row in charged if row.penalty.family is family)
        of_family = [change for change in changes if change.family is family]
        changed_fen = sum(change.contestable_fen for change in of_family)
        yield AccountControl(contestable, opening[contestable], charged_fen, changed_fen, closing[contestable])
        changed_fen = sum(change.final_fen for change in of_family)
        yield AccountControl(final, opening[final], 0, changed_fen, closing[final])
