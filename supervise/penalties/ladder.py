"""The ladder of sanctions: which steps are reached, and what they propose; a person approves it (domain F48).

Source: docs/rules.md, rules S-3 and S-4. Nothing here has effect before its approval.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_events
from supervise.db import take_turn
from supervise.parties.models import Party
from supervise.parties.periods import holds_at
from supervise.parties.sanction_models import Sanction, SanctionKind, SanctionRule, SanctionState, SanctionTrigger
from supervise.penalties.points import points_taken, start_on
from supervise.penalties.score_models import PointsEntry, PointsReason

#: Whoever proposes sanctions waits for the one before (``db.take_turn``).
SANCTIONS = "sanctions"
_IN_EFFECT = (SanctionState.APPROVED, SanctionState.EXTENDED)


class Met(NamedTuple):
    """A step that a party has reached, by what, and what was counted."""

    party_id: int
    rule: SanctionRule
    #: Names what reached it: a step proposes once for each.
    cause: str
    facts: Mapping[str, Any]


class LateCall(NamedTuple):
    """A call to top a deposit up whose day has passed, in fen."""

    call_id: int
    amount_fen: int
    due_on: dt.date


def propose_sanctions(session: Session, on: dt.date) -> list[Sanction]:
    """Propose what the ladder of China day *on* says of points and warnings, and return the new proposals.

    Twice proposes nothing twice. What waits already is not proposed beside it: once that is decided, a deeper step
    that was reached meanwhile is proposed by the next run.
    """
    take_turn(session, SANCTIONS)
    rules = rules_on(session, on)
    met = [*_by_points(session, rules, on), *_by_warnings(session, rules, on)]
    return _propose(session, met, on)


def propose_for_late_top_up(session: Session, late: Mapping[int, LateCall], on: dt.date) -> list[Sanction]:
    """Propose what the ladder says of parties that did not top up their deposit in time, once for each call."""
    take_turn(session, SANCTIONS)
    rules = [rule for rule in rules_on(session, on) if rule.trigger_kind is SanctionTrigger.LATE_TOP_UP]
    met = [
        Met(
            party_id,
            rule,
            f"top_up:{call.call_id}",
            {"top_up_fen": call.amount_fen, "top_up_by": call.due_on.isoformat()},
        )
        for party_id, call in sorted(late.items())
        for rule in rules
    ]
    return _propose(session, met, on)


def rules_on(session: Session, on: dt.date) -> Sequence[SanctionRule]:
    """Return the steps of the ladder in force on the China day."""
    query = select(SanctionRule).where(holds_at(SanctionRule.valid_from, SanctionRule.valid_to, on))
    return session.scalars(query.order_by(SanctionRule.id)).all()


def _by_points(session: Session, rules: Iterable[SanctionRule], on: dt.date) -> list[Met]:
    """Return the deepest step that each party's last deduction has reached: all sanctions of that step."""
    steps = [rule for rule in rules if rule.trigger_kind is SanctionTrigger.POINTS_LEFT]
    start = start_on(session, on)
    if start is None or not steps:
        return []
    taken = points_taken(session, on)
    newest = _newest_deductions(session, on)
    met = []
    for party_id, entry in newest.items():
        left = max(0, start.points - taken.get(party_id, 0))
        reached = [
            rule
            for rule in steps
            # A step that came into force later does not look back.
            if rule.points_left is not None and left <= rule.points_left and rule.valid_from <= entry.on_day
        ]
        deepest = min((rule.points_left or 0 for rule in reached), default=0)
        facts = {"points_left": left, "points_start": start.points, "points_entry_id": entry.id}
        cause = f"points:{entry.id}"
        met += [Met(party_id, rule, cause, facts) for rule in reached if rule.points_left == deepest]
    return met


class _Deduction(NamedTuple):
    id: int
    on_day: dt.date


def _newest_deductions(session: Session, on: dt.date) -> dict[int, _Deduction]:
    """Return the last entry that took points, still counts and was not given back, by party."""
    returned = select(PointsEntry.penalty_id).where(PointsEntry.reason == PointsReason.RETURNED)
    query = (
        select(func.coalesce(Party.merged_into_id, Party.id), PointsEntry.id, PointsEntry.on_day)
        .join(Party, Party.id == PointsEntry.party_id)
        .where(
            PointsEntry.reason == PointsReason.TAKEN,
            PointsEntry.expires_on > on,
            PointsEntry.on_day <= on,
            PointsEntry.penalty_id.not_in(returned),
        )
        .order_by(PointsEntry.id)
    )
    return {party_id: _Deduction(entry_id, on_day) for party_id, entry_id, on_day in session.execute(query)}


