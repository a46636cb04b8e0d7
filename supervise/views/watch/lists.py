"""The kinds of irregularity over the last days, and the page of a kind: a drawing by day, a list by party and day."""

import datetime as dt
from typing import Any

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, DateField
from wtforms.validators import Length, Optional

from reports.charts import bar_chart_svg
from reports.watching import FINDING_COLUMNS
from supervise import clock, db
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.watch_words import figures_in_words
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.looking import Watch
from supervise.attribution.watching.queries import (
    PAGE,
    FindingFilters,
    FindingLine,
    Span,
    findings_by_day,
    kinds_over,
    records_by_day,
)
from supervise.attribution.watching.words import meaning_of
from supervise.errors import InvalidInputError, NotFoundError
from supervise.labels import N_, _, _l
from supervise.views.addresses import address_with
from supervise.views.charts import drawing_response
from supervise.views.forms import FilterForm, WordsField
from supervise.views.registers import download, export_urls, scope_of
from supervise.views.watch.blueprint import bp

#: What a page shows unless its address asks for other days.
DAYS = 30
#: As many as a drawing can show.
DAYS_MAX = 366


class BadPlaceError(InvalidInputError):
    """The address names no place in the list."""

    message = N_("This address names no page of the list; begin at the first one")


class FindingFilterForm(FilterForm):
    """The filters above the list of a kind."""

    q = WordsField(_l("Party"), description=_l("Name or code"), validators=[Optional(), Length(max=60)])
    first = DateField(_l("First day"), validators=[Optional()])
    last = DateField(_l("Last day"), validators=[Optional()])
    unsuspected = BooleanField(_l("Also parties that keep the threshold"))

    def wanted(self) -> FindingFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        last = self.accepted(self.last) or clock.today()
        first = self.accepted(self.first) or last - dt.timedelta(days=DAYS - 1)
        first = max(min(first, last), last - dt.timedelta(days=DAYS_MAX - 1))
        unsuspected = "unsuspected" in self and bool(self.unsuspected.data)
        return FindingFilters(Span(first, last), (self.accepted(self.q) or "").strip(), unsuspected)


def kind_named(name: str) -> Irregularity:
    """Return the kind of an address.

    Raises:
        NotFoundError: if there is none of that name.
    """
    if name not in set(Irregularity):
        raise NotFoundError
    return Irregularity(name)


def form_of(kind: Irregularity) -> FindingFilterForm:
    """Return the filters that the kind has, as the address fills them."""
    form = FindingFilterForm(formdata=request.args)
    if not BASES[kind].is_coverage:
        del form.unsuspected
    return form


@bp.get("/")
@require(Permission.READ_WATCH)
def index() -> ResponseReturnValue:
    """Show each kind with what was found over the last days, and whether it was more or less before."""
    today = clock.today()
    span = Span(today - dt.timedelta(days=DAYS - 1), today)
    with db.reading() as session:
        lines = kinds_over(session, scope_of(session), span)
    return render_template("watch/index.html", lines=lines, days=DAYS, meaning_of=meaning_of)


@bp.get("/<kind>")
@require(Permission.READ_WATCH)
def findings(kind: str) -> ResponseReturnValue:
    """Show what was found of a kind by party and day."""
    about = kind_named(kind)
    form = form_of(about)
    wanted = form.wanted()
    after = _place()
    with db.reading() as session:
        scope = scope_of(session)
        rows = findings_by_day(session, scope, about, wanted, after=after, limit=PAGE + 1)
        by_day = records_by_day(session, scope, about, wanted)
        watch = Watch(session, wanted.span.last)
        threshold, offence = watch.threshold(about), watch.offence(about)
        watched = watch.is_watched(about)
    more, rows = len(rows) > PAGE, rows[:PAGE]
    last = rows[-1].finding if more else None
    return render_template(
        "watch/findings.html",
        kind=about,
        form=form,
        rows=rows,
        by_day=by_day,
        day_urls=[address_with(first=str(day), last=str(day), after=None, after_id=None) for day in by_day],
        chart_url=address_with(".chart", after=None, after_id=None),
        meaning=meaning_of(about),
        threshold=threshold,
        figures=figures_in_words,
        offence=offence,
        watched=watched,
        is_coverage=BASES[about].is_coverage,
        share=share_of,
        exports=export_urls(),
        next_url=address_with(after=str(last.on_day), after_id=last.id) if last else None,
        first_url=address_with(after=None, after_id=None) if after else None,
        is_narrowed=bool(wanted.party or request.args.get("first") or request.args.get("last")),
        clear_url=url_for(".findings", kind=kind),
    )


@bp.get("/<kind>/by-day.svg")
@require(Permission.READ_WATCH)
def chart(kind: str) -> Response:
    """Draw how many irregular records each day has, within the user's scope."""
    about = kind_named(kind)
    with db.reading() as session:
        by_day = records_by_day(session, scope_of(session), about, form_of(about).wanted())
    labels = [f"{day:%m-%d}" for day in by_day]
    return drawing_response(bar_chart_svg(about.label, labels, [(about.label, list(by_day.values()))]))


@bp.get("/<kind>/export")
@require(Permission.READ_WATCH)
def export(kind: str) -> ResponseReturnValue:
    """Give what was found by party and day as a file."""
    about = kind_named(kind)
    wanted = form_of(about).wanted()

    def lines(session: Any, scope: Any) -> list[FindingLine]:
        return findings_by_day(session, scope, about, wanted, limit=None)

    return download(f"watch-{about.value.replace('_', '-')}", _("Watching"), FINDING_COLUMNS, lines)


def share_of(line: FindingLine) -> str:
    """Return the share of a party's records that are as they should be: ``99.6%``; rounded down, 100 is whole."""
    finding = line.finding
    if not finding.looked_at:
        return ""
    return f"{(finding.looked_at - finding.records) * 1000 // finding.looked_at / 10:.1f}%"


def _place() -> tuple[dt.date, int] | None:
    day, row_id = request.args.get("after", ""), request.args.get("after_id", "")
    if not day:
        return None
    if not (row_id.isascii() and row_id.isdecimal() and len(row_id) < 19):  # noqa: PLR2004 - 64 bits
        raise BadPlaceError
    try:
        return dt.date.fromisoformat(day), int(row_id)
    except ValueError:
        raise BadPlaceError from None
