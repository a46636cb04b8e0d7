"""The statement of a party as a workbook: what it owed, what came and went, what it owes; equal to the ledger."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.labels import N_, _
from supervise.money import format_yuan
from supervise.penalties.debts import DebtKind
from supervise.penalties.statement import PartyStatement, StatementKind, StatementLine


class Row(NamedTuple):
    """A line of the statement, with the words for what it is about."""

    line: StatementLine
    about: str


#: Sums that a statement shows also where nothing of the kind happened; others only say that something did.
_ALWAYS = frozenset(StatementKind) - {
    StatementKind.RECOVERED,
    StatementKind.RECOVERY_VOIDED,
    StatementKind.CLAIMED,
    StatementKind.CLAIM_REVERSED,
    StatementKind.OTHER,
}


class Fact(NamedTuple):
    """A line of 说明."""

    name: str
    value: str


class Total(NamedTuple):
    """A line of 汇总; amounts in fen."""

    name: str
    amount_fen: int


#: The contract with the parties: docs/reports.md, tests/reports/test_party_statement.py.
LINE_COLUMNS = (
    Column[Row](N_("Day"), lambda row: row.line.on.isoformat(), width=12, meaning=N_("The day it took effect")),
    Column[Row](
        N_("Booking period"),
        lambda row: row.line.period,
        width=10,
        meaning=N_("The month in which the ledger booked it"),
    ),
    Column[Row](
        N_("Kind of change"),
        lambda row: row.line.kind.label,
        width=22,
        meaning=N_("Charged, lifted after an objection, became final, claimed, collected, or taken back"),
    ),
    Column[Row](
        N_("Document number"),
        lambda row: row.line.reference,
        width=18,
        meaning=N_("Our number of what is owed, never used twice"),
    ),
    Column[Row](
        N_("Subject matter"),
        lambda row: row.about,
        width=24,
        meaning=N_("The offence that was proven, the recovery of a credit, or the recourse of a regulator's fine"),
    ),
    Column[Row](
        N_("Day of the call"),
        lambda row: row.line.occurred_on.isoformat() if row.line.occurred_on else "",
        width=12,
        meaning=N_("The China day of the call; of a fine, of its decision"),
    ),
    Column[Row](
        N_("Contestable (yuan)"),
        lambda row: row.line.contestable_fen,
        CellKind.YUAN,
        14,
        meaning=N_("Change of what can still be objected to"),
    ),
    Column[Row](
        N_("Final (yuan)"),
        lambda row: row.line.final_fen,
        CellKind.YUAN,
        14,
        meaning=N_("Change of what is final"),
    ),
    Column[Row](
        N_("Owed after it (yuan)"),
        lambda row: row.line.balance_fen,
        CellKind.YUAN,
        16,
        meaning=N_("What is owed in all after this line"),
    ),
    Column[Row](N_("Reason"), lambda row: reason_of(row.line), width=36, meaning=N_("The reason that was given")),
)
TOTAL_COLUMNS = (
    Column[Total](N_("Item"), lambda total: total.name, width=36),
    Column[Total](N_("Amount (yuan)"), lambda total: total.amount_fen, CellKind.YUAN, 16),
)
ABOUT_COLUMNS = (
    Column[Fact](N_("Item"), lambda fact: fact.name, width=28),
    Column[Fact](N_("Value"), lambda fact: fact.value, width=72),
)


def about_of(line: StatementLine, offence_names: Mapping[str, str]) -> str:
    """Return in words what a line is about: the offence of a penalty, or the kind of any other debt."""
    if line.debt is None or line.debt.kind is DebtKind.PENALTY:
        return offence_names.get(line.offence_code, line.offence_code)
    return line.debt.kind.label


def reason_of(line: StatementLine) -> str:
    """Return the reason that a person gave; that a window ended goes without saying."""
    return "" if line.kind is StatementKind.FINAL else line.reason or ""


def statement_totals(statement: PartyStatement) -> list[Total]:
    """Return opening, what happened by kind, and closing; the closing is the sum of all before it."""
    happened = [
        Total(kind.label, statement.total_fen(kind))
        for kind in StatementKind
        if kind is not StatementKind.FINAL and (kind in _ALWAYS or statement.total_fen(kind))
    ]
    return [Total(_("Opening"), statement.opening_fen), *happened, Total(_("Closing"), statement.closing_fen)]


def build_party_statement_workbook(
    statement: PartyStatement, offence_names: Mapping[str, str], path: Path, made_at: dt.datetime
) -> WorkbookFile:
    """Write the workbook of *statement* to *path*, in the current locale."""
    rows = [Row(line, about_of(line, offence_names)) for line in statement.lines]
    of_closing = [
        Total(_("of which contestable"), statement.closing_contestable_fen),
        Total(_("of which final"), statement.closing_final_fen),
    ]
    sheets: list[Sheet[Any]] = [
        Sheet(_("About"), ABOUT_COLUMNS, _about(statement, made_at)),
        Sheet(_("Movements"), LINE_COLUMNS, rows),
        Sheet(_("Totals"), TOTAL_COLUMNS, [*statement_totals(statement), *of_closing]),
    ]
    return write_workbook(path, sheets, made_at)


def _about(statement: PartyStatement, made_at: dt.datetime) -> list[Fact]:
    return [
        Fact(_("Responsible party"), f"{statement.party.name} ({statement.party.code})"),
        Fact(_("Kind"), statement.family.label),
        Fact(_("Period"), f"{statement.first_month} – {statement.last_month}"),
        Fact(_("Closing (yuan)"), format_yuan(statement.closing_fen)),
        Fact(_("Equal to the ledger"), _ledger_words(statement)),
        Fact(_("Made at (China time)"), made_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S")),
    ]


def _ledger_words(statement: PartyStatement) -> str:
    if statement.ledger_fen is None:
        return _("Only the penalties of the own branches' calls; the party's whole account may differ")
    return _("yes") if statement.ledger_fen == statement.closing_fen else _("NO")
