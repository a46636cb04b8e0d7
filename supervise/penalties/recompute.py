"""Recomputing every stored penalty from scratch: findings, rules, figures and proof as they were, in the order made.

What stood before each proposal is rebuilt from the rows and steps of its contract, so that tiers and caps are counted
anew; what was known only then (proof, month's figures, cases of a threshold) is taken as its explanation froze it.
One contract is in memory at a time, its rows are streamed.
"""

import datetime as dt
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.orm import Session

from supervise.complaints.models import Incident
from supervise.contracts.models import Contract, RuleVersion
from supervise.contracts.rules import WHOLE_BP, AggravationCode, CapPer
from supervise.errors import RefusalError
from supervise.labels import N_, translate
from supervise.money import format_yuan
from supervise.penalties.cases import rule_of
from supervise.penalties.figure_models import PartyMonthFigure
from supervise.penalties.history import replaced
from supervise.penalties.models import Penalty, PenaltyState, PenaltyStep
from supervise.penalties.pricing import (
    Charge,
    Figure,
    FigureKind,
    Ground,
    History,
    Offence,
    Rule,
    Subject,
    cap_key,
    price_offence,
    share_out,
)
from supervise.penalties.score_models import PointsEntry, PointsReason

#: Rows that are fetched at once.
_AT_ONCE = 1_000
_ENDED = (PenaltyState.RETURNED, PenaltyState.VOIDED, PenaltyState.REVERSED)


class Difference(NamedTuple):
    """A stored penalty that does not come out the same."""

    penalty_id: int
    reference: str
    #: A message id with ``%(stored)s`` and ``%(computed)s``.
    words: str
    stored: str
    computed: str

    def __str__(self) -> str:
        said = translate(self.words, {"stored": self.stored, "computed": self.computed})
        return f"{self.reference}: {said}"


@dataclass
class Recomputed:
    """How many were computed again; *differences* are the first, *differing* counts them all."""

    contracts: int = 0
    penalties: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)


def recompute(session: Session, *, named: int = 20) -> Recomputed:
    """Compute every penalty again, contract by contract, and name the first that differ from what is stored."""
    found = Recomputed()

    def note(differences: Iterable[Difference]) -> None:
        for difference in differences:
            found.differing += 1
            if len(found.differences) < named:
                found.differences.append(difference)

    for contract_id in session.scalars(select(Contract.id).order_by(Contract.id)).all():
        past = _Past(session, contract_id)
        for rows in _charges(session, contract_id):
            found.penalties += len(rows)
            note(past.differences(rows))
        found.contracts += past.used
    note(_points(session))
    return found


def explained_otherwise(session: Session) -> Sequence[int]:
    """Return penalties whose amount or rule is not the one of their explanation: the cheap part of ``recompute``."""
    said = Penalty.explanation
    whole = said["share"]["of_fen"].as_string().is_(None)
    query = (
        select(Penalty.id)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .where(
            or_(
                said["rule"]["content_sha256"].as_string() != RuleVersion.content_sha256,
                and_(whole, said["gross_fen"].as_integer() != Penalty.gross_fen),
                and_(whole, said["capped_fen"].as_integer() != Penalty.capped_fen),
            )
        )
        .order_by(Penalty.id)
    )
    return session.scalars(query).all()


