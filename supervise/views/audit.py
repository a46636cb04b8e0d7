"""The auditor's page: who did what, and what was refused; the filters stand in the address."""

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import DateField, SelectField
from wtforms.validators import Length, Optional

from supervise import clock, db
from supervise.access.policy import require
from supervise.access.queries import display_names, user_id_of
from supervise.access.roles import Permission
from supervise.audit import queries
from supervise.audit.models import AuditEvent
from supervise.labels import _, _l
from supervise.views.addresses import address_with
from supervise.views.audit_words import action_words, subject_words
from supervise.views.downloads import send_lines
from supervise.views.forms import Form, WordsField

bp = Blueprint("audit", __name__, url_prefix="/audit")

_ONE_DAY = dt.timedelta(days=1)
#: No user has it: an unknown name in the filter finds nothing, instead of everything.
_NOBODY = 0
_COLUMNS = ("id", "at", "actor_id", "action", "subject", "subject_id", "changes", "reason", "address", "request_id")


class AuditFilterForm(Form):
    """The filters above the trail."""

    class Meta(Form.Meta):
        """A GET form has nothing to forge."""

        csrf = False

    actor = WordsField(_l("User name"), validators=[Optional(), Length(max=40)])
    action = SelectField(_l("Action"), validators=[Optional()], validate_choice=False)
    subject = WordsField(_l("Kind of record"), validators=[Optional(), Length(max=40)])
    subject_id = WordsField(_l("Its number"), validators=[Optional(), Length(max=40)])
    since = DateField(_l("From"), validators=[Optional()])
    last = DateField(_l("To"), validators=[Optional()])

    def __init__(self, actions: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.action.choices = [("", _("All")), *_families(actions), *((a, action_words(a)) for a in actions)]


@bp.get("/")
@require(Permission.READ_AUDIT)
def index() -> ResponseReturnValue:
    """Show the trail, the newest first, a page at a time."""
    before_id = request.args.get("before", type=int)
    with db.reading() as session:
        form = AuditFilterForm(list(queries.known_actions(session)), formdata=request.args)
        form.validate()
        rows = queries.latest_events(session, _filters(form), before_id=before_id, limit=queries.PAGE + 1)
        names = display_names(session, [row.actor_id for row in rows])
    more = len(rows) > queries.PAGE
    rows = rows[: queries.PAGE]
    return render_template(
        "audit/index.html",
        form=form,
        rows=rows,
        names=names,
        next_url=address_with(before=rows[-1].id) if more else None,
        export_url=address_with(".export", before=None),
    )


@bp.get("/export.csv")
@require(Permission.READ_AUDIT)
def export() -> ResponseReturnValue:
    """Give the filtered trail as CSV, the oldest first, in UTF-8 that a spreadsheet recognises."""
    with db.reading() as session:
        form = AuditFilterForm(list(queries.known_actions(session)), formdata=request.args)
        form.validate()
        filters = _filters(form)
    return send_lines(f"audit-{clock.today()}.csv", lambda session: _lines(session, filters))


def _families(actions: list[str]) -> list[tuple[str, str]]:
    names = sorted({action.partition(".")[0] for action in actions})
    return [(name, _("All about: %(record)s", record=subject_words(name))) for name in names]


def _lines(session: Session, filters: queries.AuditFilters) -> Iterator[str]:
    yield "\ufeff"
    yield _line(_COLUMNS)
    for event in queries.all_events(session, filters):
        yield _line(_cells(event))


def _cells(event: AuditEvent) -> list[str]:
    changes = "" if event.changes is None else json.dumps(event.changes, ensure_ascii=False, sort_keys=True)
    texts = [event.action, event.subject, event.subject_id, changes, event.reason, event.address, event.request_id]
    return [
        str(event.id),
        event.at.isoformat(),
        "" if event.actor_id is None else str(event.actor_id),
        *(_harmless(text or "") for text in texts),
    ]


def _harmless(text: str) -> str:
    # A spreadsheet runs a cell that begins so.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _line(cells: list[str] | tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _filters(form: AuditFilterForm) -> queries.AuditFilters:
    actor_id: int | None = None
    if form.actor.data:
        with db.reading() as session:
            actor_id = user_id_of(session, form.actor.data) or _NOBODY
    return queries.AuditFilters(
        actor_id=actor_id,
        action=form.action.data or "",
        subject=form.subject.data or "",
        subject_id=form.subject_id.data or "",
        since=form.since.data,
        until=form.last.data + _ONE_DAY if form.last.data else None,
    )
