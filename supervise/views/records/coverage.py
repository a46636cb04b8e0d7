"""Which platforms and days have records, a month at a time: "no call found" is not "no records of that day"."""

import datetime as dt
from collections.abc import Sequence

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.errors import InvalidInputError
from supervise.evidence.coverage_calendar import CoveredDay, DayState, coverage_of_month
from supervise.evidence.models import RecordKind
from supervise.labels import N_
from supervise.views.records.blueprint import bp
from supervise.views.registers import may_write

#: Earlier and later months are typing errors.
_FIRST, _LAST = "2000-01", "2099-12"


class NoSuchMonthError(InvalidInputError):
    """The address names no month or no kind of record."""

    message = N_("This address names no month; begin with the present one")


@bp.get("/coverage")
@require(Permission.READ_TICKETS)
def coverage() -> ResponseReturnValue:
    """Show a month of one kind of record as a calendar for each platform."""
    kind_name = request.args.get("kind", RecordKind.CALLS.value)
    month = request.args.get("month") or clock.month_of(clock.today())
    if kind_name not in set(RecordKind):
        raise NoSuchMonthError
    try:
        first, end = clock.month_bounds(month)
    except ValueError:
        raise NoSuchMonthError from None
    month = clock.month_of(first)
    if not _FIRST <= month <= _LAST:
        raise NoSuchMonthError
    kind = RecordKind(kind_name)
    with db.reading() as session:
        platforms = coverage_of_month(session, kind, month)
    return render_template(
        "records/coverage.html",
        kind=kind,
        kinds=list(RecordKind),
        month=month,
        platforms=platforms,
        states=list(DayState),
        missing=sum(len(one.missing) for one in platforms),
        grids=[(one, _weeks(one.days)) for one in platforms],
        short=_short,
        previous_url=url_for(".coverage", kind=kind.value, month=_month_before(month)),
        next_url=url_for(".coverage", kind=kind.value, month=clock.month_of(end)) if end <= clock.today() else None,
        today=clock.today(),
        may_write=may_write(),
    )


def _weeks(days: Sequence[CoveredDay]) -> list[list[CoveredDay | None]]:
    """Return the days in rows from Monday to Sunday; None stands before the first and after the last."""
    cells: list[CoveredDay | None] = [None] * days[0].day.weekday() + list(days)
    cells += [None] * (-len(cells) % 7)
    return [cells[start : start + 7] for start in range(0, len(cells), 7)]


def _short(rows: int) -> str:
    """Return a count that fits a cell of the calendar."""
    for unit, word in ((1_000_000, "M"), (1_000, "k")):
        if rows >= unit * 10:
            return f"{rows // unit}{word}"
    return f"{rows}"


def _month_before(month: str) -> str:
    return clock.month_of(clock.month_bounds(month)[0] - dt.timedelta(days=1))
