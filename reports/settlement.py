"""The workbook of a settlement run, and of the ageing: values, never formulas; a control sheet beside the ledger."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from reports.registers import day_text
from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.labels import N_, _
from supervise.settlement.ageing import Age, AgedParty
from supervise.settlement.control import InternalUnit, SourceControl, internal_assessments, source_controls
from supervise.settlement.models import SettlementRun
from supervise.settlement.queries import LineRow, SettlementRow, lines_of_run, settlements_of_run


class Line(NamedTuple):
    """A line of the run, with who pays it."""

    row: LineRow
    payer: str


class Fact(NamedTuple):
    """A line of the first sheet."""

    name: str
    value: str


def _what_became(line: Line) -> str:
    """Return in words what the line is: its source, or why it is left out, or why it fell out."""
    one = line.row.line
    if one.left_out is not None:
        return one.left_out.label
    return one.fell_out.label if one.fell_out is not None else ""


#: The contract with finance: docs/reports.md, tests/settlement/test_workbook.py.
PARTY_COLUMNS = (
    Column[SettlementRow](N_("Party code"), lambda row: row.party_code, width=16, meaning=N_("Our code of the party")),
    Column[SettlementRow](
        N_("Responsible party"), lambda row: row.party_name, width=28, meaning=N_("With whom it is settled")
    ),
    Column[SettlementRow](
        N_("Standing"), lambda row: row.settlement.state.label, width=16, meaning=N_("What became of the settlement")
    ),
    Column[SettlementRow](
        N_("Owed (yuan)"),
        lambda row: row.settlement.owed_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Due and open at the cut-off, what is disputed included"),
    ),
    Column[SettlementRow](
        N_("Refund set off (yuan)"),
        lambda row: row.settlement.refund_fen,
        CellKind.YUAN,
        16,
        meaning=N_("A refund due to the party, set against what it owes"),
    ),
    Column[SettlementRow](
        N_("From the deposit (yuan)"),
        lambda row: row.settlement.deposit_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Drawn from the deposit"),
    ),
    Column[SettlementRow](
        N_("From commission (yuan)"),
        lambda row: row.settlement.commission_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Set off against the month's commission once the notice has arrived"),
    ),
    Column[SettlementRow](
        N_("Asked for in cash (yuan)"),
        lambda row: row.settlement.cash_fen,
        CellKind.YUAN,
        16,
        meaning=N_("To be paid by the party"),
    ),
    Column[SettlementRow](
        N_("For joint debtors (yuan)"),
        lambda row: row.settlement.joint_fen,
        CellKind.YUAN,
        16,
        meaning=N_("What of it pays a joint debtor's share; the payer has recourse"),
    ),
    Column[SettlementRow](
        N_("To pay out (yuan)"),
        lambda row: row.settlement.payout_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Owed to the party beyond its debts"),
    ),
    Column[SettlementRow](
        N_("Deposit to top up (yuan)"),
        lambda row: row.settlement.top_up_fen,
        CellKind.YUAN,
        16,
        meaning=N_("By how much the deposit then falls short"),
    ),
    Column[SettlementRow](
        N_("Notice arrived on"),
        lambda row: day_text(row.settlement.delivered_on) if row.settlement.delivered_on else "",
        width=14,
        meaning=N_("The day on which the set-off took effect"),
    ),
)
LINE_COLUMNS = (
    Column[Line](N_("Responsible party"), lambda line: line.payer, width=28, meaning=N_("Who pays")),
    Column[Line](
        N_("What is owed"),
        lambda line: line.row.line.debt.kind.label,
        width=18,
        meaning=N_("A penalty, the recovery of a subscriber's credit, or the recourse of a regulator's fine"),
    ),
    Column[Line](
        N_("Document number"), lambda line: line.row.reference, width=18, meaning=N_("Our number of what is owed")
    ),
    Column[Line](N_("Who owes it"), lambda line: line.row.debtor, width=28, meaning=N_("Who was charged")),
    Column[Line](
        N_("Due since"),
        lambda line: day_text(clock.china_day(line.row.due_at)) if line.row.due_at else "",
        width=12,
        meaning=N_("The day on which the penalty became final, or the claim was approved"),
    ),
    Column[Line](
        N_("Taken from"),
        lambda line: line.row.line.source.label if line.row.line.source else "",
        width=14,
        meaning=N_("The source of the money; empty where it is left out"),
    ),
    Column[Line](
        N_("Proposed (yuan)"),
        lambda line: line.row.line.proposed_fen,
        CellKind.YUAN,
        16,
        meaning=N_("As the approver saw it"),
    ),
    Column[Line](
        N_("Collected (yuan)"),
        lambda line: line.row.line.collected_fen,
        CellKind.YUAN,
        16,
        meaning=N_("As it was posted; empty while it waits"),
    ),
    Column[Line](
        N_("Remark"), _what_became, width=40, meaning=N_("Why it is left out, or why less was collected than proposed")
    ),
)
CONTROL_COLUMNS = (
    Column[SourceControl](N_("Source"), lambda row: row.source.label, width=18, meaning=N_("Where the money is from")),
    Column[SourceControl](
        N_("Sum of the parties (yuan)"),
        lambda row: row.parties_fen,
        CellKind.YUAN,
        18,
        meaning=N_("Sum of the sheet of parties"),
    ),
    Column[SourceControl](
        N_("Sum of the lines (yuan)"),
        lambda row: row.lines_fen,
        CellKind.YUAN,
        18,
        meaning=N_("Sum of what the sheet of lines proposes"),
    ),
    Column[SourceControl](
        N_("Collected (yuan)"),
        lambda row: row.collected_fen,
        CellKind.YUAN,
        18,
        meaning=N_("Sum of what the sheet of lines has collected"),
    ),
    Column[SourceControl](
        N_("Ledger (yuan)"),
        lambda row: row.ledger_fen,
        CellKind.YUAN,
        18,
        meaning=N_("What the ledger says by itself of the entries of this run"),
    ),
    Column[SourceControl](
        N_("Equal to the ledger"),
        lambda row: _("yes") if row.is_equal else _("NO"),
        width=16,
        meaning=N_("Anything but yes is a fault: stop and ask"),
    ),
)
INTERNAL_COLUMNS = (
    Column[InternalUnit](N_("Unit code"), lambda row: row.code, width=16, meaning=N_("Our code of the unit")),
    Column[InternalUnit](N_("Unit"), lambda row: row.name, width=28, meaning=N_("The branch that was assessed")),
    Column[InternalUnit](
        N_("Assessed (yuan)"),
        lambda row: row.assessed_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Balance of 9001.02; nothing of it is collected"),
    ),
    Column[InternalUnit](
        N_("Offset (yuan)"), lambda row: row.offset_fen, CellKind.YUAN, 16, meaning=N_("Balance of 9002.02")
    ),
    Column[InternalUnit](
        N_("Together (yuan)"),
        lambda row: row.assessed_fen + row.offset_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Zero: inside the carrier it nets out"),
    ),
)
ABOUT_COLUMNS = (
    Column[Fact](N_("Item"), lambda fact: fact.name, width=28),
    Column[Fact](N_("Value"), lambda fact: fact.value, width=72),
)


def _of_age(age: Age) -> Column[AgedParty]:
    words = {
        Age.TO_30: N_("0-30 days (yuan)"),
        Age.TO_90: N_("31-90 days (yuan)"),
        Age.TO_180: N_("91-180 days (yuan)"),
        Age.OVER: N_("Over 180 days (yuan)"),
    }
    return Column[AgedParty](words[age], lambda row: row.fen[age], CellKind.YUAN, 18)


AGEING_COLUMNS = (
    Column[AgedParty](N_("Party code"), lambda row: row.code, width=16),
    Column[AgedParty](N_("Responsible party"), lambda row: row.name, width=28),
    *(_of_age(age) for age in Age),
    Column[AgedParty](N_("Together (yuan)"), lambda row: row.total_fen, CellKind.YUAN, 18),
)


def build_settlement_workbook(session: Session, run: SettlementRun, path: Path, made_at: dt.datetime) -> WorkbookFile:
    """Write the workbook of *run* to *path*, in the current locale."""
    parties = settlements_of_run(session, run.id, limit=None)
    controls = source_controls(session, run.id)
    sheets: list[Sheet[Any]] = [
        Sheet(_("About"), ABOUT_COLUMNS, _about(run, parties, controls, made_at)),
        Sheet(_("Parties"), PARTY_COLUMNS, parties),
        Sheet(_("Settlement lines"), LINE_COLUMNS, [Line(*row) for row in lines_of_run(session, run.id)]),
        Sheet(_("Internal assessments"), INTERNAL_COLUMNS, internal_assessments(session)),
        Sheet(_("Control"), CONTROL_COLUMNS, controls),
    ]
    return write_workbook(path, sheets, made_at)


def build_ageing_workbook(rows: Sequence[AgedParty], day: dt.date, path: Path, made_at: dt.datetime) -> WorkbookFile:
    """Write what each party owes by age at the end of *day* to *path*, in the current locale."""
    total = AgedParty(0, "", _("Together"), {age: sum(row.fen[age] for row in rows) for age in Age})
    about = [Fact(_("As of"), day.isoformat()), _made(made_at)]
    sheets: list[Sheet[Any]] = [
        Sheet(_("About"), ABOUT_COLUMNS, about),
        Sheet(_("Ageing"), AGEING_COLUMNS, [*rows, total]),
    ]
    return write_workbook(path, sheets, made_at)


def _made(made_at: dt.datetime) -> Fact:
    return Fact(_("Made at (China time)"), made_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S"))


def _about(
    run: SettlementRun, parties: Sequence[SettlementRow], controls: Sequence[SourceControl], made_at: dt.datetime
) -> list[Fact]:
    cut_off = run.cut_off_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S")
    return [
        Fact(_("Settlement run"), run.number),
        Fact(_("Month"), run.month),
        Fact(_("State"), run.state.label),
        Fact(_("Cut-off (China time)"), cut_off),
        Fact(_("Parties"), str(len(parties))),
        Fact(_("Equal to the ledger"), _("yes") if all(one.is_equal for one in controls) else _("NO")),
        _made(made_at),
    ]
