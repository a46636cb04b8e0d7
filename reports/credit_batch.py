"""The workbook of a credit batch for billing and finance: 说明, 赔偿明细, 汇总, 控制 (docs/reports.md).

Built from frozen rows with the frozen language, anchor and moment: the same batch twice is the same bytes.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.access.queries import display_names
from supervise.cipher import Keyring
from supervise.compensation.models import CreditBatch
from supervise.compensation.queries import batch_by_id, frozen_lines, frozen_portions
from supervise.complaints.subscribers import full_numbers
from supervise.labels import N_, _, use_locale
from supervise.money import format_yuan

Row = dict[str, Any]

#: The contract with finance: docs/reports.md and tests/reports/test_credit_batch.py.
DETAIL_COLUMNS = (
    Column[Row](N_("Batch number"), lambda row: row["batch"], width=18),
    Column[Row](N_("Line"), lambda row: row["line"], CellKind.INTEGER, width=8),
    Column[Row](N_("Credit number"), lambda row: row["credit"], width=18),
    Column[Row](N_("Phone number"), lambda row: row["number"], width=14),
    Column[Row](N_("Account"), lambda row: row["account_ref"], width=18),
    Column[Row](N_("Branch of the account"), lambda row: row["region"]),
    Column[Row](N_("Nature"), lambda row: row["nature"], width=8),
    Column[Row](N_("Type"), lambda row: row["kind"], width=14),
    Column[Row](N_("Units"), lambda row: row["units"], CellKind.INTEGER, width=8),
    Column[Row](N_("Unit price (yuan)"), lambda row: row["unit_fen"], CellKind.YUAN, width=12),
    Column[Row](N_("Amount (yuan)"), lambda row: row["amount_fen"], CellKind.YUAN, width=12),
    Column[Row](N_("Responsible party"), lambda row: row["party"], width=28),
    Column[Row](N_("Recovery"), lambda row: row["recovery"], width=20),
    Column[Row](N_("GL account"), lambda row: row["gl_account"], width=12),
    Column[Row](N_("Tax label"), lambda row: row["tax_label"], width=16),
    Column[Row](N_("Cost centre"), lambda row: row["cost_centre"], width=12),
    Column[Row](N_("Ticket"), lambda row: row["ticket"], width=20),
    Column[Row](N_("Time of the call"), lambda row: row["occurred"], width=20),
    Column[Row](N_("Undertaking"), lambda row: row["promise"], width=18),
    Column[Row](N_("Approved by"), lambda row: row["approver"], width=12),
    Column[Row](N_("Approved at"), lambda row: row["approved"], width=20),
    Column[Row](N_("Note"), lambda row: row["note"], width=24),
)


class Fact(NamedTuple):
    """A line of 说明."""

    name: str
    value: str


class Total(NamedTuple):
    """Count and sum of one group of one grouping."""

    grouping: str
    group: str
    lines: int
    amount_fen: int


class Control(NamedTuple):
    """What a sheet or grouping adds up to, and whether it equals the batch."""

    sheet: str
    lines: int
    amount_fen: int
    equal: str


def build_credit_batch_workbook(session: Session, keyring: Keyring, batch_id: int, path: Path) -> WorkbookFile:
    """Write the workbook of a batch to *path* in the language it was frozen in.

    Raises:
        NotFoundError: if there is no such batch.
    """
    batch = batch_by_id(session, batch_id)
    with use_locale(batch.locale):
        totals = _totals(session, batch_id)
        sheets: list[Sheet[Any]] = [
            Sheet(_("About"), ABOUT_COLUMNS, _about(session, batch)),
            Sheet(_("Credits"), DETAIL_COLUMNS, _detail(session, keyring, batch_id), batch.lines_total),
            Sheet(_("Totals"), TOTAL_COLUMNS, totals),
            Sheet(_("Control"), CONTROL_COLUMNS, _control(batch, totals)),
        ]
        return write_workbook(path, sheets, batch.frozen_at)


ABOUT_COLUMNS = (
    Column[Fact](N_("Item"), lambda fact: fact.name, width=24),
    Column[Fact](N_("Value"), lambda fact: fact.value, width=72),
)
TOTAL_COLUMNS = (
    Column[Total](N_("Grouped by"), lambda total: total.grouping, width=20),
    Column[Total](N_("Group"), lambda total: total.group, width=32),
    Column[Total](N_("Count"), lambda total: total.lines, CellKind.INTEGER, width=10),
    Column[Total](N_("Amount (yuan)"), lambda total: total.amount_fen, CellKind.YUAN, width=16),
)
CONTROL_COLUMNS = (
    Column[Control](N_("Sheet"), lambda control: control.sheet, width=32),
    Column[Control](N_("Count"), lambda control: control.lines, CellKind.INTEGER, width=10),
    Column[Control](N_("Amount (yuan)"), lambda control: control.amount_fen, CellKind.YUAN, width=16),
    Column[Control](N_("Equal to the batch"), lambda control: control.equal, width=16),
)


def _about(session: Session, batch: CreditBatch) -> list[Fact]:
    frozen_at = batch.frozen_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S")
    maker = display_names(session, [batch.frozen_by])[batch.frozen_by]
    return [
        Fact(_("Batch number"), batch.number),
        Fact(_("Period"), batch.period),
        Fact(_("Number of credits"), str(batch.lines_total)),
        Fact(_("Total (yuan)"), format_yuan(batch.total_fen)),
        Fact(_("Made by"), maker),
        Fact(_("Frozen at (China time)"), frozen_at),
        Fact(_("SHA-256 of the frozen rows"), batch.rows_sha256),
        Fact(_("Newest seal of the ledger"), batch.anchor),
        Fact(_("Return file"), _("Batch number, credit number, result, failure code, amount, booked at, reference")),
    ]


def _detail(session: Session, keyring: Keyring, batch_id: int) -> Iterator[Row]:
    for portion in frozen_portions(session, batch_id):
        numbers = full_numbers(session, keyring, [line.number_id for line in portion])
        for line in portion:
            yield line.frozen | {"number": numbers[line.number_id]}


def _totals(session: Session, batch_id: int) -> list[Total]:
    """Return the groups by branch, by type and by responsible party, each in the order of its names."""
    groupings = {"region": _("Branch"), "kind": _("Type"), "party": _("Responsible party")}
    counts: Counter[tuple[str, str]] = Counter()
    amounts: Counter[tuple[str, str]] = Counter()
    for line in frozen_lines(session, batch_id):
        for field in groupings:
            group = (field, line.frozen[field])
            counts[group] += 1
            amounts[group] += line.frozen["amount_fen"]
    return [
        Total(groupings[field], name or _("None"), counts[field, name], amounts[field, name])
        for field in groupings
        for name in sorted(name for grouping, name in counts if grouping == field)
    ]


def _control(batch: CreditBatch, totals: list[Total]) -> list[Control]:
    def control(sheet: str, lines: int, amount_fen: int) -> Control:
        is_equal = (lines, amount_fen) == (batch.lines_total, batch.total_fen)
        return Control(sheet, lines, amount_fen, _("yes") if is_equal else _("NO"))

    groupings = dict.fromkeys(total.grouping for total in totals)
    rows = [control(_("Batch"), batch.lines_total, batch.total_fen)]
    for grouping in groupings:
        members = [total for total in totals if total.grouping == grouping]
        rows.append(
            control(
                f"{_('Totals')}: {grouping}",
                sum(total.lines for total in members),
                sum(total.amount_fen for total in members),
            )
        )
    return rows
