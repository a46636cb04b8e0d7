"""The page of one notice, and its letter."""

import io

from flask import Response, render_template, request, send_file
from flask.typing import ResponseReturnValue

from reports.notice import build_notice_letter
from supervise import clock, db
from supervise.access.identity import CurrentUser, current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.complaints.offences import offence_types
from supervise.contracts.rules import parse_parameters
from supervise.contracts.words import rule_in_words
from supervise.desk.notice_story import Line, NoticeStory, notice_story
from supervise.labels import _
from supervise.money import yuan_in_capitals
from supervise.parties.scope import Scope
from supervise.penalties.belonging import speaks_for_charged
from supervise.penalties.explain import explain_in_words
from supervise.penalties.models import WAITING_OBJECTION_STATES, PenaltyState
from supervise.penalties.notice_models import NoticeState, state_on
from supervise.penalties.notice_queries import contestable_lines, sums_of
from supervise.penalties.notices import charged_by, reached
from supervise.penalties.queries import acknowledged
from supervise.penalties.windows import open_by_charged_party
from supervise.views.addresses import address_with
from supervise.views.filters import named
from supervise.views.notices.blueprint import bp
from supervise.views.notices.forms import DeliveryForm
from supervise.views.penalties.lists import is_charged_side

#: Lines on one page; a notice of a whole month may have thousands.
LINES = 100


@bp.get("/<int:notice_id>")
@require(Permission.READ_PENALTIES)
def detail(notice_id: int) -> ResponseReturnValue:
    """Show a notice; the charged party's first look delivers it, as that at one of its penalties does."""
    me = current_user()
    after = request.args.get("after", default=0, type=int)
    with db.reading() as session:
        scope = Scope.of(session, me)
        story = notice_story(session, scope, notice_id, after=after, limit=LINES)
    if _is_first_look(me, scope, story):
        db.decide(open_by_charged_party, [line.penalty.id for line in story.lines], scope, actor_id=me.id)
        with db.reading() as session:
            story = notice_story(session, scope, notice_id, after=after, limit=LINES)
    return render_notice(me, scope, story)


def _is_first_look(me: CurrentUser, scope: Scope, story: NoticeStory) -> bool:
    is_real = request.method == "GET" and "prefetch" not in request.headers.get("Sec-Purpose", "")
    return is_real and story.notice.delivery is None and is_charged_side(me) and speaks_for_charged(scope, story.notice)


def render_notice(
    me: CurrentUser, scope: Scope, story: NoticeStory, *, delivery_form: DeliveryForm | None = None
) -> str:
    """Return the page of a notice, with a form that was sent and must be corrected."""
    notice, today = story.notice, clock.today()
    is_charged = is_charged_side(me)
    with db.reading() as session:
        names = {code: named(row) for code, row in offence_types(session).items()}
        left = contestable_lines(session, notice.id)
        known = acknowledged(session, left)
        sums = sums_of(session, [notice.id])[notice.id]
        can_open = bool(reached(session, [charged_by(notice)], today))
        people = {} if is_charged else display_names(session, [notice.issued_by, notice.recorded_by, notice.listed_by])
    speaks = is_charged and speaks_for_charged(scope, notice)
    state = state_on(notice, today)
    may_record = me.can(Permission.OBJECT_FOR_PARTY) and notice.delivery is None
    until_on = notice.objection_until_on
    return render_template(
        "notices/detail.html",
        story=story,
        notice=notice,
        state=state,
        sums=sums,
        capitals=yuan_in_capitals(notice.total_fen),
        days_left=(until_on - today).days if until_on is not None and state is NoticeState.RUNNING else None,
        rules=[(rule, contract, rule_in_words(parse_parameters(rule.parameters))) for rule, contract in story.rules],
        explanations={line.penalty.id: explain_in_words(line.penalty.explanation, names) for line in story.lines},
        hindrances={line.penalty.id: _hindrance(line) for line in story.lines},
        speaks=speaks,
        left=left if speaks else [],
        can_acknowledge=speaks and bool(set(left) - known),
        may_record=may_record,
        can_open=can_open,
        delivery_form=delivery_form or DeliveryForm(clock.china_day(notice.issued_at)),
        people=people,
        is_charged=is_charged,
        next_url=address_with(after=story.next_after) if story.next_after else None,
    )


def _hindrance(line: Line) -> str | None:
    """Return in words why a line cannot be accepted (any more)."""
    if line.is_accepted:
        return _("Accepted by the party")
    if line.penalty.state is not PenaltyState.APPROVED:
        return _("State “%(state)s”: there is nothing left to accept", state=line.penalty.state.label)
    if line.objection is not None and line.objection.state in WAITING_OBJECTION_STATES:
        return _("There is an objection to it")
    return None


@bp.get("/<int:notice_id>/letter.pdf")
@require(Permission.READ_PENALTIES)
def pdf(notice_id: int) -> Response:
    """Hand over the letter of a notice; taking it is a look at it, so it delivers like the page does."""
    me = current_user()
    with db.reading() as session:
        scope = Scope.of(session, me)
        story = notice_story(session, scope, notice_id)
        names = {code: named(row) for code, row in offence_types(session).items()}
    if _is_first_look(me, scope, story):
        db.decide(open_by_charged_party, [line.penalty.id for line in story.lines], scope, actor_id=me.id)
        with db.reading() as session:
            story = notice_story(session, scope, notice_id)
    content = build_notice_letter(story, names)
    return send_file(
        io.BytesIO(content),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{story.notice.reference}.pdf",
    )
