"""The queue: what waits, by due date, with its figures, its filters in the address and views to keep."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from reports.charts import bar_chart_svg
from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.desk import overview
from supervise.desk.parties import parties_to_choose
from supervise.desk.queue import QueuePage, queue_page
from supervise.desk.saved_views import ViewLine, views_for
from supervise.labels import _, current_locale
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with, present_query
from supervise.views.charts import drawing_response
from supervise.views.navigation import url_of
from supervise.views.remembering import remembered
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.queue_form import QueueForm, name_of_place, place_of, read_filters
from supervise.views.tickets.views_kept import views_key

_SECONDS = 60
_EMPTY_PAGE = QueuePage((), None, None)


@bp.get("/")
@require(Permission.READ_TICKETS)
def queue() -> ResponseReturnValue:
    """Show a page of the queue; its first page, unfiltered, shows the figures too."""
    me, today = current_user(), clock.today()
    after, before = place_of(request.args.get("after")), place_of(request.args.get("before"))
    with db.reading() as session:
        scope = Scope.of(session, me)
        form, filters = read_filters(session, scope, request.args)
        found = _EMPTY_PAGE
        if filters is not None:
            found = queue_page(session, scope, filters, today, after=after, before=before)
        parties = remembered(("parties to choose",), _SECONDS, lambda: _options(parties_to_choose(session)))
        kept = remembered(views_key(me.id), _SECONDS, lambda: views_for(session, me.id))
        is_start = not form.is_narrowed and after is None and before is None
        waiting = overview.waiting_tickets(session, scope, today) if is_start else None
        past = _last_weeks(session, scope, me, today) if is_start else None
    page = render_template(
        "tickets/queue.html",
        form=form,
        rows=found.rows,
        next_url=address_with(after=name_of_place(found.next_place), before=None) if found.next_place else None,
        previous_url=address_with(before=name_of_place(found.previous_place), after=None)
        if found.previous_place
        else None,
        parties=parties,
        kept=kept,
        views=_tabs(form, kept),
        query=_kept_query(),
        query_string=urlencode(_kept_query(), doseq=True),
        waiting=waiting,
        past=past,
        weeks=_chart(past.weeks) if past else None,
        ranked=[(row.name, row.calls, url_for(".queue", party=row.code)) for row in past.ranked] if past else (),
        exports={kind: address_with(".export", after=None, before=None, format=kind) for kind in ("xlsx", "csv")},
        new_url=url_of("intake.new") if me.can(Permission.CREATE_TICKETS) else None,
        may_answer=me.can(Permission.ANSWER_TICKETS),
        may_triage=me.can(Permission.TRIAGE),
    )
    return page, 400 if form.errors else 200


def _options(parties: Sequence[tuple[str, str]]) -> Markup:
    """Return the suggestions of a field, written out: hundreds of them on every page."""
    return Markup().join(Markup('<option value="{}">{}</option>').format(code, name) for code, name in parties)


@bp.get("/weeks.svg")
@require(Permission.READ_TICKETS)
def weeks_chart() -> Response:
    """Draw the complaints of the last weeks by branch."""
    me = current_user()
    with db.reading() as session:
        weeks = _last_weeks(session, Scope.of(session, me), me, clock.today()).weeks
    labels = [_week_name(first) for first in weeks.firsts]
    return drawing_response(bar_chart_svg(_("Complaints by branch and week"), labels, weeks.series))


class LastWeeks(NamedTuple):
    """What is told of weeks and months, and may be a minute old; None where the role may not read it."""

    weeks: overview.Weeks
    ranked: Sequence[overview.Ranked]
    penalties: overview.Sum | None
    credits: overview.Sum | None


def _last_weeks(session: Session, scope: Scope, me: CurrentUser, today: dt.date) -> LastWeeks:
    def count() -> LastWeeks:
        weeks = overview.weeks_by_branch(session, scope, today)
        since = overview.month_start(today)
        return LastWeeks(
            weeks,
            overview.most_complained(session, scope, weeks.firsts[0]),
            overview.penalties_approved(session, scope, since) if me.can(Permission.READ_PENALTIES) else None,
            overview.credits_approved(session, scope, since) if me.can(Permission.READ_CREDITS) else None,
        )

    return remembered(("last weeks", scope, me.permissions, today, current_locale()), _SECONDS, count)


def _chart(weeks: overview.Weeks) -> dict[str, Any]:
    last = overview.WEEKS - 1
    return {
        "labels": [_week_name(first) for first in weeks.firsts],
        "series": weeks.series,
        "hrefs": [
            url_for(".queue", since=first, last=first + dt.timedelta(days=6) if place < last else None)
            for place, first in enumerate(weeks.firsts)
        ],
    }


def _week_name(first: dt.date) -> str:
    return _("Week %(week)d", week=first.isocalendar().week)


def _kept_query() -> dict[str, list[str]]:
    """Return the filters of this address, without the place in the list."""
    return {name: values for name, values in present_query().items() if name not in {"after", "before", "lang"}}


def _tabs(form: QueueForm, kept: Sequence[ViewLine]) -> list[tuple[str, str, bool]]:
    here = request.query_string.decode()
    rows = [
        (_("All open"), url_for(".queue"), not form.is_narrowed),
        (_("Late"), url_for(".queue", due="late"), here == "due=late"),
        (_("Due today"), url_for(".queue", due="today"), here == "due=today"),
        (_("Without a verdict"), url_for(".queue", undecided="y"), here == "undecided=y"),
    ]
    return rows + [(line.view.name, f"{url_for('.queue')}?{line.view.query}", here == line.view.query) for line in kept]
