"""The reports that finance and supervisors take home, with the meaning of every column."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from reports import credit_batch, party_statement, penalties
from reports.workbook import Column
from supervise import clock, db
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.errors import InvalidInputError
from supervise.labels import N_, _, translate
from supervise.ledger.periods import periods
from supervise.views.downloads import send_workbook
from supervise.views.filters import named
from supervise.views.penalties.forms import MONTH

bp = Blueprint("reports", __name__, url_prefix="/reports")


class DescribedSheet(NamedTuple):
    """A sheet of a workbook and its columns, for the page that explains them."""

    title: str
    columns: Sequence[Column[Any]]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Heading and meaning of each column, in the reader's language."""
        return [(translate(column.heading), translate(column.meaning)) for column in self.columns]

    @property
    def words(self) -> str:
        """The title in the reader's language."""
        return translate(self.title)


#: What the page explains; docs/reports.md says the same, and a test compares them.
PENALTY_SHEETS = (
    DescribedSheet(N_("Penalties charged"), penalties.DETAIL_COLUMNS),
    DescribedSheet(N_("Changes in the month"), penalties.CHANGE_COLUMNS),
    DescribedSheet(N_("Control"), penalties.CONTROL_COLUMNS),
)
CREDIT_SHEETS = (
    DescribedSheet(N_("Credit lines"), credit_batch.DETAIL_COLUMNS),
    DescribedSheet(N_("Totals"), credit_batch.TOTAL_COLUMNS),
    DescribedSheet(N_("Control"), credit_batch.CONTROL_COLUMNS),
)
STATEMENT_SHEETS = (DescribedSheet(N_("Movements"), party_statement.LINE_COLUMNS),)


@bp.get("/")
@require(Permission.READ_REPORTS)
def index() -> ResponseReturnValue:
    """List the reports, each with what its columns say."""
    with db.reading() as session:
        months = [period.month for period in periods(session)]
    return render_template(
        "reports/index.html",
        months=months,
        penalty_sheets=PENALTY_SHEETS,
        statement_sheets=STATEMENT_SHEETS,
        credit_sheets=CREDIT_SHEETS,
    )


@bp.get("/penalties")
@require(Permission.READ_REPORTS)
def penalty_workbook() -> Response:
    """Hand over the workbook of a month of the books.

    Raises:
        InvalidInputError: if the month is none, or has not come.
    """
    month = request.args.get("month", clock.month_of(clock.today()))
    if not re.fullmatch(MONTH, month, re.ASCII) or month > clock.month_of(clock.today()):
        raise InvalidInputError(N_("Choose a month up to the present one"))
    with db.reading() as session:
        names = {code: named(row) for code, row in offence_types(session).items()}
        name = _("penalties-%(month)s.xlsx", month=month)
        return send_workbook(
            name, lambda path: penalties.build_penalty_workbook(session, month, names, path, clock.now())
        )