def _charges(session: Session, contract_id: int) -> Iterator[list[Any]]:
    """Yield the rows of each charge (one for each bearer) of a contract, in the order in which they were made."""
    ended = (
        select(PenaltyStep.penalty_id, func.min(PenaltyStep.at).label("at"))
        .where(PenaltyStep.to_state.in_(_ENDED))
        .group_by(PenaltyStep.penalty_id)
        .subquery()
    )
    query = (
        select(
            Penalty.id,
            Penalty.reference,
            Penalty.finding_id,
            Penalty.incident_id,
            Penalty.offence_code,
            Penalty.party_id,
            Penalty.rule_version_id,
            Penalty.gross_fen,
            Penalty.capped_fen,
            Penalty.amount_fen,
            Penalty.explanation,
            Penalty.occurred_on,
            Penalty.state,
            Penalty.proposed_at,
            Incident.occurred_at,
            Incident.caller_number,
            Incident.number_id,
            ended.c.at.label("ended_at"),
            replaced().label("is_replaced"),
        )
        .join(Incident, Incident.id == Penalty.incident_id)
        .join(ended, ended.c.penalty_id == Penalty.id, isouter=True)
        .where(Penalty.contract_id == contract_id)
        .order_by(Penalty.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    for _charge, rows in groupby(session.execute(query), key=lambda row: (row.finding_id, row.proposed_at)):
        yield list(rows)


class _End(NamedTuple):
    """A charge that ended: returned, voided or reversed."""

    at: dt.datetime
    penalty_id: int
    row: Any


class _Past:
    """What stood before the next proposal of one contract."""

    def __init__(self, session: Session, contract_id: int) -> None:
        self.session = session
        self.history = History()
        contract = session.get_one(Contract, contract_id)
        self.is_policy = contract.party_id is None
        self.contract_id = contract_id
        self.rules: dict[int, Rule] = {}
        self.ends: list[_End] = []
        #: Live rows by what a tier counts once.
        self.live: dict[tuple[Subject, str, dt.datetime, int], int] = {}
        self.used = False

    def differences(self, rows: Sequence[Row[Any]]) -> Iterator[Difference]:
        """Yield in what the rows of one charge differ from what they would be; then count them as made."""
        self.used = True
        first = rows[0]
        while self.ends and self.ends[0].at <= first.proposed_at:
            self._end(heapq.heappop(self.ends).row)
        offence = self._offence(first)
        try:
            charge = self._priced(offence, first)
        except RefusalError as refusal:
            yield _difference(
                first, N_("%(stored)s yuan are stored; it cannot be computed: %(computed)s"), str(refusal)
            )
        else:
            yield from _against(charge, rows)
            yield from _threshold(offence, first)
        for row in rows:
            self._count(offence, row)

    def _offence(self, row: Row[Any]) -> Offence:
        if row.rule_version_id not in self.rules:
            self.rules[row.rule_version_id] = rule_of(self.session.get_one(RuleVersion, row.rule_version_id))
        worse = row.explanation.get("aggravation")
        codes = [worse["code"], *worse["others"]] if worse else []
        return Offence(
            finding_id=row.finding_id,
            incident_id=row.incident_id,
            code=row.offence_code,
            occurred_at=row.occurred_at,
            occurred_on=row.occurred_on,
            subject=Subject(self.contract_id, row.party_id if self.is_policy else None),
            rule=self.rules[row.rule_version_id],
            caller_number=row.caller_number,
            subscriber_id=row.number_id,
            grounds=tuple(Ground(AggravationCode(code), worse["proof"]) for code in codes),
        )

    def _priced(self, offence: Offence, row: Row[Any]) -> Charge:
        """Price it by its rule and the figures of its explanation; the threshold is looked at by itself."""
        for cap in row.explanation["caps"]:
            if cap.get("commission") is not None:
                month = f"{offence.occurred_on:%Y-%m}"
                figure = self.session.get_one(PartyMonthFigure, cap["commission"]["figure_id"])
                self.history.figures[offence.subject, month, FigureKind.COMMISSION] = Figure(figure.id, figure.amount)
            if cap.get("release"):
                # What had been lifted by then is frozen as the difference; more than was ever taken it cannot be.
                key = cap_key(offence, CapPer(cap["per"]))
                self.history.lifted_fen[key] = max(0, self.history.used_fen[key] - int(cap["used_fen"]))
        parameters = replace(offence.rule.parameters, threshold=None)
        return price_offence(offence._replace(rule=offence.rule._replace(parameters=parameters)), self.history)

    def _count(self, offence: Offence, row: Row[Any]) -> None:
        self.history.add_amount(
            offence.subject,
            offence.incident_id,
            offence.occurred_on,
            row.amount_fen,
            subscriber_id=offence.subscriber_id,
        )
        self.history.add_offence(offence.subject, offence.code, offence.occurred_at, offence.incident_id)
        counted = offence.subject, offence.code, offence.occurred_at, offence.incident_id
        self.live[counted] = self.live.get(counted, 0) + 1
        if row.ended_at is not None:
            heapq.heappush(self.ends, _End(row.ended_at, row.id, row))

    def _end(self, row: Row[Any]) -> None:
        """Take a charge out of what tiers count; one that was returned or charged anew also gives back its room."""
        offence = self._offence(row)
        counted = offence.subject, offence.code, offence.occurred_at, offence.incident_id
        self.live[counted] -= 1
        if not self.live[counted]:
            del self.live[counted]
            self.history.offences[offence.subject, offence.code].remove((offence.occurred_at, offence.incident_id))
        if row.state is PenaltyState.RETURNED or row.is_replaced:
            self.history.add_amount(
                offence.subject,
                offence.incident_id,
                offence.occurred_on,
                -row.amount_fen,
                subscriber_id=offence.subscriber_id,
            )


def _against(charge: Charge, rows: Sequence[Row[Any]]) -> Iterator[Difference]:
    """Yield where the stored rows are not the parts of *charge*."""
    first, rule = rows[0], charge.offence.rule
    if first.explanation["rule"]["content_sha256"] != rule.content_sha256:
        yield _difference(first, N_("another rule is stored than the one it names"), "")
    if charge.explanation.get("points") != first.explanation.get("points"):
        yield _difference(first, N_("other points are stored than its rule takes"), "")
    shares = rule.parameters.shares
    parts = share_out(charge, list(range(len(shares.parts))) if shares is not None else [0])
    stored = [(row.gross_fen, row.capped_fen) for row in rows]
    computed = [(part.gross_fen, part.capped_fen) for part in parts]
    if stored != computed:
        said = " + ".join(format_yuan(gross - capped) for gross, capped in computed)
        yield _difference(first, N_("%(stored)s yuan are stored, %(computed)s come out"), said, rows)
    tier, again = first.explanation["tier"], charge.explanation["tier"]
    if tier != again and (tier is None or again is None or tier["nth"] != again["nth"]):
        words = N_("offence number %(stored)s is stored, number %(computed)s comes out")
        yield Difference(first.id, first.reference, words, str(tier and tier["nth"]), str(again and again["nth"]))
    spared = (first.explanation["across"] or {}).get("spared", [])
    highest_fen = max((fen for _code, fen in spared), default=0)
    if highest_fen > charge.gross_fen:
        yield _difference(
            first,
            N_("%(stored)s yuan are charged, but %(computed)s of the same call are not"),
            format_yuan(highest_fen),
        )


def _threshold(offence: Offence, row: Row[Any]) -> Iterator[Difference]:
    """Yield if by the figures that it froze it would not have been above its rule's threshold."""
    threshold, said = offence.rule.parameters.threshold, row.explanation.get("threshold")
    if threshold is None or said is None:
        if threshold is not None:
            yield _difference(row, N_("its rule has a threshold that its explanation does not know"), "")
        return
    floor = threshold.above_count
    above = said["cases"] > threshold.above_count
    if threshold.above_bp:
        floor = said["base_amount"] * threshold.above_bp // WHOLE_BP
        above = above and said["cases"] * WHOLE_BP > said["base_amount"] * threshold.above_bp
    if not above or said["nth"] <= (floor if threshold.excess_only else 0):
        yield _difference(row, N_("%(stored)s yuan are charged below the threshold"), "")


def _points(session: Session) -> Iterator[Difference]:
    """Yield where the points that a party's account holds are not those that the penalty's rule takes."""
    query = (
        select(Penalty.id, Penalty.reference, Penalty.explanation, PointsEntry.points)
        .join(PointsEntry, PointsEntry.penalty_id == Penalty.id)
        .where(PointsEntry.reason == PointsReason.TAKEN)
        .order_by(Penalty.id)
        .execution_options(yield_per=_AT_ONCE)
    )
    for penalty_id, reference, explanation, taken in session.execute(query):
        each = (explanation.get("points") or {}).get("each", 0)
        if each != taken:
            words = N_("%(stored)s points were taken, its rule takes %(computed)s")
            yield Difference(penalty_id, reference, words, str(taken), str(each))


def _difference(row: Row[Any], words: str, computed: str, rows: Sequence[Row[Any]] | None = None) -> Difference:
    stored = " + ".join(format_yuan(one.amount_fen) for one in rows or [row])
    return Difference(row.id, row.reference, words, stored, computed)
