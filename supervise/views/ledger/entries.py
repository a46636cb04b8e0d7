"""A journal entry with its whole story back to the ticket."""

from flask import render_template
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.desk.ledger_story import dimension_names, entry_story
from supervise.ledger.queries import entry_by_id
from supervise.ledger.statements import dimension_kind_of, seal_of_entry
from supervise.views.ledger.blueprint import bp
from supervise.views.ledger_words import event_words


@bp.get("/entries/<int:entry_id>")
@require(Permission.READ_LEDGER)
def entry(entry_id: int) -> ResponseReturnValue:
    """Show an entry: its lines, who made and approved it, what it reverses, the fact it came from, its seal."""
    with db.reading() as session:
        one = entry_by_id(session, entry_id)
        original = entry_by_id(session, one.head.reverses_id).head if one.head.reverses_id else None
        kinds = {line.account: dimension_kind_of(session, line.account) for line in one.lines}
        names = dimension_names(session, [(kinds[line.account], line.dimension_id) for line in one.lines])
        story = entry_story(session, (original or one.head).idempotency_key)
        seal = seal_of_entry(session, entry_id)
        people = display_names(session, [one.head.actor_id, one.head.approver_id])
    return render_template(
        "ledger/entry.html",
        entry=one.head,
        lines=one.lines,
        reversal_ids=one.reversal_ids,
        original=original,
        kinds=kinds,
        names=names,
        story=story,
        seal=seal,
        people=people,
        event_words=event_words,
        me=current_user(),
    )
