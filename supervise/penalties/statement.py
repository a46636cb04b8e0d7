"""The statement of a party: what was owed, what came, what was taken back, what is owed; to the fen as the ledger.

Penalties, recoveries of credits and regulator's fines claimed back: all that the party owes the carrier.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, literal, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.bulk import slices
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_, LabelledEnum
from supervise.ledger.chart import AccountCode
from supervise.ledger.movements import Movement, balances_before, movements
from supervise.parties.models import Party, PartyKind
from supervise.parties.scope import Scope
from supervise.penalties.collecting import ids_by_kind
from supervise.penalties.debts import DebtKey, DebtKind
from supervise.penalties.fine_models import FineRecourse, RecourseReceipt, RegulatorFine
from supervise.penalties.models import Penalty, PenaltyFamily
from supervise.penalties.recovery_models import Recovery

MONTHS_MAX = 24

#: Where a penalty stands while it can be objected to, and afterwards.
ACCOUNTS = {
    PenaltyFamily.EXTERNAL: (AccountCode.PENALTY_CONTESTABLE, AccountCode.PENALTY_RECEIVABLE),
    PenaltyFamily.INTERNAL: (AccountCode.ASSESSMENT_CONTESTABLE, AccountCode.ASSESSMENT_FINAL),
}
#: Where else a party owes: recoveries of credits, regulators' fines claimed back; due from the first.
CLAIM_ACCOUNTS = {
    PenaltyFamily.EXTERNAL: (AccountCode.COMPENSATION_RECOVERABLE, AccountCode.FINE_RECOVERABLE),
    PenaltyFamily.INTERNAL: (AccountCode.FINE_ASSESSMENT,),
}
_SETTLEMENT_KEY = re.compile(r"settlement:([0-9]+):[a-z]+", re.ASCII)
_PENALTY_KEY = re.compile(r"penalty:(?:approved|final|refund|written_off):([0-9]+)(?::[0-9]+)?", re.ASCII)
_CLAIM_KEY = re.compile(r"(recovery|recourse):(?:approved|refund):([0-9]+)", re.ASCII)
_RECEIPT_KEY = re.compile(r"recourse:received:([0-9]+)", re.ASCII)


class StatementKind(LabelledEnum):
    """What happened to what is owed."""

    APPROVED = "approved", N_("Charged")
    LIFTED = "lifted", N_("Lifted after an objection")
    FINAL = "final", N_("Became final")
    REVERSED = "reversed", N_("Taken back after it was final")
    WAIVED = "waived", N_("Waived")
    REFUND = "refund", N_("Collected before it was taken back: to be given back")
    FROM_REFUND = "from_refund", N_("Set against a refund due")
    FROM_DEPOSIT = "from_deposit", N_("Drawn from the deposit")
    FROM_COMMISSION = "from_commission", N_("Set off against the commission")
    PAID = "paid", N_("Paid")
    WRITTEN_OFF = "written_off", N_("Written off")
    RECOVERED = "recovered", N_("Credit to be recovered")
    RECOVERY_VOIDED = "recovery_voided", N_("Recovery taken back")
    CLAIMED = "claimed", N_("Regulator's fine claimed back")
    CLAIM_REVERSED = "claim_reversed", N_("Claim of a fine taken back")
    OTHER = "other", N_("Other movement")


#: What each event of the ledger means to the charged party.
KIND_OF_EVENT = {
    "penalty.approved": StatementKind.APPROVED,
    "penalty.voided": StatementKind.LIFTED,
    "penalty.reduced": StatementKind.LIFTED,
    "penalty.contestable_settled": StatementKind.FINAL,
    "penalty.final": StatementKind.FINAL,
    "penalty.reversed": StatementKind.REVERSED,
    "penalty.waived": StatementKind.WAIVED,
    "penalty.refund_due": StatementKind.REFUND,
    "settlement.refund": StatementKind.FROM_REFUND,
    "settlement.deposit": StatementKind.FROM_DEPOSIT,
    "settlement.commission": StatementKind.FROM_COMMISSION,
    "settlement.cash": StatementKind.PAID,
    "penalty.written_off": StatementKind.WRITTEN_OFF,
    "recovery.approved": StatementKind.RECOVERED,
    "recovery.voided": StatementKind.RECOVERY_VOIDED,
    "recovery.refund_due": StatementKind.REFUND,
    "fine_recourse.approved": StatementKind.CLAIMED,
    "fine_recourse.reversed": StatementKind.CLAIM_REVERSED,
    "fine_recourse.refund_due": StatementKind.REFUND,
    "fine_recourse.received": StatementKind.PAID,
}


class StatementLine(NamedTuple):
    """One thing that happened; amounts in fen. Becoming final moves an amount from one column to the other."""

    on: dt.date
    period: str
    kind: StatementKind
    #: What it is about; None: several debts, or none that is known.
    debt: DebtKey | None
    reference: str
    #: Empty: no penalty.
    offence_code: str
    #: The day of the call; of a fine, of its decision.
    occurred_on: dt.date | None
    contestable_fen: int
    final_fen: int
    #: What is owed in all after it.
    balance_fen: int
    reason: str | None
    #: The settlement that took it: of this party, or of a joint debtor who paid for it.
    settlement_id: int | None = None
    #: Where the debt comes from: the incident of a penalty or recovery, the fine of a recourse line.
    origin_id: int | None = None

    @property
    def penalty_id(self) -> int | None:
        """The penalty that it is about."""
        return self.debt.id if self.debt is not None and self.debt.kind is DebtKind.PENALTY else None


@dataclass(frozen=True)
class PartyStatement:
    """A party's account for some months, both included."""

    party: Party
    family: PenaltyFamily
    first_month: str
    last_month: str
    opening_contestable_fen: int
    opening_final_fen: int
    lines: tuple[StatementLine, ...]
    #: What the ledger holds at the end: None where the reader sees only some of the party's penalties.
    ledger_fen: int | None

    @property
    def opening_fen(self) -> int:
        """What was owed before the first month."""
        return self.opening_contestable_fen + self.opening_final_fen

    @property
    def closing_contestable_fen(self) -> int:
        """What can still be objected to at the end."""
        return self.opening_contestable_fen + sum(line.contestable_fen for line in self.lines)

    @property
    def closing_final_fen(self) -> int:
        """What is final at the end."""
        return self.opening_final_fen + sum(line.final_fen for line in self.lines)

    @property
    def closing_fen(self) -> int:
        """What is owed at the end."""
        return self.closing_contestable_fen + self.closing_final_fen

    def total_fen(self, kind: StatementKind) -> int:
        """Return what movements of *kind* changed in all."""
        return sum(line.contestable_fen + line.final_fen for line in self.lines if line.kind is kind)


