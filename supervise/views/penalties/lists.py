"""The list of penalties within the user's scope, with its sums by month and type."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.charts import bar_chart_svg
from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.desk.penalty_story import charged_parties, charged_units, first_penalty_month
from supervise.labels import _
from supervise.money import FEN_PER_YUAN, format_yuan
from supervise.parties.scope import Scope
from supervise.penalties.attention import Attention
from supervise.penalties.belonging import speaks_for_charged
from supervise.penalties.models import PenaltyState
from supervise.penalties.queries import (
    PenaltyFilter,
    PenaltyRow,
    PenaltyTotal,
    acknowledged,
    penalties_in_scope,
    penalty_totals,
)
from supervise.views.addresses import address_with
from supervise.views.charts import drawing_response
from supervise.views.filters import named
from supervise.views.penalties.blueprint import bp
from supervise.views.penalties.forms import PenaltyFilterForm

#: Months of the chart; as many offence types as it has colours, the last of which stands for all others.
_CHART_MONTHS = 6
_SERIES_MAX = 6
#: Ten years: a charged call is never out of the filter's reach, and a wrong date makes no endless list.
_MONTHS_OFFERED_MAX = 120


def is_charged_side(user: CurrentUser) -> bool:
    """Say whether *user* belongs to those who are charged: they see what was listed, and nothing before."""
    return user.can(Permission.ACKNOWLEDGE_PENALTIES)


@bp.get("/")
@require(Permission.READ_PENALTIES)
def index() -> ResponseReturnValue:
    """List penalties, the newest first, a page at a time."""
    me = current_user()
    listed_only = is_charged_side(me)
    with db.reading() as session:
        scope = Scope.of(session, me)
        names = {code: named(row) for code, row in offence_types(session).items()}
        form = PenaltyFilterForm(
            parties=charged_parties(session, scope, listed_only=listed_only),
            units=charged_units(session, scope, listed_only=listed_only),
            offences=names,
            months=_months_back(first_penalty_month(session, scope), _MONTHS_OFFERED_MAX),
            listed_only=listed_only,
            user_id=me.id,
            attentions=_attentions(me),
            formdata=request.args,
        )
        after_id = request.args.get("after", type=int)
        wanted = form.wanted()
        page = penalties_in_scope(session, scope, wanted, after_id=after_id)
        sums = _sums(session, scope, listed_only=listed_only)
        hindrances = _hindrances(session, scope, page.rows) if listed_only else {}
    return render_template(
        "penalties/index.html",
        form=form,
        rows=page.rows,
        own={row.id for row in page.rows if listed_only and row.id not in hindrances},
        hindrances=hindrances,
        today=clock.today(),
        names=names,
        months=sums.months,
        month_urls=[address_with(month=month, after=None) for month in sums.months],
        may_read_statements=me.can(Permission.READ_STATEMENTS),
        series=_series(sums, names),
        listed_only=listed_only,
        sees_everything=scope.sees_everything,
        is_narrowed=after_id is not None or wanted != PenaltyFilter(listed_only=listed_only, user_id=me.id),
        next_url=address_with(after=page.next_after_id) if page.next_after_id else None,
    )


def _attentions(user: CurrentUser) -> list[Attention]:
    """Return what the home page may have sent *user* here for."""
    if is_charged_side(user):
        return [Attention.UNOPENED, Attention.CLOSING, Attention.ASKED]
    return [Attention.RETURNED] if user.can(Permission.TRIAGE) else []


def _hindrances(session: Session, scope: Scope, rows: Sequence[PenaltyRow]) -> dict[int, str]:
    """Return in words why the reader cannot acknowledge those of *rows* that they cannot."""
    known = acknowledged(session, {row.id for row in rows})
    words = {}
    for row in rows:
        if not speaks_for_charged(scope, row):
            words[row.id] = _("Only the charged party itself acknowledges this penalty")
        elif row.id in known:
            words[row.id] = _("The charged party has acknowledged this penalty already")
        elif row.state is not PenaltyState.APPROVED:
            words[row.id] = _("State “%(state)s”: there is nothing left to acknowledge", state=row.state.label)
    return words


@bp.get("/by-month.svg")
@require(Permission.READ_PENALTIES)
def chart() -> Response:
    """Draw the last months' penalties by offence type, within the user's scope."""
    me = current_user()
    with db.reading() as session:
        sums = _sums(session, Scope.of(session, me), listed_only=is_charged_side(me))
        names = {code: named(row) for code, row in offence_types(session).items()}
    drawn = [(series.name, [fen // FEN_PER_YUAN for fen in series.values_fen]) for series in _named_series(sums, names)]
    return drawing_response(bar_chart_svg(_("Penalties by month of the call and offence"), sums.months, drawn))


@dataclass(frozen=True)
class _Sums:
    """What is owed by month of the call and offence type."""

    months: list[str]
    totals: Sequence[PenaltyTotal]


class _Series(NamedTuple):
    name: str
    values_fen: list[int]


def _sums(session: Session, scope: Scope, *, listed_only: bool) -> _Sums:
    months = _months_back(None, _CHART_MONTHS)[::-1]
    totals = penalty_totals(session, scope, first_period=months[0], last_period=months[-1], listed_only=listed_only)
    return _Sums(months, totals)


def _months_back(first: str | None, most: int) -> list[str]:
    """Return this month and those before, the newest first: at most *most*, and not before *first*."""
    months: list[str] = []
    month = clock.today().replace(day=1)
    while len(months) < most and (first is None or clock.month_of(month) >= first):
        months.append(clock.month_of(month))
        month = (
            month.replace(year=month.year - 1, month=12) if month.month == 1 else month.replace(month=month.month - 1)
        )
    return months


def _named_series(sums: _Sums, names: dict[str, str]) -> list[_Series]:
    """Return the offence types with the largest sums, the others together, each with a value for every month."""
    by_code: dict[str, dict[str, int]] = {}
    for total in sums.totals:
        of_month = by_code.setdefault(total.offence_code, {})
        of_month[total.period] = of_month.get(total.period, 0) + total.owed_fen
    largest = sorted(by_code, key=lambda code: (-sum(by_code[code].values()), code))
    shown, others = largest[:_SERIES_MAX], largest[_SERIES_MAX:]
    series = [_Series(names.get(code, code), [by_code[code].get(month, 0) for month in sums.months]) for code in shown]
    if others:
        rest = [sum(by_code[code].get(month, 0) for code in others) for month in sums.months]
        series.append(_Series(_("Others"), rest))
    return series


def _series(sums: _Sums, names: dict[str, str]) -> list[tuple[str, list[str]]]:
    return [(one.name, [format_yuan(fen) for fen in one.values_fen]) for one in _named_series(sums, names)]
