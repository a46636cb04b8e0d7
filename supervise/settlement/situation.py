"""All that decides a run, read for every party at once: debts, means, terms, what holds them."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import slices
from supervise.contracts.terms import SettlementMethod, terms_at
from supervise.parties.sanction_models import SanctionKind
from supervise.parties.sanctions import standing_at
from supervise.penalties.collecting import open_debts
from supervise.penalties.debts import DebtKey, DebtKind, OpenDebt, key_of
from supervise.penalties.models import JointPayment, Penalty, PenaltyState
from supervise.settlement.accounts import deposits_held, refunds_due
from supervise.settlement.commissions import set_off_by_contract
from supervise.settlement.deposits import required_deposits
from supervise.settlement.models import (
    CollectedFrom,
    CommissionStatement,
    LeftOut,
    Settlement,
    SettlementLine,
    SettlementState,
    TopUpCall,
    WriteOff,
    WriteOffState,
)
from supervise.settlement.waterfall import Debt, JointDebtor, Means

#: The columns of a line that name its debt.
_NAMED = (SettlementLine.penalty_id, SettlementLine.recovery_id, SettlementLine.recourse_id)


@dataclass
class Situation:
    """What a run of a month is computed from."""

    #: Due and open at the cut-off, in the order of payment, by party; amounts without what waits for a notice.
    debts: Sequence[OpenDebt]
    #: Why a debt is left out.
    left_out: Mapping[DebtKey, LeftOut]
    #: What each party has, by party.
    means: dict[int, Means]
    #: In which order each contract takes it.
    orders: Mapping[int, Sequence[SettlementMethod]]
    #: Who else answers for a joint charge, by finding.
    joint: Mapping[int, Sequence[JointDebtor]]
    #: What the contracts in force require as a deposit, and what open calls ask for already, by party.
    required_fen: Mapping[int, int]
    called_fen: Mapping[int, int]
    #: Parties that nothing is settled with.
    held: Collection[int] = field(default_factory=frozenset)

    @property
    def payable(self) -> list[Debt]:
        """The debts that the waterfall takes."""
        return [
            Debt(debt.key, debt.party_id, debt.contract_id, debt.open_fen, debt.joint_finding_id)
            for debt in self.debts
            if debt.key not in self.left_out
        ]


def situation_of(session: Session, month: str, until: dt.datetime) -> Situation:
    """Return what decides the run of *month*: what was due by *until*, and what there is to take it from."""
    waiting = waiting_for_notice(session)
    debts = [
        debt._replace(open_fen=debt.open_fen - waiting.get(debt.key, 0)) for debt in open_debts(session, until=until)
    ]
    debts = [debt for debt in debts if debt.open_fen > 0]
    today = clock.china_day(until)
    required = required_deposits(session, today)
    called = _called(session)
    means = _means(session, month)
    short = {one for one, fen in required.items() if _is_short(means, one, fen - called.get(one, 0))}
    parties = {debt.party_id for debt in debts} | {one for one, has in means.items() if has.refund_fen} | short
    joint = _joint_debtors(session, {debt.joint_finding_id for debt in debts if debt.joint_finding_id is not None})
    parties |= {one.party_id for several in joint.values() for one in several if one.party_id in means}
    standing = standing_at(session, parties, today)
    held = {party_id for party_id, kinds in standing.items() if SanctionKind.SETTLEMENT_STOP in kinds}
    terms = terms_at(session, {debt.contract_id for debt in debts if debt.contract_id is not None}, today)
    return Situation(
        debts=debts,
        left_out=_left_out(session, debts, held),
        means={party_id: means.get(party_id, Means()) for party_id in sorted(parties)},
        orders={contract_id: tuple(one.settlement_order) for contract_id, one in terms.items()},
        joint={
            finding_id: [one for one in several if one.party_id not in held] for finding_id, several in joint.items()
        },
        required_fen=required,
        called_fen=called,
        held=held,
    )


def waiting_for_notice(session: Session) -> dict[DebtKey, int]:
    """Return what of each debt will be set off against a commission once the notice has arrived, in fen."""
    query = (
        select(*_NAMED, func.sum(SettlementLine.proposed_fen))
        .join(Settlement, Settlement.id == SettlementLine.settlement_id)
        .where(
            Settlement.state == SettlementState.POSTED,
            Settlement.delivery.is_(None),
            SettlementLine.source == CollectedFrom.COMMISSION,
            SettlementLine.collected_fen.is_(None),
        )
        .group_by(*_NAMED)
    )
    return {key_of(*row[:3]): int(row[3]) for row in session.execute(query)}


def _is_short(means: Mapping[int, Means], party_id: int, wanted_fen: int) -> bool:
    has = means.get(party_id)
    return (has.deposit_fen if has else 0) < wanted_fen


def _means(session: Session, month: str) -> dict[int, Means]:
    means: dict[int, Means] = defaultdict(Means)
    for party_id, fen in deposits_held(session).items():
        means[party_id].deposit_fen = fen
    for party_id, fen in refunds_due(session).items():
        means[party_id].refund_fen = fen
    used = set_off_by_contract(session, [month])
    statements = select(
        CommissionStatement.contract_id, CommissionStatement.party_id, CommissionStatement.due_fen
    ).where(CommissionStatement.month == month, CommissionStatement.superseded_at.is_(None))
    for contract_id, party_id, due_fen in session.execute(statements):
        taken = used.get((contract_id, month))
        left_fen = due_fen - (taken.all_fen if taken else 0)
        if left_fen > 0:
            means[party_id].commission_fen[contract_id] = left_fen
    return dict(means)


def _called(session: Session) -> dict[int, int]:
    query = select(TopUpCall.party_id, func.sum(TopUpCall.amount_fen)).where(TopUpCall.met_on.is_(None))
    return {row[0]: int(row[1]) for row in session.execute(query.group_by(TopUpCall.party_id))}


def _left_out(session: Session, debts: Sequence[OpenDebt], held: Collection[int]) -> dict[DebtKey, LeftOut]:
    given_up = frozenset(
        session.scalars(
            select(WriteOff.penalty_id).where(WriteOff.state.in_((WriteOffState.OPEN, WriteOffState.ENDORSED)))
        )
    )
    reasons: dict[DebtKey, LeftOut] = {}
    for debt in debts:
        if debt.party_id in held:
            reasons[debt.key] = LeftOut.HELD
        elif debt.has_objection:
            reasons[debt.key] = LeftOut.OBJECTION
        elif debt.has_reversal:
            reasons[debt.key] = LeftOut.REVERSAL
        elif debt.key.kind is DebtKind.PENALTY and debt.key.id in given_up:
            reasons[debt.key] = LeftOut.WRITE_OFF
    return reasons


def _joint_debtors(session: Session, finding_ids: Collection[int]) -> dict[int, list[JointDebtor]]:
    """Return who answers for each joint charge: whose own share is final, and how much room their limit leaves."""
    debtors: dict[int, list[JointDebtor]] = defaultdict(list)
    paid = _paid_for_others(session, finding_ids)
    for some in slices(sorted(finding_ids)):
        query = select(
            Penalty.finding_id,
            Penalty.party_id,
            Penalty.amount_fen - Penalty.lifted_fen,
            Penalty.explanation["share"].label("share"),
        ).where(Penalty.finding_id.in_(some), Penalty.state == PenaltyState.FINAL)
        for finding_id, party_id, own_fen, share in session.execute(query.order_by(Penalty.id)):
            limit_fen = (share or {}).get("limit_fen")
            spent_fen = own_fen + paid.get((finding_id, party_id), 0)
            room_fen = None if limit_fen is None else max(0, limit_fen - spent_fen)
            debtors[finding_id].append(JointDebtor(party_id, room_fen))
    return debtors


def _paid_for_others(session: Session, finding_ids: Collection[int]) -> dict[tuple[int, int], int]:
    found = {}
    for some in slices(sorted(finding_ids)):
        query = (
            select(
                Penalty.finding_id, JointPayment.payer_id, func.sum(JointPayment.amount_fen - JointPayment.returned_fen)
            )
            .join(JointPayment, JointPayment.penalty_id == Penalty.id)
            .where(Penalty.finding_id.in_(some))
            .group_by(Penalty.finding_id, JointPayment.payer_id)
        )
        found.update({(row[0], row[1]): int(row[2]) for row in session.execute(query)})
    return found
