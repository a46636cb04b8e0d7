"""The pages of scorecards: the ranking of a month, a party's card with what it counts, its trend as a drawing."""

import re
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import Length, Optional

from reports.charts import bar_chart_svg
from reports.scorecards import SCORECARD_COLUMNS
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.errors import NotFoundError
from supervise.labels import _, _l
from supervise.parties.models import PartyKind
from supervise.parties.queries import party_in_scope
from supervise.penalties.card_ranking import RankingFilters, ranking_of_month
from supervise.penalties.card_rows import ROWS_MAX, rows_of_card
from supervise.penalties.score_models import CardStanding
from supervise.penalties.score_words import counted_in_words, scored_in_words, total_in_words, value_of
from supervise.penalties.scorecards import MONTHS, cards_of_month, scheme_of_month, trend_of
from supervise.penalties.scoring import Criterion
from supervise.views.addresses import address_with
from supervise.views.charts import drawing_response
from supervise.views.filters import named
from supervise.views.forms import FilterForm, MemberField, WordsField
from supervise.views.penalties.forms import MONTH
from supervise.views.registers import PAGE, download, export_urls, scope_of

bp = Blueprint("scorecards", __name__, url_prefix="/scorecards")

#: The part of a card's page that shows what a criterion counts.
_ANCHORS = {
    Criterion.OFFENCES_PER_CALLS: "offences",
    Criterion.OFFENCES_PER_ORDERS: "offences",
    Criterion.AFTER_REFUSAL: "offences",
    Criterion.REPEAT_SUBSCRIBERS: "offences",
    Criterion.OBJECTIONS_LOST: "objections",
    Criterion.LATE_ANSWERS: "inquiries",
}


class RankingForm(FilterForm):
    """The filters above the ranking."""

    month = WordsField(_l("Month"), validators=[Optional(), Length(max=7)], render_kw={"type": "month"})
    q = WordsField(_l("Name or code of the party"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("Kind"), PartyKind, everything=True, validators=[Optional()])
    standing = MemberField(_l("Standing"), CardStanding, everything=True, validators=[Optional()])
    unit = WordsField(_l("Unit code, with all below it"), validators=[Optional(), Length(max=40)])

    def wanted(self) -> RankingFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        if not _is_month(self.month.data or ""):
            self.month.data = clock.month_of(clock.today())
        return RankingFilters(
            month=self.month.data or "",
            text=(self.q.data or "").strip(),
            kind=self.accepted(self.kind),
            standing=self.accepted(self.standing),
            unit=(self.unit.data or "").strip(),
        )


def _is_month(text: str) -> bool:
    return re.fullmatch(MONTH, text, re.ASCII) is not None and text <= clock.month_of(clock.today())


@bp.get("/")
@require(Permission.READ_SCORECARDS)
def index() -> ResponseReturnValue:
    """Rank the cards of a month within the user's scope, the lowest score first, a page at a time."""
    form = RankingForm(formdata=request.args)
    wanted = form.wanted()
    begin = min(max(request.args.get("begin", 0, type=int), 0), 1_000_000)
    with db.reading() as session:
        ranking = ranking_of_month(session, scope_of(session), wanted)
    rows = ranking.rows[begin : begin + PAGE]
    more = len(ranking.rows) > begin + PAGE
    return render_template(
        "scorecards/index.html",
        form=form,
        month=wanted.month,
        rows=rows,
        total=len(ranking.rows),
        standings=[(standing, ranking.standings.get(standing, 0)) for standing in CardStanding],
        standing_urls={standing: address_with(standing=standing.value, begin=None) for standing in CardStanding},
        value_of=value_of,
        exports=export_urls(),
        next_url=address_with(begin=str(begin + PAGE)) if more else None,
        previous_url=address_with(begin=str(max(begin - PAGE, 0))) if begin else None,
    )


@bp.get("/export")
@require(Permission.READ_SCORECARDS)
def export() -> ResponseReturnValue:
    """Give the filtered ranking as a file."""
    wanted = RankingForm(formdata=request.args).wanted()
    return download(
        f"scorecards-{wanted.month}",
        _("Scorecards %(month)s", month=wanted.month),
        SCORECARD_COLUMNS,
        lambda session, scope: ranking_of_month(session, scope, wanted).rows,
    )


@bp.get("/<int:party_id>")
@require(Permission.READ_SCORECARDS)
def card(party_id: int) -> ResponseReturnValue:
    """Show a party's card of a month (``?month=``): each figure in words, what it counts, and the trend."""
    me, today = current_user(), clock.today()
    month = _asked_month()
    with db.reading() as session:
        party = party_in_scope(session, scope_of(session), party_id)
        survivor_id = party.merged_into_id or party.id
        found = cards_of_month(session, month, party_ids=[survivor_id]).get(survivor_id)
        scheme = scheme_of_month(session, month)
        trend = trend_of(session, survivor_id, month)
        rows = rows_of_card(session, party_id, month, today)
        names = {code: named(row) for code, row in offence_types(session).items()}
    shown: dict[str, Any] = {
        "lines": [
            (part, value_of(part), counted_in_words(part), scored_in_words(part), _ANCHORS[part.criterion])
            for part in (found.parts if found else ())
        ],
        "total": total_in_words(found, scheme[1]) if found and scheme else None,
        "series": [(_("Score"), [one.score if one and one.score is not None else "—" for _month, one in trend])],
        "months": [one for one, _card in trend],
        "month_urls": [url_for(".card", party_id=party_id, month=one) for one, _card in trend],
    }
    return render_template(
        "scorecards/card.html",
        party=party,
        month=month,
        card=found,
        rows=rows,
        rows_max=ROWS_MAX,
        names=names,
        **shown,
        is_current=month == clock.month_of(today),
        opens_incidents=me.can(Permission.READ_TICKETS),
        opens_inquiries=me.can(Permission.READ_INQUIRIES),
        opens_penalties=not me.can(Permission.ACKNOWLEDGE_PENALTIES),
    )


@bp.get("/<int:party_id>/trend.svg")
@require(Permission.READ_SCORECARDS)
def trend_chart(party_id: int) -> Response:
    """Draw the scores of the last twelve months; a month without one stands empty."""
    month = _asked_month()
    with db.reading() as session:
        party = party_in_scope(session, scope_of(session), party_id)
        trend = trend_of(session, party.merged_into_id or party.id, month)
    scores = [one.score or 0 if one else 0 for _month, one in trend]
    title = _("Scores of the last %(n)d months", n=MONTHS)
    return drawing_response(bar_chart_svg(title, [one for one, _card in trend], [(_("Score"), scores)]))


def _asked_month() -> str:
    month = request.args.get("month") or clock.month_of(clock.today())
    if not _is_month(month):
        raise NotFoundError
    return month