def party_statement(
    session: Session, scope: Scope, party_id: int, *, first_month: str, last_month: str
) -> PartyStatement:
    """Return the statement of a party within *scope*, by month of booking, day and order of posting.

    A branch sees of a partner that it sponsors only the penalties of its own calls; everybody else sees the account
    as it stands in the ledger.

    Raises:
        NotFoundError: if the party does not exist or nothing of it is in scope.
        InvalidInputError: if the months are upside down or more than ``MONTHS_MAX``.
    """
    _check_months(first_month, last_month)
    party = session.get(Party, party_id)
    if party is None:
        raise NotFoundError
    family = PenaltyFamily.INTERNAL if party.kind is PartyKind.ORG_UNIT else PenaltyFamily.EXTERNAL
    visible = _visible_debts(session, scope, party)
    dimension_id = party.org_unit_id if family is PenaltyFamily.INTERNAL else party.id
    accounts = (*ACCOUNTS[family], *CLAIM_ACCOUNTS[family])
    if visible is None:
        before = balances_before(session, accounts, first_month, dimension_id=dimension_id)
        moved = list(
            movements(session, accounts, dimension_id=dimension_id, first_month=first_month, last_month=last_month)
        )
        after = balances_before(session, accounts, clock.next_month(last_month), dimension_id=dimension_id)
        ledger_fen: int | None = sum(after.values())
    else:
        known = [
            one
            for one in movements(session, accounts, dimension_id=dimension_id, last_month=last_month)
            if debt_of_key(one.origin_key) in visible
        ]
        moved = [one for one in known if one.period >= first_month]
        before = {
            account: sum(one.amount_fen for one in known if one.period < first_month and one.account is account)
            for account in accounts
        }
        ledger_fen = None
    return PartyStatement(
        party=party,
        family=family,
        first_month=first_month,
        last_month=last_month,
        opening_contestable_fen=before[accounts[0]],
        opening_final_fen=sum(before.values()) - before[accounts[0]],
        lines=tuple(_lines(session, sorted(moved, key=_in_order), sum(before.values()), accounts[0])),
        ledger_fen=ledger_fen,
    )


def _check_months(first_month: str, last_month: str) -> None:
    first, _next = clock.month_bounds(first_month)
    last, _next = clock.month_bounds(last_month)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    if not 0 < months <= MONTHS_MAX:
        raise InvalidInputError(N_("Choose a period of 1 to %(most)d months"), most=MONTHS_MAX)


def _visible_debts(session: Session, scope: Scope, party: Party) -> set[DebtKey] | None:
    """Return the party's penalties and recoveries that *scope* shows; None: the whole account."""
    is_own = party.org_unit_id in scope.unit_ids if party.org_unit_id is not None else party.id in scope.party_ids
    if scope.sees_everything or (is_own and (party.org_unit_id is not None or not scope.unit_ids)):
        return None
    visible: set[DebtKey] = set()
    for kind, table in ((DebtKind.PENALTY, Penalty), (DebtKind.RECOVERY, Recovery)):
        query = scope.limit(
            select(table.id).where(table.party_id == party.id), unit=table.unit_id, party=table.party_id
        )
        visible |= {DebtKey(kind, debt_id) for debt_id in session.scalars(query)}
    if not visible and party.id not in scope.party_ids:
        raise NotFoundError
    return visible


