"""The records behind a figure, and opening incidents from them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.watching import RECORD_COLUMNS
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.watch_words import figures_in_words
from supervise.attribution.watching.kinds import BASES, Irregularity
from supervise.attribution.watching.looking import Place, Watch, chosen_rows, rows_of
from supervise.attribution.watching.opening import ROWS_MAX, Opened, TooManyRecordsError, open_incidents
from supervise.attribution.watching.queries import (
    FindingLine,
    finding_in_scope,
    looked_through,
    masks_of,
    opened_incidents,
)
from supervise.attribution.watching.questions import Amount
from supervise.attribution.watching.words import meaning_of, wrong_in_words
from supervise.complaints.subscribers import pseudonym
from supervise.errors import InvalidInputError
from supervise.evidence import codes
from supervise.evidence.models import RecordKind
from supervise.labels import N_
from supervise.parties.scope import Scope
from supervise.views.addresses import address_with
from supervise.views.picked import NothingPickedError
from supervise.views.registers import download, export_urls, scope_of
from supervise.views.typed_numbers import asked
from supervise.views.watch.blueprint import bp
from supervise.views.watch.lists import BadPlaceError, share_of

#: Between platform and record id in the value of a chosen row.
_BAR = "|"


class TooManyForFileError(InvalidInputError):
    """Nobody reads a million rows in a spreadsheet."""

    message = N_("A file takes at most %(limit)d records; this day has more")


class _Behind(NamedTuple):
    """A line of what was found, with what stands behind it."""

    line: FindingLine
    watch: Watch

    @property
    def kind(self) -> Irregularity:
        return self.line.finding.kind

    def rows(self, after: Place | None = None, amount: Amount = Amount.PAGE) -> list[dict[str, Any]]:
        found = rows_of(self.watch, self.kind, self.line.finding.party_id, after, amount)
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


def _behind(session: Session, finding_id: int) -> _Behind:
    line = finding_in_scope(session, scope_of(session), finding_id)
    return _Behind(line, Watch(session, line.finding.on_day))


@bp.get("/records/<int:finding_id>")
@require(Permission.READ_WATCH)
def records(finding_id: int) -> ResponseReturnValue:
    """Show the irregular records of a party and a day, by time."""
    after = _place()
    with db.reading() as session:
        behind = _behind(session, finding_id)
        found = behind.rows(after)
        more, found = len(found) > Amount.PAGE.value, found[: Amount.PAGE.value]
        looked = looked_through(session, behind.kind, behind.line.finding.on_day)
        threshold, offence = behind.watch.threshold(behind.kind), behind.watch.offence(behind.kind)
        rows = shown(session, behind.kind, found)
    last = found[-1] if more else None
    following = (
        {"after": last["at"].isoformat(), "platform": last["platform"], "record": last["record_id"]} if last else {}
    )
    return render_template(
        "watch/records.html",
        line=behind.line,
        kind=behind.kind,
        rows=rows,
        looked=looked,
        meaning=meaning_of(behind.kind),
        threshold=threshold,
        figures=figures_in_words,
        offence=offence,
        share=share_of(behind.line),
        exports=export_urls(".export_records"),
        next_url=address_with(**following) if last else None,
        first_url=address_with(after=None, platform=None, record=None) if after else None,
        opens=opens_incidents(behind.kind),
        may_open=may_open(behind.kind),
        rows_max=ROWS_MAX,
    )


def opens_incidents(kind: Irregularity) -> bool:
    """Say whether incidents come from records of the kind: an order is neither a call nor a message."""
    return BASES[kind].records is not RecordKind.ORDERS


def may_open(kind: Irregularity) -> bool:
    """Say whether the user opens incidents from records of the kind."""
    return current_user().can(Permission.TRIAGE) and opens_incidents(kind)


def shown(session: Session, kind: Irregularity, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows as they may be shown: a mask for the subscriber, the incident that was opened, words."""
    masks = masks_of(session, {row["subscriber_index"] for row in rows})
    opened = opened_incidents(session, BASES[kind].records, [(row["platform"], row["record_id"]) for row in rows])
    return [
        {
            **row,
            "name": f"{row['platform']}{_BAR}{row['record_id']}",
            "time": f"{row['at'].astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}",
            "subscriber": masks.get(row["subscriber_index"]) or pseudonym(row["subscriber_index"]),
            **{name: row[name] and codes.shown(row[name]) for name in ("staff_number", "channel_code", "plan")},
            "wrong": wrong_in_words(kind, row["detail"]) or kind.label,
            "incident_id": opened.get((row["platform"], row["record_id"])),
        }
        for row in rows
    ]


@bp.get("/records/<int:finding_id>/export")
@require(Permission.READ_WATCH)
def export_records(finding_id: int) -> ResponseReturnValue:
    """Give the irregular records of a party and a day as a file.

    Raises:
        TooManyForFileError: if there are more than a file takes.
    """

    def lines(session: Session, _scope: Scope) -> list[dict[str, Any]]:
        behind = _behind(session, finding_id)
        return shown(session, behind.kind, behind.rows(amount=Amount.FILE))

    with db.reading() as session:
        behind = _behind(session, finding_id)
    if behind.line.finding.records > Amount.FILE.value:
        raise TooManyForFileError(limit=Amount.FILE.value)
    name = f"watch-{behind.kind.value.replace('_', '-')}-{behind.line.finding.on_day}"
    return download(name, behind.kind.label, RECORD_COLUMNS, lines)


@bp.post("/records/<int:finding_id>/open")
@require(Permission.TRIAGE)
def open_from(finding_id: int) -> ResponseReturnValue:
    """Open incidents from the chosen records, or from all of the party and day; a result for each."""
    me = current_user()
    whole = request.form.get("action") == "all"
    with db.reading() as session:
        behind = _behind(session, finding_id)
        if whole:
            rows = behind.rows(amount=Amount.DECISION)
            if len(rows) > ROWS_MAX:
                raise TooManyRecordsError(limit=ROWS_MAX)
        else:
            rows = chosen_rows(behind.watch, behind.kind, _picked()).to_pylist()
        rows = [row for row in rows if row["party_id"] == behind.line.finding.party_id]
        told = shown(session, behind.kind, rows)
    results = db.decide(open_incidents, behind.kind, rows, unit_id=behind.line.finding.unit_id, actor_id=me.id)
    return render_template(
        "watch/results.html",
        line=behind.line,
        kind=behind.kind,
        rows=list(zip(told, results, strict=True)),
        opened=sum(one.outcome is Opened.NEW for one in results),
        outcomes=Opened,
    )


def _picked() -> list[tuple[str, str]]:
    """Return platform and record id of the chosen rows, each once."""
    names = list(dict.fromkeys(request.form.getlist("picked")))
    if not names:
        raise NothingPickedError
    if len(names) > ROWS_MAX:
        raise TooManyRecordsError(limit=ROWS_MAX)
    pairs = [tuple(name.split(_BAR, 1)) for name in names]
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - platform and record id
        raise InvalidInputError
    return [(pair[0], pair[-1]) for pair in pairs]


def _place() -> Place | None:
    if not request.args.get("after"):
        return None
    try:
        at = dt.datetime.fromisoformat(request.args["after"])
    except ValueError:
        raise BadPlaceError from None
    if at.tzinfo is None:
        raise BadPlaceError
    return Place(at, asked("platform"), asked("record"))
