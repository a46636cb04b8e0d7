"""The monthly penalty workbook for finance: 说明, 扣罚明细, 变动, 控制 (docs/reports.md).

The month is the one in which the ledger booked, not that of the call, which has a column of its own.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.complaints.models import Precision
from supervise.labels import N_, _
from supervise.money import format_yuan
from supervise.penalties.booked import AccountControl, BookedMonth, Change, ChargedPenalty, booked_month
from supervise.penalties.models import PenaltyFamily, PenaltyState


class PenaltyRow(NamedTuple):
    """A charged penalty, with the words for its offence."""

    charged: ChargedPenalty
    offence: str


def _settlement(row: PenaltyRow) -> str:
    if row.charged.penalty.family is PenaltyFamily.INTERNAL:
        return _("Internal assessment, no cash")
    if row.charged.penalty.state is PenaltyState.FINAL:
        if not row.charged.penalty.settled_fen:
            return _("Receivable, not settled yet")
        return _("Partly settled") if row.charged.penalty.open_fen else _("Settled")
    return ""


def _occurred(row: PenaltyRow) -> str:
    """Return China time as text, as exactly as it is known; no spreadsheet shifts it."""
    shapes = {Precision.DAY: "%Y-%m-%d", Precision.MINUTE: "%Y-%m-%d %H:%M", Precision.SECOND: "%Y-%m-%d %H:%M:%S"}
    return row.charged.occurred_at.astimezone(clock.CHINA).strftime(shapes[row.charged.precision])


#: The contract with finance: docs/reports.md, tests/reports/test_penalties.py.
DETAIL_COLUMNS = (
    Column[PenaltyRow](
        N_("Penalty number"),
        lambda row: row.charged.penalty.reference,
        width=18,
        meaning=N_("Our number of the penalty, never used twice"),
    ),
    Column[PenaltyRow](
        N_("Responsible party"),
        lambda row: row.charged.party,
        width=28,
        meaning=N_("Who is charged: the partner under contract, or the branch"),
    ),
    Column[PenaltyRow](
        N_("Kind"),
        lambda row: row.charged.penalty.family.label,
        width=12,
        meaning=N_("Contract damages of a partner, or internal assessment of a branch; the two are never added up"),
    ),
    Column[PenaltyRow](
        N_("Branch"),
        lambda row: row.charged.unit,
        width=16,
        meaning=N_("The branch that sponsored the call, as of the call"),
    ),
    Column[PenaltyRow](
        N_("Contract number"),
        lambda row: row.charged.contract,
        width=18,
        meaning=N_("The contract or assessment policy that priced it"),
    ),
    Column[PenaltyRow](
        N_("Rule version"),
        lambda row: row.charged.rule,
        width=22,
        meaning=N_("The rule and its version in force at the call"),
    ),
    Column[PenaltyRow](
        N_("Offence type"),
        lambda row: row.offence,
        width=24,
        meaning=N_("The offence that was proven"),
    ),
    Column[PenaltyRow](
        N_("Incident time"),
        _occurred,
        width=20,
        meaning=N_("China time, as exactly as it is known"),
    ),
    Column[PenaltyRow](
        N_("Month of the call"),
        lambda row: row.charged.penalty.period,
        width=10,
        meaning=N_("The month in which the call was; the workbook goes by the month of booking"),
    ),
    Column[PenaltyRow](
        N_("Gross (yuan)"),
        lambda row: row.charged.penalty.gross_fen,
        CellKind.YUAN,
        12,
        meaning=N_("What the rule sets before caps"),
    ),
    Column[PenaltyRow](
        N_("Cut by caps (yuan)"),
        lambda row: row.charged.penalty.capped_fen,
        CellKind.YUAN,
        12,
        meaning=N_("What exceeds a cap and is not charged"),
    ),
    Column[PenaltyRow](
        N_("Charged (yuan)"),
        lambda row: row.charged.penalty.amount_fen,
        CellKind.YUAN,
        12,
        meaning=N_("Gross less the cut: what was booked at approval"),
    ),
    Column[PenaltyRow](
        N_("Lifted since (yuan)"),
        lambda row: row.charged.penalty.lifted_fen,
        CellKind.YUAN,
        12,
        meaning=N_("What objections and reversals have taken off since, booked in whatever month"),
    ),
    Column[PenaltyRow](
        N_("Penalty state"),
        lambda row: row.charged.penalty.state.label,
        width=14,
        meaning=N_("Where it stands when the workbook is made"),
    ),
    Column[PenaltyRow](
        N_("Result of the objection"),
        lambda row: row.charged.objection.label if row.charged.objection else "",
        width=14,
        meaning=N_("Empty: nobody objected, or the objection was withdrawn"),
    ),
    Column[PenaltyRow](
        N_("Settled by"),
        _settlement,
        width=20,
        meaning=N_("How it is settled: nothing moves for an assessment; damages stand as receivable once final"),
    ),
    Column[PenaltyRow](
        N_("Settlement period"),
        lambda row: row.charged.final_period,
        width=10,
        meaning=N_("The month in which it was booked as final; empty before"),
    ),
    Column[PenaltyRow](
        N_("Related tickets"),
        lambda row: row.charged.tickets,
        width=26,
        meaning=N_("Every ticket that reports the call"),
    ),
)

CHANGE_COLUMNS = (
    Column[Change](N_("Day"), lambda row: row.on.isoformat(), width=12, meaning=N_("The day it took effect")),
    Column[Change](
        N_("Penalty number"),
        lambda row: row.reference,
        width=18,
        meaning=N_("The penalty that changed; it may have been charged in an earlier month"),
    ),
    Column[Change](N_("Responsible party"), lambda row: row.party, width=28, meaning=N_("Who is charged")),
    Column[Change](
        N_("Kind"),
        lambda row: row.family.label,
        width=12,
        meaning=N_("Contract damages or internal assessment"),
    ),
    Column[Change](
        N_("Kind of change"),
        lambda row: row.kind.label,
        width=20,
        meaning=N_("Lifted after an objection, became final, or taken back after it was final"),
    ),
    Column[Change](
        N_("Charged (yuan)"),
        lambda row: row.charged_fen,
        CellKind.YUAN,
        12,
        meaning=N_("What was charged at first"),
    ),
    Column[Change](
        N_("Change of contestable (yuan)"),
        lambda row: row.contestable_fen,
        CellKind.YUAN,
        14,
        meaning=N_("Movement on the account of what can still be objected to"),
    ),
    Column[Change](
        N_("Change of final (yuan)"),
        lambda row: row.final_fen,
        CellKind.YUAN,
        14,
        meaning=N_("Movement on the account of what is final"),
    ),
    Column[Change](N_("Reason"), lambda row: row.reason, width=36, meaning=N_("The reason that was given")),
)

CONTROL_COLUMNS = (
    Column[AccountControl](
        N_("Ledger account"),
        lambda row: f"{row.account.value} {row.account.label}",
        width=34,
        meaning=N_("The account of our ledger"),
    ),
    Column[AccountControl](
        N_("Opening (yuan)"),
        lambda row: row.opening_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Balance of the ledger before the month"),
    ),
    Column[AccountControl](
        N_("Charged (yuan)"),
        lambda row: row.charged_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Sum of the sheet of penalties"),
    ),
    Column[AccountControl](
        N_("Changes (yuan)"),
        lambda row: row.changed_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Sum of the sheet of changes"),
    ),
    Column[AccountControl](
        N_("Closing (yuan)"),
        lambda row: row.closing_fen,
        CellKind.YUAN,
        16,
        meaning=N_("Opening, charged and changes added up"),
    ),
    Column[AccountControl](
        N_("Ledger closing (yuan)"),
        lambda row: row.ledger_closing_fen,
        CellKind.YUAN,
        16,
        meaning=N_("What the ledger says by itself at the end of the month"),
    ),
    Column[AccountControl](
        N_("Equal to the ledger"),
        lambda row: _("yes") if row.is_equal else _("NO"),
        width=16,
        meaning=N_("Anything but yes is a fault: stop and ask"),
    ),
)


class Fact(NamedTuple):
    """A line of 说明."""

    name: str
    value: str


ABOUT_COLUMNS = (
    Column[Fact](N_("Item"), lambda fact: fact.name, width=28),
    Column[Fact](N_("Value"), lambda fact: fact.value, width=72),
)


def build_penalty_workbook(
    session: Session, month: str, offence_names: Mapping[str, str], path: Path, made_at: dt.datetime
) -> WorkbookFile:
    """Write the workbook of what was booked in *month* (``2026-11``) to *path*, in the current locale."""
    booked = booked_month(session, month)
    rows = [
        PenaltyRow(one, offence_names.get(one.penalty.offence_code, one.penalty.offence_code)) for one in booked.charged
    ]
    sheets: list[Sheet[Any]] = [
        Sheet(_("About"), ABOUT_COLUMNS, _about(booked, made_at)),
        Sheet(_("Penalties charged"), DETAIL_COLUMNS, rows),
        Sheet(_("Changes in the month"), CHANGE_COLUMNS, booked.changes),
        Sheet(_("Control"), CONTROL_COLUMNS, booked.controls),
    ]
    return write_workbook(path, sheets, made_at)


def _about(booked: BookedMonth, made_at: dt.datetime) -> list[Fact]:
    def total(family: PenaltyFamily) -> str:
        return format_yuan(
            sum(row.penalty.amount_fen for row in booked.charged if row.penalty.family is family), grouped=True
        )

    return [
        Fact(_("Booking period"), booked.month),
        Fact(_("Made at (China time)"), made_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S")),
        Fact(_("Penalties charged"), str(len(booked.charged))),
        Fact(_("Contract damages charged (yuan)"), total(PenaltyFamily.EXTERNAL)),
        Fact(_("Internal assessments charged (yuan)"), total(PenaltyFamily.INTERNAL)),
        Fact(_("Changes in the month"), str(len(booked.changes))),
        Fact(
            _("Equal to the ledger"),
            _("yes") if all(control.is_equal for control in booked.controls) else _("NO"),
        ),
    ]
