"""The workbook of a credit batch for billing and finance: 说明, 赔偿明细, 汇总, 控制 (docs/reports.md).

Built from frozen rows with the frozen language, anchor and moment: the same batch twice is the same bytes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.access.queries import display_names
from supervise.cipher import Keyring
from supervise.compensation.models import CreditBatch
from supervise.compensation.queries import batch_by_id, frozen_portions, frozen_sums
from supervise.complaints.subscribers import full_numbers
from supervise.labels import N_, _, use_locale
from supervise.money import format_yuan

Row = dict[str, Any]

#: The contract with finance: docs/reports.md and tests/reports/test_credit_batch.py.
DETAIL_COLUMNS = (
    Column[Row](
        N_("Batch number"),
        lambda row: row["batch"],
        width=18,
        meaning=N_("Number of the batch, the same in every line; never used again, not even after a void"),
    ),
    Column[Row](
        N_("Line number"),
        lambda row: row["line"],
        CellKind.INTEGER,
        width=8,
        meaning=N_("Place of the line in the batch, from 1 without gaps"),
    ),
    Column[Row](
        N_("Credit number"),
        lambda row: row["credit"],
        width=18,
        meaning=N_("Number of the credit (赔偿单号); the return file names it"),
    ),
    Column[Row](
        N_("Phone number"),
        lambda row: row["number"],
        width=14,
        meaning=N_("The subscriber's full number, as text: the one that was called"),
    ),
    Column[Row](
        N_("Billing account"),
        lambda row: row["account_ref"],
        width=18,
        meaning=N_("Account in billing that is to be credited: the account of whoever held the number at the call"),
    ),
    Column[Row](
        N_("Branch of the account"),
        lambda row: row["region"],
        meaning=N_("Branch of the account's home region, as of the call"),
    ),
    Column[Row](
        N_("Nature"), lambda row: row["nature"], width=8, meaning=N_("Compensation or reward, locked at approval")
    ),
    Column[Row](N_("Type"), lambda row: row["kind"], width=14, meaning=N_("Per call, or lump sum for history")),
    Column[Row](
        N_("Units"),
        lambda row: row["units"],
        CellKind.INTEGER,
        width=8,
        meaning=N_("How often the unit price is credited; always 1, a call has a line of its own"),
    ),
    Column[Row](
        N_("Unit price in yuan"),
        lambda row: row["unit_fen"],
        CellKind.YUAN,
        width=12,
        meaning=N_("Price of one unit as promised"),
    ),
    Column[Row](
        N_("Amount in yuan"),
        lambda row: row["amount_fen"],
        CellKind.YUAN,
        width=12,
        meaning=N_("What is to be credited: units times unit price"),
    ),
    Column[Row](
        N_("Responsible party"),
        lambda row: row["party"],
        width=28,
        meaning=N_(
            "Party that answers for the call by the verdict in force when the credit was made; empty if none does"
        ),
    ),
    Column[Row](
        N_("Recovery"),
        lambda row: row["recovery"],
        width=20,
        meaning=N_("Who bears it in the end: recovered from the party by contract, or borne by the carrier"),
    ),
    Column[Row](
        N_("GL account"),
        lambda row: row["gl_account"],
        width=12,
        meaning=N_("Account of the main general ledger by the dated map of finance"),
    ),
    Column[Row](
        N_("Tax label"), lambda row: row["tax_label"], width=16, meaning=N_("Tax treatment by the dated map of finance")
    ),
    Column[Row](
        N_("Cost centre"),
        lambda row: row["cost_centre"],
        width=12,
        meaning=N_("Cost centre of the branch that bears the expense"),
    ),
    Column[Row](
        N_("Ticket number"),
        lambda row: row["ticket"],
        width=20,
        meaning=N_("Number of the earliest ticket that reports the call"),
    ),
    Column[Row](
        N_("Time of the incident"),
        lambda row: row["occurred"],
        width=20,
        meaning=N_("China time of the call, as text, as precise as it is known; empty for a lump sum"),
    ),
    Column[Row](
        N_("Undertaking number"),
        lambda row: row["promise"],
        width=18,
        meaning=N_("Number of the undertaking, or code of the general policy, that promises the amount"),
    ),
    Column[Row](N_("Approved by"), lambda row: row["approver"], width=12, meaning=N_("Name of the approver")),
    Column[Row](
        N_("Approved at"), lambda row: row["approved"], width=20, meaning=N_("China time of the approval, as text")
    ),
    Column[Row](
        N_("Note"),
        lambda row: row["note"],
        width=24,
        meaning=N_("How often billing has rejected the credit before, if it has"),
    ),
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


def _tell_nobody(_lines_done: int) -> None:
    """A request shows no progress."""


def build_credit_batch_workbook(
    session: Session, keyring: Keyring, batch_id: int, path: Path, *, progress: Callable[[int], None] = _tell_nobody
) -> WorkbookFile:
    """Write the workbook of a batch to *path* in the language it was frozen in; *progress* hears of lines done.

    Raises:
        NotFoundError: if there is no such batch.
    """
    batch = batch_by_id(session, batch_id)
    with use_locale(batch.locale):
        totals = _totals(session, batch_id)
        sheets: list[Sheet[Any]] = [
            Sheet(_("About"), ABOUT_COLUMNS, _about(session, batch)),
            Sheet(_("Credit lines"), DETAIL_COLUMNS, _detail(session, keyring, batch_id, progress), batch.lines_total),
            Sheet(_("Totals"), TOTAL_COLUMNS, totals),
            Sheet(_("Control"), CONTROL_COLUMNS, _control(batch, totals)),
        ]
        return write_workbook(path, sheets, batch.frozen_at)


ABOUT_COLUMNS = (
    Column[Fact](N_("Item"), lambda fact: fact.name, width=24, meaning=N_("Name of the fact")),
    Column[Fact](N_("Value"), lambda fact: fact.value, width=72, meaning=N_("The fact, as text")),
)
TOTAL_COLUMNS = (
    Column[Total](
        N_("Grouped by"),
        lambda total: total.grouping,
        width=20,
        meaning=N_("What the lines are grouped by: branch, type or responsible party"),
    ),
    Column[Total](N_("Group"), lambda total: total.group, width=32, meaning=N_("Name of the group")),
    Column[Total](N_("Count"), lambda total: total.lines, CellKind.INTEGER, width=10, meaning=N_("Number of lines")),
    Column[Total](
        N_("Amount (yuan)"), lambda total: total.amount_fen, CellKind.YUAN, width=16, meaning=N_("Sum of their amounts")
    ),
)
CONTROL_COLUMNS = (
    Column[Control](
        N_("Sheet"), lambda control: control.sheet, width=32, meaning=N_("Sheet or grouping that is added up")
    ),
    Column[Control](
        N_("Count"), lambda control: control.lines, CellKind.INTEGER, width=10, meaning=N_("Number of lines")
    ),
    Column[Control](
        N_("Amount (yuan)"),
        lambda control: control.amount_fen,
        CellKind.YUAN,
        width=16,
        meaning=N_("Sum of their amounts"),
    ),
    Column[Control](
        N_("Equal to the batch"),
        lambda control: control.equal,
        width=16,
        meaning=N_("Whether count and amount equal those of the batch: yes, or NO"),
    ),
)


def _about(session: Session, batch: CreditBatch) -> list[Fact]:
    frozen_at = batch.frozen_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S")
    maker = display_names(session, [batch.frozen_by])[batch.frozen_by]
    return [
        Fact(_("Batch number"), batch.number),
        Fact(_("Booking period"), batch.period),
        Fact(_("Number of credits"), str(batch.lines_total)),
        Fact(_("Total (yuan)"), format_yuan(batch.total_fen)),
        Fact(_("Made by"), maker),
        Fact(_("Frozen at (China time)"), frozen_at),
        Fact(_("SHA-256 of the frozen rows"), batch.rows_sha256),
        Fact(_("Newest seal of the ledger"), batch.anchor),
        Fact(_("Return file"), _("Batch number, credit number, result, failure code, amount, booked at, reference")),
    ]


def _detail(session: Session, keyring: Keyring, batch_id: int, progress: Callable[[int], None]) -> Iterator[Row]:
    done = 0
    for portion in frozen_portions(session, batch_id):
        numbers = full_numbers(session, keyring, [line.number_id for line in portion])
        for line in portion:
            yield line.frozen | {"number": numbers.get(line.number_id, "")}
        done += len(portion)
        progress(done)


def _totals(session: Session, batch_id: int) -> list[Total]:
    """Return the groups by branch, by type and by responsible party, each in the order of its names."""
    groupings = {"region": _("Branch"), "kind": _("Type"), "party": _("Responsible party")}
    return [
        Total(grouping, group.name or _("None"), group.lines, group.amount_fen)
        for field, grouping in groupings.items()
        for group in frozen_sums(session, batch_id, field)
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