def _by_warnings(session: Session, rules: Iterable[SanctionRule], on: dt.date) -> list[Met]:
    steps = [rule for rule in rules if rule.warnings is not None]
    if not steps:
        return []
    given = _warnings(session, on)
    counted = _counted_before(session)
    met = []
    for party_id, warnings in given.items():
        for rule in steps:
            after = counted.get((party_id, rule.id), 0)
            found = _counted(rule, [one for one in warnings if one[0] > after and one[1] >= rule.valid_from], on)
            if len(found) >= (rule.warnings or 0):
                met.append(Met(party_id, rule, f"warnings:{found[-1]}", {"warning_ids": found}))
    return met


def _warnings(session: Session, on: dt.date) -> dict[int, list[tuple[int, dt.date]]]:
    """Return the warnings (id, first day) that were given by *on* and not lifted, by party, in order."""
    survivor = func.coalesce(Party.merged_into_id, Party.id)
    query = (
        select(survivor, Sanction.id, Sanction.from_on)
        .join(Party, Party.id == Sanction.party_id)
        .where(Sanction.kind == SanctionKind.WARNING, Sanction.state.in_(_IN_EFFECT), Sanction.from_on <= on)
        .order_by(Sanction.from_on, Sanction.id)
    )
    found: dict[int, list[tuple[int, dt.date]]] = {}
    for party_id, sanction_id, from_on in session.execute(query):
        found.setdefault(party_id, []).append((sanction_id, from_on))
    return found


def _counted_before(session: Session) -> dict[tuple[int | None, int | None], int]:
    """Return the last warning that a step has counted, by party and step: it does not count for that step again."""
    query = select(Sanction.party_id, Sanction.rule_id, Sanction.cause).where(Sanction.cause.startswith("warnings:"))
    found: dict[tuple[int | None, int | None], int] = {}
    for party_id, rule_id, cause in session.execute(query):
        key, last = (party_id, rule_id), int((cause or "").partition(":")[2])
        found[key] = max(last, found.get(key, 0))
    return found


def _counted(rule: SanctionRule, warnings: Sequence[tuple[int, dt.date]], on: dt.date) -> list[int]:
    """Return the warnings that count for the step: those within its months, or of the last months without a gap."""
    if rule.within_months is not None:
        since = clock.months_after(on, -rule.within_months)
        return [sanction_id for sanction_id, from_on in warnings if from_on > since]
    run: list[int] = []
    before: str | None = None
    for sanction_id, from_on in warnings:
        month = clock.month_of(from_on)
        if month == before:
            continue
        run = [*run, sanction_id] if before is not None and clock.next_month(before) == month else [sanction_id]
        before = month
    return run


def _propose(session: Session, met: Sequence[Met], on: dt.date) -> list[Sanction]:
    by_rule = select(Sanction.party_id, Sanction.rule_id, Sanction.cause).where(Sanction.rule_id.is_not(None))
    known = {tuple(row) for row in session.execute(by_rule)}
    proposed = Sanction.state == SanctionState.PROPOSED, Sanction.number_id.is_(None)
    waiting = {tuple(row) for row in session.execute(select(Sanction.party_id, Sanction.kind).where(*proposed))}
    made: list[Sanction] = []
    for one in met:
        if (one.party_id, one.rule.id, one.cause) in known or (one.party_id, one.rule.kind) in waiting:
            continue
        waiting.add((one.party_id, one.rule.kind))
        made.append(_proposal(one, on))
    session.add_all(made)
    session.flush()
    record_events(
        session,
        actor_id=None,
        action="sanction.proposed",
        subject="sanction",
        changes=[
            (
                row.id,
                {
                    "party_id": row.party_id,
                    "sanction": row.kind,
                    "rule_id": row.rule_id,
                    "valid_from": row.from_on,
                    "valid_to": row.until_on,
                },
            )
            for row in made
        ],
    )
    return made


def _proposal(one: Met, on: dt.date) -> Sanction:
    from_on = on + dt.timedelta(days=1)
    return Sanction(
        party_id=one.party_id,
        kind=one.rule.kind,
        from_on=from_on,
        until_on=None if one.rule.months is None else clock.months_after(from_on, one.rule.months),
        rule_id=one.rule.id,
        cause=one.cause,
        facts=dict(one.facts),
        reason=one.rule.legal_note,
        proposed_at=clock.now(),
    )