def _in_order(movement: Movement) -> tuple[str, dt.date, int]:
    # A job books what became final days ago: people read by the day.
    return movement.period, movement.effective_on, movement.entry_id


def penalty_id_of(movement: Movement) -> int | None:
    """Return which penalty a posting belongs to; None: to none."""
    match = _PENALTY_KEY.fullmatch(movement.origin_key)
    return int(match[1]) if match else None


def debt_of_key(origin_key: str) -> DebtKey | None:
    """Return which debt an entry's key names; None: several, none, or one that only its receipt names."""
    if match := _PENALTY_KEY.fullmatch(origin_key):
        return DebtKey(DebtKind.PENALTY, int(match[1]))
    match = _CLAIM_KEY.fullmatch(origin_key)
    return DebtKey(DebtKind(match[1]), int(match[2])) if match else None


def _settlement_id_of(movement: Movement) -> int | None:
    match = _SETTLEMENT_KEY.fullmatch(movement.origin_key)
    return int(match[1]) if match else None


def _lines(
    session: Session, moved: Sequence[Movement], balance_fen: int, contestable: AccountCode
) -> Iterator[StatementLine]:
    by_receipt = claims_of_receipts(session, {one.origin_key for one in moved})
    debts = {one.entry_id: debt_of_key(one.origin_key) or by_receipt.get(one.origin_key) for one in moved}
    facts = facts_of(session, {key for key in debts.values() if key is not None})
    for group in grouped(moved):
        first = group[0]
        debt = debts[first.entry_id]
        fact = facts.get(debt) if debt is not None else None
        contestable_fen = sum(one.amount_fen for one in group if one.account is contestable)
        final_fen = sum(one.amount_fen for one in group if one.account is not contestable)
        balance_fen += contestable_fen + final_fen
        yield StatementLine(
            first.effective_on,
            first.period,
            KIND_OF_EVENT.get(first.event, StatementKind.OTHER),
            debt if fact else None,
            fact.reference if fact else "",
            fact.offence_code if fact else "",
            fact.occurred_on if fact else None,
            contestable_fen,
            final_fen,
            balance_fen,
            first.reason,
            _settlement_id_of(first),
            fact.origin_id if fact else None,
        )


def grouped(moved: Sequence[Movement]) -> list[list[Movement]]:
    """Put the two entries of one penalty's becoming final together; every other entry stands alone."""
    groups: dict[object, list[Movement]] = {}
    for one in moved:
        is_final = KIND_OF_EVENT.get(one.event) is StatementKind.FINAL
        key: object = ("final", penalty_id_of(one), one.period) if is_final else one.entry_id
        groups.setdefault(key, []).append(one)
    return list(groups.values())


class Fact(NamedTuple):
    """What a line says of its debt."""

    reference: str
    offence_code: str
    occurred_on: dt.date
    #: The incident of a penalty or recovery, the fine of a recourse line.
    origin_id: int


def facts_of(session: Session, keys: Collection[DebtKey]) -> dict[DebtKey, Fact]:
    """Return number, offence and day of each debt."""
    queries: dict[DebtKind, Select[*tuple[Any, ...]]] = {
        DebtKind.PENALTY: select(
            Penalty.id, Penalty.reference, Penalty.offence_code, Penalty.occurred_on, Penalty.incident_id
        ),
        DebtKind.RECOVERY: select(
            Recovery.id, Recovery.reference, literal(""), Recovery.occurred_on, Recovery.incident_id
        ),
        DebtKind.RECOURSE: select(
            FineRecourse.id, FineRecourse.reference, literal(""), RegulatorFine.decided_on, FineRecourse.fine_id
        ).join(RegulatorFine, RegulatorFine.id == FineRecourse.fine_id),
    }
    tables = {DebtKind.PENALTY: Penalty.id, DebtKind.RECOVERY: Recovery.id, DebtKind.RECOURSE: FineRecourse.id}
    facts: dict[DebtKey, Fact] = {}
    for kind, every in ids_by_kind(keys).items():
        for ids in slices(every):
            for row in session.execute(queries[kind].where(tables[kind].in_(ids))):
                facts[DebtKey(kind, row[0])] = Fact(*row[1:])
    return facts


def claims_of_receipts(session: Session, origin_keys: Collection[str]) -> dict[str, DebtKey]:
    """Return the recourse line that each receipt among the keys paid, by the key."""
    matches = (_RECEIPT_KEY.fullmatch(key) for key in origin_keys)
    keys = {int(match[1]): match[0] for match in matches if match is not None}
    found: dict[str, DebtKey] = {}
    for ids in slices(sorted(keys)):
        query = select(RecourseReceipt.id, RecourseReceipt.recourse_id).where(RecourseReceipt.id.in_(ids))
        for receipt_id, recourse_id in session.execute(query):
            found[keys[receipt_id]] = DebtKey(DebtKind.RECOURSE, recourse_id)
    return found
