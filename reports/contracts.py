"""Contracts with their rules as workbook or CSV; the contracts' headings are those that the import accepts."""

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy.orm import Session

from reports.registers import day_text
from reports.workbook import CellKind, Column
from supervise.contracts import queries
from supervise.contracts.models import RuleVersion
from supervise.contracts.queries import ContractFilters, ContractRow
from supervise.contracts.rules import parse_parameters
from supervise.contracts.words import rule_in_words
from supervise.labels import N_

_ONE_DAY = dt.timedelta(days=1)


class RuleLine(NamedTuple):
    """A version of a rule and the contract that it belongs to."""

    contract: ContractRow
    rule: RuleVersion


def _last_day(end: dt.date | None) -> str:
    return day_text(None if end is None else end - _ONE_DAY)


CONTRACT_COLUMNS = (
    Column[ContractRow](N_("Contract number"), lambda row: row.contract.number, width=20),
    Column[ContractRow](N_("Title"), lambda row: row.contract.name, width=32),
    Column[ContractRow](N_("Party code"), lambda row: row.party_code),
    Column[ContractRow](N_("Partner"), lambda row: row.party, width=32),
    Column[ContractRow](N_("Unit code"), lambda row: row.unit_code),
    Column[ContractRow](N_("Unit of the carrier"), lambda row: row.unit, width=28),
    Column[ContractRow](N_("Who pays under it"), lambda row: row.contract.direction.label),
    Column[ContractRow](N_("Business covered"), lambda row: row.contract.scope.label),
    Column[ContractRow](N_("First day"), lambda row: day_text(row.contract.starts_on), width=12),
    Column[ContractRow](N_("Last day"), lambda row: _last_day(row.contract.ends_on), width=12),
    Column[ContractRow](N_("Days to object"), lambda row: row.contract.appeal_days, CellKind.INTEGER, width=10),
    Column[ContractRow](N_("Counted in"), lambda row: row.contract.appeal_day_type.label, width=12),
    Column[ContractRow](
        N_("Counts as delivered after (working days)"), lambda row: row.contract.deemed_days, CellKind.INTEGER, width=10
    ),
    Column[ContractRow](
        N_("Deposit required (yuan)"), lambda row: row.contract.deposit_required_fen, CellKind.YUAN, width=14
    ),
    Column[ContractRow](
        N_("Working days to top up the deposit"), lambda row: row.contract.top_up_days, CellKind.INTEGER, width=10
    ),
    Column[ContractRow](N_("Debts are taken from"), lambda row: row.contract.settlement_order.label, width=28),
    Column[ContractRow](N_("State"), lambda row: row.contract.state.label, width=12),
    Column[ContractRow](N_("Rules in force"), lambda row: row.active_rules, CellKind.INTEGER, width=10),
)
RULE_COLUMNS = (
    Column[RuleLine](N_("Contract number"), lambda row: row.contract.contract.number, width=20),
    Column[RuleLine](N_("Partner"), lambda row: row.contract.party, width=32),
    Column[RuleLine](N_("Rule"), lambda row: row.rule.code, width=24),
    Column[RuleLine](N_("Version"), lambda row: row.rule.number, CellKind.INTEGER, width=8),
    Column[RuleLine](N_("Offence"), lambda row: row.rule.offence_code, width=20),
    Column[RuleLine](
        N_("What it says"), lambda row: " ".join(rule_in_words(parse_parameters(row.rule.parameters))), width=64
    ),
    Column[RuleLine](N_("Valid from"), lambda row: day_text(row.rule.valid_from), width=12),
    Column[RuleLine](N_("Valid until"), lambda row: day_text(row.rule.valid_to), width=12),
    Column[RuleLine](N_("State"), lambda row: row.rule.state.label, width=12),
)


def contract_lines(session: Session, filters: ContractFilters) -> Iterator[ContractRow]:
    """Yield contracts and policies, by number."""
    after = ""
    while rows := queries.contracts_by_number(session, filters, after=after, limit=queries.AT_ONCE):
        yield from rows
        after = rows[-1].contract.number


def rule_lines(session: Session, filters: ContractFilters) -> Iterator[RuleLine]:
    """Yield every version of every rule of these contracts, by contract and rule, the newest version first."""
    for contract in contract_lines(session, filters):
        for rule in queries.rules_of_contract(session, contract.contract.id):
            yield RuleLine(contract, rule)
