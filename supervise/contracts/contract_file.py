"""Contracts and policies from a file: they come in as drafts, which a second person looks at and puts into force."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.complaints.models import DayType
from supervise.contracts.agreements import ContractTerms, draft_contract
from supervise.contracts.models import Contract, ContractDirection, ContractScope, SettlementOrder
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import CellError, parse_count, parse_day, parse_text, parse_yuan
from supervise.labels import N_
from supervise.parties.imports.register_file import (
    Judgement,
    KnownParty,
    error,
    member_named,
    parties_by_code,
    why_unusable,
)
from supervise.parties.models import OrgUnit, PartyKind

_ONE_DAY = dt.timedelta(days=1)
_DAYS_MAX = 365
_OURSELVES = (PartyKind.ORG_UNIT, PartyKind.EMPLOYEE_CALLER)


class ContractRow(NamedTuple):
    """A contract, or without a party an assessment policy."""

    row_number: int
    number: str
    name: str
    party_code: str | None
    unit_code: str
    direction: ContractDirection
    scope: ContractScope
    starts_on: dt.date
    last_on: dt.date | None
    appeal_days: int
    appeal_day_type: DayType
    deemed_days: int
    deposit_required_fen: int
    top_up_days: int
    settlement_order: SettlementOrder


class _Known(NamedTuple):
    id: int
    starts_on: dt.date
    party_id: int | None


class ContractFile:
    """The file of contracts and assessment policies; their rules are drafted in the system."""

    kind = ImportKind.CONTRACTS
    mapping = ColumnMapping(
        fields={
            "number": ("合同号", "合同编号", "Contract number"),
            "name": ("名称", "合同名称", "Title"),
            "party": ("责任方编码", "Party code"),
            "unit": ("机构编码", "Unit code"),
            "direction": ("收付方向", "Who pays under it"),
            "scope": ("业务范围", "Business covered"),
            "starts_on": ("开始日期", "生效日期", "First day"),
            "last_on": ("结束日期", "到期日期", "Last day"),
            "appeal_days": ("申诉期", "申诉天数", "异议期", "Days to object"),
            "appeal_day_type": ("计算方式", "Counted in"),
            "deposit": ("保证金（元）", "应缴保证金", "Deposit required (yuan)"),  # noqa: RUF001
            "top_up_days": ("保证金补足期（工作日）", "补足天数", "Working days to top up the deposit"),  # noqa: RUF001
            "settlement_order": ("扣收顺序", "清偿顺序", "Debts are taken from"),
            "deemed_days": ("视同送达（工作日）", "视同送达天数", "Counts as delivered after (working days)"),  # noqa: RUF001
        },
        required=frozenset({"number", "name", "unit", "direction", "starts_on", "appeal_days"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; without a scope it covers everything, and days are working days."""
        number, name = values.required("number", parse_text), values.required("name", parse_text)
        party_code, unit_code = values.optional("party", parse_text), values.required("unit", parse_text)
        direction = values.required("direction", lambda text: member_named(ContractDirection, text))
        scope = values.optional("scope", lambda text: member_named(ContractScope, text)) or ContractScope.ALL
        starts_on, last_on = values.required("starts_on", parse_day), values.optional("last_on", parse_day)
        if starts_on is not None and last_on is not None and last_on < starts_on:
            values.add("last_on", N_("The last day is before the first"))
        appeal_days = values.required("appeal_days", _days)
        day_type = values.optional("appeal_day_type", lambda text: member_named(DayType, text)) or DayType.WORKING
        deemed_days = values.optional("deemed_days", _days) or 3
        if direction is not None and (direction is ContractDirection.INTERNAL) != (party_code is None):
            values.add("direction", N_("Internal belongs to a policy, the others to a contract with a partner"))
        if number is None or name is None or unit_code is None or direction is None or starts_on is None:
            return None
        return ContractRow(
            row_number,
            number,
            name,
            party_code,
            unit_code,
            direction,
            scope,
            starts_on,
            last_on,
            appeal_days or 0,
            day_type,
            deemed_days,
            values.optional("deposit", _deposit) or 0,
            values.optional("top_up_days", _days) or 10,
            values.optional("settlement_order", lambda text: member_named(SettlementOrder, text))
            or SettlementOrder.DEPOSIT_COMMISSION_CASH,
        )

    def judge(self, session: Session, rows: Sequence[ContractRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; whether two cover the same period is decided at the activation."""
        parties = parties_by_code(session, {row.party_code for row in rows if row.party_code})
        units, known = _units(session, rows), _known(session, {row.number for row in rows})
        judged: dict[int, Judgement] = {}
        seen: dict[str, int] = {}
        for row in rows:
            if row.number in seen:
                judged[row.row_number] = error(remark(N_("Row %(row)d has the same number"), row=seen[row.number]))
            else:
                judged[row.row_number] = _judge_alone(row, parties, units, known.get(row.number))
            seen.setdefault(row.number, row.row_number)
        return judged

    def write(
        self,
        session: Session,
        rows: Sequence[ContractRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,  # noqa: ARG002 - a contract is drafted by its own decision, which knows no file
        actor_id: int,
    ) -> Mapping[int, int]:
        """Draft the contracts, one by one: a carrier has some hundreds."""
        parties = parties_by_code(session, {row.party_code for row in rows if row.party_code})
        units = _units(session, rows)
        written = {}
        for row in rows:
            if judgements[row.row_number].verdict is RowVerdict.NEW:
                contract = draft_contract(session, _terms(row, parties, units), actor_id=actor_id)
                written[row.row_number] = contract.id
        return written


def _days(text: str) -> int:
    return parse_count(text, largest=_DAYS_MAX)


def _deposit(text: str) -> int:
    deposit_fen = parse_yuan(text)
    if deposit_fen < 0:
        raise CellError(N_("A deposit cannot be negative"))
    return deposit_fen


def _terms(row: ContractRow, parties: Mapping[str, KnownParty], units: Mapping[str, int]) -> ContractTerms:
    return ContractTerms(
        number=row.number,
        name=row.name,
        party_id=parties[row.party_code].id if row.party_code else None,
        counterparty_unit_id=units[row.unit_code],
        scope=row.scope,
        direction=row.direction,
        starts_on=row.starts_on,
        ends_on=row.last_on + _ONE_DAY if row.last_on else None,
        appeal_days=row.appeal_days,
        appeal_day_type=row.appeal_day_type,
        deemed_days=row.deemed_days,
        deposit_required_fen=row.deposit_required_fen,
        top_up_days=row.top_up_days,
        settlement_order=row.settlement_order,
    )


def _units(session: Session, rows: Sequence[ContractRow]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in slices({row.unit_code for row in rows}):
        query = select(OrgUnit.code, OrgUnit.id).where(OrgUnit.code.in_(some), OrgUnit.closed_on.is_(None))
        found.update((row.code, row.id) for row in session.execute(query))
    return found


def _known(session: Session, numbers: Collection[str]) -> dict[str, _Known]:
    found = {}
    for some in slices(numbers):
        query = select(Contract.number, Contract.id, Contract.starts_on, Contract.party_id)
        for number, contract_id, starts_on, party_id in session.execute(query.where(Contract.number.in_(some))):
            found[number] = _Known(contract_id, starts_on, party_id)
    return found


def _judge_alone(
    row: ContractRow, parties: Mapping[str, KnownParty], units: Mapping[str, int], known: _Known | None
) -> Judgement:
    party = parties.get(row.party_code) if row.party_code else None
    if known is not None:
        if (known.starts_on, known.party_id) == (row.starts_on, party.id if party else None):
            return Judgement(RowVerdict.KNOWN, subject_id=known.id)
        return error(remark(N_("The number %(number)s is taken"), number=row.number))
    wrong = _wrong(row, party, units)
    return error(wrong) if wrong is not None else Judgement(RowVerdict.NEW)


def _wrong(row: ContractRow, party: KnownParty | None, units: Mapping[str, int]) -> Remark | None:
    if row.unit_code not in units:
        return remark(N_("There is no unit with the code %(code)s"), code=row.unit_code)
    if row.party_code is None:
        return None
    if party is not None and party.kind in _OURSELVES:
        return remark(N_("A contract is made with a party outside the carrier"))
    return why_unusable(row.party_code, party)
