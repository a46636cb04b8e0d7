"""What a rule version would have charged in past months: the sums, the drawing, the lines that differ, the workbook."""

import datetime as dt

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms.validators import InputRequired, Regexp

from reports.charts import bar_chart_svg
from reports.simulation import build_simulation_workbook
from supervise import clock, db
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.contracts import queries
from supervise.errors import NotFoundError, RefusalError
from supervise.labels import _, _l
from supervise.money import FEN_PER_YUAN
from supervise.penalties.explain import explain_in_words
from supervise.penalties.simulation import SimulatedLine, Simulation, simulate
from supervise.views.addresses import address_with
from supervise.views.charts import drawing_response
from supervise.views.contracts.blueprint import bp
from supervise.views.downloads import send_workbook
from supervise.views.filters import named
from supervise.views.forms import FilterForm, WordsField
from supervise.views.penalties.forms import MONTH

#: More lines are for the workbook.
_LINES_SHOWN = 50
_MONTHS_AT_FIRST = 3


class MonthField(WordsField):
    """A month as the browser's own picker sends it, ``2026-11``."""


class SimulationForm(FilterForm):
    """The months to look back on."""

    first = MonthField(
        _l("First month"),
        validators=[InputRequired(), Regexp(f"^{MONTH}$", message=_l("Such as 2026-11"))],
        render_kw={"type": "month"},
    )
    last = MonthField(
        _l("Last month"),
        validators=[InputRequired(), Regexp(f"^{MONTH}$", message=_l("Such as 2026-11"))],
        render_kw={"type": "month"},
    )

    def wanted(self) -> tuple[str, str] | None:
        """Return the months asked for; None and what is shown at first, if none or nonsense was."""
        if "first" in request.args and self.validate():
            return self.first.data or "", self.last.data or ""
        if "first" not in request.args:
            last_day = clock.today().replace(day=1) - dt.timedelta(days=1)
            first_day = last_day
            for _month in range(_MONTHS_AT_FIRST - 1):
                first_day = first_day.replace(day=1) - dt.timedelta(days=1)
            self.first.data, self.last.data = clock.month_of(first_day), clock.month_of(last_day)
        return None


@bp.get("/rules/<int:rule_id>/simulation")
@require(Permission.READ_CONTRACTS)
def simulation(rule_id: int) -> ResponseReturnValue:
    """Ask for months, and show what the version would have charged in them beside what was charged."""
    form = SimulationForm(formdata=request.args)
    months = form.wanted()
    found: Simulation | None = None
    refusal: RefusalError | None = None
    with db.reading() as session:
        version = queries.rule_by_id(session, rule_id)
        contract = queries.contract_by_id(session, version.contract_id)
        names = _offence_names(session)
        if months is not None:
            try:
                found = simulate(session, rule_id, first_month=months[0], last_month=months[1])
            except RefusalError as error:
                refusal = error
    page = render_template(
        "contracts/simulation.html",
        form=form,
        rule=version,
        contract=contract,
        found=found,
        refusal=refusal,
        names=names,
        **_shown(found, names),
        chart_url=address_with(".simulation_chart", rule_id=rule_id),
        workbook_url=address_with(".simulation_workbook", rule_id=rule_id),
    )
    return page, refusal.status if refusal else 400 if form.errors else 200


def _shown(found: Simulation | None, names: dict[str, str]) -> dict[str, object]:
    """Return the sums, and the lines that differ with how their amounts came about."""
    if found is None:
        return {}
    differing = found.differing()
    lines = differing[:_LINES_SHOWN]
    return {
        "total": found.total(),
        "months": found.by_month(),
        "parties": found.by_party(),
        "lines": [(line, _words(line, names)) for line in lines],
        "differing": len(differing),
    }


def _words(line: SimulatedLine, names: dict[str, str]) -> list[str]:
    if line.explanation is not None:
        return explain_in_words(line.explanation, names)
    return [line.spared or _("It is not proven any more, or another rule or contract prices it")]


def _offence_names(session: Session) -> dict[str, str]:
    return {code: named(row) for code, row in offence_types(session).items()}


def _asked() -> tuple[str, str]:
    """Return the months asked for, or those that the page shows at first."""
    form = SimulationForm(formdata=request.args)
    form.wanted()
    if form.errors:
        raise NotFoundError
    return form.first.data or "", form.last.data or ""


@bp.get("/rules/<int:rule_id>/simulation.svg")
@require(Permission.READ_CONTRACTS)
def simulation_chart(rule_id: int) -> Response:
    """Draw what is left of the charges of each month beside what was simulated."""
    first, last = _asked()
    with db.reading() as session:
        months = simulate(session, rule_id, first_month=first, last_month=last).by_month()
    series = [(_("Charged, less what was lifted"), [_yuan(one.left_fen) for one in months])]
    series.append((_("Simulated"), [_yuan(one.simulated_fen) for one in months]))
    title = _("Charged and simulated by month (yuan)")
    return drawing_response(bar_chart_svg(title, [one.month for one in months], series, beside=True))


def _yuan(fen: int) -> int:
    """Return yuan for the eye; the table beside has the fen."""
    return round(fen / FEN_PER_YUAN)


@bp.get("/rules/<int:rule_id>/simulation/workbook")
@require(Permission.READ_CONTRACTS)
def simulation_workbook(rule_id: int) -> Response:
    """Hand the simulation over as a workbook, every line in it."""
    first, last = _asked()
    with db.reading() as session:
        found = simulate(session, rule_id, first_month=first, last_month=last)
        names = _offence_names(session)
    said = _(
        "simulation-%(rule)s-v%(number)s-%(first)s-%(last)s.xlsx",
        rule=found.version.code.replace("/", "-"),
        number=found.version.number,
        first=first,
        last=last,
    )
    return send_workbook(said, lambda path: build_simulation_workbook(found, names, path, clock.now()))
