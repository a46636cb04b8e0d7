"""The list of notices: for compliance all of them, for a branch or a partner its own."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.parties.scope import Scope
from supervise.penalties.notice_models import NoticeState, state_on
from supervise.penalties.notice_queries import NoticeFilter, notices_in_scope, sums_of
from supervise.penalties.notices import charged_by, reached
from supervise.views.addresses import address_with
from supervise.views.notices.blueprint import bp
from supervise.views.notices.forms import NoticeFilterForm
from supervise.views.penalties.lists import is_charged_side


@bp.get("/")
@require(Permission.READ_PENALTIES)
def index() -> ResponseReturnValue:
    """List the notices in scope, the newest first, a page at a time."""
    me, today = current_user(), clock.today()
    form = NoticeFilterForm(formdata=request.args)
    if not is_charged_side(me):
        del form.mine
    wanted, after_id = form.wanted(), request.args.get("after", type=int)
    with db.reading() as session:
        page = notices_in_scope(session, Scope.of(session, me), wanted, today=today, after_id=after_id)
        sums = sums_of(session, [row.notice.id for row in page.rows])
        waiting = [row.notice for row in page.rows if state_on(row.notice, today) is NoticeState.TO_POST]
        within_reach = reached(session, {charged_by(notice) for notice in waiting}, today)
    return render_template(
        "notices/index.html",
        form=form,
        rows=page.rows,
        sums=sums,
        states={row.notice.id: state_on(row.notice, today) for row in page.rows},
        can_open={notice.id for notice in waiting if charged_by(notice) in within_reach},
        may_list=me.can(Permission.OBJECT_FOR_PARTY),
        listed_only=is_charged_side(me),
        is_narrowed=after_id is not None or wanted != NoticeFilter(),
        next_url=address_with(after=page.next_after_id) if page.next_after_id else None,
    )
