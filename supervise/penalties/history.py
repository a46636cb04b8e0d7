"""What was charged before, as tiers and caps count it."""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, select, tuple_
from sqlalchemy.orm import Session, aliased

from supervise.complaints.models import Incident
from supervise.contracts.models import Contract, RuleVersion
from supervise.penalties.adjustment_models import Adjustment, AdjustmentKind, AdjustmentState
from supervise.penalties.cases import rule_of
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty, PenaltyState
from supervise.penalties.pricing import History, Offence, Rule, Subject, unit_of

#: Amounts that have taken room in a cap: what was approved and later lifted keeps it, what was charged anew does not
#: (docs/rules.md, P-3).
_TAKES_ROOM = tuple(state for state in PenaltyState if state is not PenaltyState.RETURNED)


class PastAmount(NamedTuple):
    """A row that takes room in caps."""

    penalty_id: int
    #: None if it was lifted: then it is no part of what its finding costs now.
    live_finding_id: int | None
    subject: Subject
    incident_id: int
    occurred_on: dt.date
    subscriber_id: int | None
    amount_fen: int
    lifted_fen: int


def load_offences(
    session: Session,
    history: History,
    offences: Iterable[Offence],
    states: Collection[PenaltyState],
    *,
    before: dt.date | None = None,
) -> None:
    """Add to *history* the charged offences, in one of *states*, that tiers of *offences* may count.

    With *before*, only those of earlier days: a simulation makes the others itself.
    """
    tiered = [offence for offence in offences if offence.rule.parameters.tiers is not None]
    wanted = {(offence.subject.contract_id, offence.code) for offence in tiered}
    if not wanted:
        return
    first = min(_window_start(offence) for offence in tiered)
    last = max(offence.occurred_on for offence in tiered) if before is None else before - dt.timedelta(days=1)
    query = (
        select(
            Penalty.contract_id,
            Contract.party_id,
            Penalty.party_id,
            Penalty.offence_code,
            Incident.occurred_at,
            Penalty.incident_id,
        )
        .join(Contract, Contract.id == Penalty.contract_id)
        .join(Incident, Incident.id == Penalty.incident_id)
        .where(
            tuple_(Penalty.contract_id, Penalty.offence_code).in_(wanted),
            Penalty.state.in_(states),
            Penalty.occurred_on >= first,
            Penalty.occurred_on <= last,
        )
    )
    for contract_id, contract_party_id, party_id, code, occurred_at, incident_id in session.execute(query):
        subject = Subject(contract_id, party_id if contract_party_id is None else None)
        history.add_offence(subject, code, occurred_at, incident_id)


def add_past(history: History, past: PastAmount) -> None:
    """Let what was made before take its room in *history*."""
    history.add_amount(
        past.subject,
        past.incident_id,
        past.occurred_on,
        past.amount_fen,
        subscriber_id=past.subscriber_id,
        lifted_fen=past.lifted_fen,
    )


def load_units(session: Session, history: History, offences: Iterable[Offence]) -> None:
    """Add to *history* the units, of those that *offences* are charged by, which a live penalty has charged."""
    by_unit = {unit: offence for offence in offences if (unit := unit_of(offence)) is not None}
    if not by_unit:
        return
    query = (
        select(Penalty.contract_id, Contract.party_id, Penalty.party_id, RuleVersion, Incident)
        .join(Contract, Contract.id == Penalty.contract_id)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .join(Incident, Incident.id == Penalty.incident_id)
        .where(
            tuple_(Penalty.contract_id, Penalty.period).in_(
                {(unit.subject.contract_id, f"{offence.occurred_on:%Y-%m}") for unit, offence in by_unit.items()}
            ),
            RuleVersion.code.in_({unit.rule_code for unit in by_unit}),
            Penalty.state.in_(LIVE_PENALTY_STATES),
        )
        .order_by(Penalty.id)
    )
    rules: dict[int, Rule] = {}
    for contract_id, contract_party_id, party_id, version, incident in session.execute(query):
        rule = rules.get(version.id) or rules.setdefault(version.id, rule_of(version))
        charged = Offence(
            finding_id=0,
            incident_id=incident.id,
            code="",
            occurred_at=incident.occurred_at,
            occurred_on=incident.occurred_on,
            subject=Subject(contract_id, party_id if contract_party_id is None else None),
            rule=rule,
            caller_number=incident.caller_number,
            subscriber_id=incident.number_id,
        )
        unit = unit_of(charged)
        if unit is not None:
            history.units.setdefault(unit, incident.id)


def _window_start(offence: Offence) -> dt.date:
    tiers = offence.rule.parameters.tiers
    days = tiers.days if tiers is not None else None
    return offence.occurred_on.replace(day=1) if days is None else offence.occurred_on - dt.timedelta(days=days)


def replaced() -> ColumnElement[bool]:
    """Return the condition that a penalty was charged anew in the new room of a cap: the new amount stands for it."""
    old = aliased(Penalty)
    anew = exists().where(
        Adjustment.penalty_id == old.id,
        Adjustment.kind == AdjustmentKind.CAP,
        Adjustment.state == AdjustmentState.TAKEN,
        # With all shares of its charge.
        old.finding_id == Penalty.finding_id,
        old.proposed_at == Penalty.proposed_at,
    )
    return and_(Penalty.state.in_((PenaltyState.VOIDED, PenaltyState.REVERSED)), anew)


def past_amounts(session: Session, offences: Iterable[Offence]) -> list[PastAmount]:
    """Return the amounts that have taken room in the caps of *offences*, in the order in which they were made."""
    capped = [offence for offence in offences if offence.rule.parameters.caps]
    months = {(offence.subject.contract_id, f"{offence.occurred_on:%Y-%m}") for offence in capped}
    if not months:
        return []
    query = (
        select(
            Penalty.id,
            Penalty.finding_id,
            Penalty.state,
            Penalty.contract_id,
            Contract.party_id.label("contract_party_id"),
            Penalty.party_id,
            Penalty.incident_id,
            Penalty.occurred_on,
            Incident.number_id,
            Penalty.amount_fen,
            Penalty.lifted_fen,
        )
        .join(Contract, Contract.id == Penalty.contract_id)
        .join(Incident, Incident.id == Penalty.incident_id)
        .where(tuple_(Penalty.contract_id, Penalty.period).in_(months), Penalty.state.in_(_TAKES_ROOM), ~replaced())
        .order_by(Penalty.id)
    )
    return [
        PastAmount(
            row.id,
            row.finding_id if row.state in LIVE_PENALTY_STATES else None,
            Subject(row.contract_id, row.party_id if row.contract_party_id is None else None),
            row.incident_id,
            row.occurred_on,
            row.number_id,
            row.amount_fen,
            row.lifted_fen,
        )
        for row in session.execute(query)
    ]
