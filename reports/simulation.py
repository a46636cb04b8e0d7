"""The workbook of a simulation: sums by party and month, every line, what could not be priced; values, no formulas."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.labels import N_, _
from supervise.penalties.explain import explain_in_words
from supervise.penalties.simulation import SimulatedLine, SimulatedSum, Simulation, Unpriced


class SimulatedRow(NamedTuple):
    """A line, with its words."""

    line: SimulatedLine
    party: str
    offence: str
    words: str


class Fact(NamedTuple):
    """A line of the first sheet."""

    name: str
    value: str


ABOUT_COLUMNS = (
    Column[Fact](N_("Item"), lambda fact: fact.name, width=28),
    Column[Fact](N_("Value"), lambda fact: fact.value, width=72),
)
#: The contract with its readers: docs/reports.md, tests/reports/test_simulation.py.
SUM_COLUMNS = (
    Column[SimulatedSum](N_("Responsible party"), lambda row: row.party, width=28, meaning=N_("Who bears the amounts")),
    Column[SimulatedSum](
        N_("Month of the call"), lambda row: row.month, width=12, meaning=N_("The China month of the call")
    ),
    Column[SimulatedSum](
        N_("Penalties"), lambda row: row.charged, CellKind.INTEGER, 10, meaning=N_("Charged, or waiting for approval")
    ),
    Column[SimulatedSum](
        N_("Charged (yuan)"),
        lambda row: row.charged_fen,
        CellKind.YUAN,
        meaning=N_("What they came to when they were made"),
    ),
    Column[SimulatedSum](
        N_("Lifted since (yuan)"),
        lambda row: row.lifted_fen,
        CellKind.YUAN,
        meaning=N_("What objections, waivers and reversals have taken off again"),
    ),
    Column[SimulatedSum](
        N_("Penalties simulated"),
        lambda row: row.simulated,
        CellKind.INTEGER,
        12,
        meaning=N_("What the version would charge"),
    ),
    Column[SimulatedSum](
        N_("Cut by caps (yuan)"),
        lambda row: row.capped_fen,
        CellKind.YUAN,
        meaning=N_("Of the simulated amounts, what exceeds a cap"),
    ),
    Column[SimulatedSum](
        N_("Simulated (yuan)"), lambda row: row.simulated_fen, CellKind.YUAN, meaning=N_("What the version comes to")
    ),
    Column[SimulatedSum](
        N_("Difference (yuan)"),
        lambda row: row.difference_fen,
        CellKind.YUAN,
        meaning=N_("Simulated, less what is left of the charges"),
    ),
)
LINE_COLUMNS = (
    Column[SimulatedRow](
        N_("Day of the call"),
        lambda row: row.line.occurred_on.isoformat(),
        width=12,
        meaning=N_("The China day of the call"),
    ),
    Column[SimulatedRow](
        N_("Call"), lambda row: row.line.incident_id, CellKind.INTEGER, 10, meaning=N_("Our number of the call")
    ),
    Column[SimulatedRow](N_("Responsible party"), lambda row: row.party, width=28, meaning=N_("Who bears the amounts")),
    Column[SimulatedRow](
        N_("Offence type"), lambda row: row.offence, width=20, meaning=N_("The offence that was proven")
    ),
    Column[SimulatedRow](
        N_("Charged (yuan)"),
        lambda row: row.line.charged_fen,
        CellKind.YUAN,
        meaning=N_("What they came to when they were made"),
    ),
    Column[SimulatedRow](
        N_("Lifted since (yuan)"),
        lambda row: row.line.lifted_fen,
        CellKind.YUAN,
        meaning=N_("What objections, waivers and reversals have taken off again"),
    ),
    Column[SimulatedRow](
        N_("Simulated (yuan)"),
        lambda row: row.line.simulated_fen,
        CellKind.YUAN,
        meaning=N_("What the version comes to"),
    ),
    Column[SimulatedRow](
        N_("Difference (yuan)"),
        lambda row: row.line.difference_fen,
        CellKind.YUAN,
        meaning=N_("Simulated, less what is left of the charges"),
    ),
    Column[SimulatedRow](
        N_("Reason"), lambda row: row.words, width=80, meaning=N_("How the simulated amount came about")
    ),
)
UNPRICED_COLUMNS = (
    Column[Unpriced](N_("Reason"), lambda row: row.words, width=80, meaning=N_("Why calls could not be simulated")),
    Column[Unpriced](N_("Calls"), lambda row: row.calls, CellKind.INTEGER, 10, meaning=N_("How many")),
    Column[Unpriced](
        N_("First call"),
        lambda row: row.incident_id,
        CellKind.INTEGER,
        10,
        meaning=N_("Our number of the first of them"),
    ),
)


def build_simulation_workbook(
    found: Simulation, offence_names: Mapping[str, str], path: Path, made_at: dt.datetime
) -> WorkbookFile:
    """Write *found* to *path*, in the current locale; the sums stand above as one line and add up to the lines."""
    total = found.total()._replace(party=_("Together"))
    rows = [
        SimulatedRow(
            line,
            found.parties[line.party_id],
            offence_names.get(line.offence_code, line.offence_code),
            _words(line, offence_names),
        )
        for line in found.lines
    ]
    sheets: list[Sheet[Any]] = [
        Sheet(_("About"), ABOUT_COLUMNS, _about(found, made_at)),
        Sheet(_("By party and month"), SUM_COLUMNS, [*found.by_party(), total]),
        Sheet(_("Lines"), LINE_COLUMNS, rows),
        Sheet(_("Not simulated"), UNPRICED_COLUMNS, found.unpriced),
    ]
    return write_workbook(path, sheets, made_at)


def _words(line: SimulatedLine, offence_names: Mapping[str, str]) -> str:
    if line.explanation is not None:
        return " ".join(explain_in_words(line.explanation, offence_names))
    return line.spared or _("It is not proven any more, or another rule or contract prices it")


def _about(found: Simulation, made_at: dt.datetime) -> list[Fact]:
    return [
        Fact(
            _("Simulated rule"), _("%(code)s version %(number)s", code=found.version.code, number=found.version.number)
        ),
        Fact(_("Contract"), f"{found.contract.number} {found.contract.name}"),
        Fact(_("Months of the calls"), f"{found.first_month} – {found.last_month}"),
        Fact(_("Calls priced"), str(found.calls)),
        Fact(_("Calls not simulated"), str(sum(one.calls for one in found.unpriced))),
        Fact(_("What it is"), _("A simulation: nothing of it is owed, nothing was posted")),
        Fact(_("Made at (China time)"), made_at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M:%S")),
    ]
