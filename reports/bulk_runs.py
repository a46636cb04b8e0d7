"""What became of the rows of a bulk run, as CSV."""

from collections.abc import Iterable, Iterator

from reports.registers import register_csv
from reports.workbook import Column
from supervise.desk.run_results import RunResult
from supervise.labels import N_, translate

COLUMNS = (
    Column[RunResult](N_("Document number"), lambda row: row.reference),
    Column[RunResult](N_("Incident"), lambda row: row.incident_id),
    Column[RunResult](N_("Caller"), lambda row: row.caller_number),
    Column[RunResult](N_("Action"), lambda row: translate(row.what)),
    Column[RunResult](N_("Result"), lambda row: translate(N_("Refused") if row.refusal else N_("Done"))),
    Column[RunResult](N_("Reason"), lambda row: row.words if row.refusal else None),
)


def run_results_csv(rows: Iterable[RunResult]) -> Iterator[str]:
    """Yield a line for each result, after the headings."""
    return register_csv(COLUMNS, rows)
