"""Refusals and consents from a file: a branch's opt-out list, a partner's consents, what 12321 hands on."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.audit.record import record_events
from supervise.bulk import insert_rows, slices
from supervise.cipher import Keyring
from supervise.complaints.subscribers import known_number_ids, number_ids
from supervise.db import reserve_ids
from supervise.donotcall.models import PermissionEvent, PermissionScope, PermissionWord, SaidBy
from supervise.donotcall.record import action_of, take_turn_to_record
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_moment, parse_text
from supervise.labels import N_
from supervise.parties.imports.register_file import Judgement, error, member_named, parties_by_code, why_unusable

_EVENTS = cast("sa.Table", PermissionEvent.__table__)


class PermissionRow(NamedTuple):
    """What one subscriber said, to whom, when and how."""

    row_number: int
    digits: str
    given: bool
    scope: PermissionScope
    party_code: str | None
    purpose: str | None
    channel: str
    source: str
    said_at: dt.datetime


class _Fact(NamedTuple):
    """What makes two rows the same word; texts as they are stored, with numbers masked."""

    number: str | int
    given: bool
    scope: PermissionScope
    party_id: int | None
    purpose: str | None
    channel: str
    source: str
    said_at: dt.datetime


class PermissionFile:
    """The file of refusals and consents; numbers are compared by their blind index."""

    kind = ImportKind.PERMISSIONS
    mapping = ColumnMapping(
        fields={
            "number": ("用户号码", "手机号码", "号码", "Number"),
            "word": ("意愿", "拒绝或同意", "Refusal or consent"),
            "scope": ("适用范围", "范围", "Covers"),
            "said_at": ("表示时间", "表达时间", "时间", "Said at"),
            "channel": ("表示方式", "表达方式", "方式", "How it was said"),
            "source": ("来源", "Source"),
            "party": ("责任方编码", "表示对象编码", "Party code"),
            "purpose": ("用途", "同意用途", "Purpose"),
        },
        required=frozenset({"number", "word", "scope", "said_at", "channel", "source"}),
    )

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; a day without a time of day begins at midnight in China."""
        digits = values.required("number", phone.normalise)
        word = values.required("word", lambda text: member_named(PermissionWord, text))
        scope = values.required("scope", lambda text: member_named(PermissionScope, text))
        said_at = values.required("said_at", lambda text: parse_moment(text).at)
        channel = values.required("channel", lambda text: member_named(SaidBy, text))
        source = values.required("source", parse_text)
        party_code, purpose = values.optional("party", parse_text), values.optional("purpose", parse_text)
        if said_at is not None and said_at > clock.now():
            values.add("said_at", N_("The time lies in the future"))
        if word is PermissionWord.CONSENT and not purpose:
            values.add("purpose", N_("Say what the consent is for"))
        if digits is None or word is None or scope is None or said_at is None or channel is None or source is None:
            return None
        given = word is PermissionWord.CONSENT
        # A refusal is of everything, whatever else the line says.
        kept = purpose if given else None
        return PermissionRow(row_number, digits, given, scope, party_code, kept, channel.value, source, said_at)

    def judge(self, session: Session, rows: Sequence[PermissionRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; nobody else records until the end of this transaction."""
        take_turn_to_record(session)
        parties = parties_by_code(session, {row.party_code for row in rows if row.party_code})
        recorded = self._recorded(session, {row.digits for row in rows})
        judged: dict[int, Judgement] = {}
        first: dict[_Fact, int] = {}
        for row in rows:
            party = parties.get(row.party_code) if row.party_code else None
            unusable = why_unusable(row.party_code, party) if row.party_code else None
            fact = _fact(row, party.id if party is not None else None)
            if unusable is not None:
                judged[row.row_number] = error(unusable)
            elif fact in recorded:
                judged[row.row_number] = Judgement(RowVerdict.KNOWN, subject_id=recorded[fact])
            elif fact in first:
                same = remark(N_("Row %(row)d says the same"), row=first[fact])
                judged[row.row_number] = Judgement(RowVerdict.KNOWN, [same])
            else:
                first[fact] = row.row_number
                judged[row.row_number] = Judgement(RowVerdict.NEW)
        return judged

    def write(
        self,
        session: Session,
        rows: Sequence[PermissionRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Add what is new, each with its audit event."""
        new = [row for row in rows if judgements[row.row_number].verdict is RowVerdict.NEW]
        numbers = number_ids(session, self._keyring, {row.digits for row in new})
        parties = parties_by_code(session, {row.party_code for row in new if row.party_code})
        now, ids = clock.now(), reserve_ids(session, _EVENTS, len(new))
        values = [
            {
                "id": event_id,
                "number_id": numbers[row.digits],
                "scope": row.scope,
                "given": row.given,
                "party_id": parties[row.party_code].id if row.party_code else None,
                "purpose": row.purpose,
                "channel": row.channel,
                "source": row.source,
                "ticket_id": None,
                "said_at": row.said_at,
                "recorded_by": actor_id,
                "recorded_at": now,
            }
            for event_id, row in zip(ids, new, strict=True)
        ]
        insert_rows(session, _EVENTS, values)
        _tell(session, values, batch_id, actor_id)
        return {row.row_number: event_id for event_id, row in zip(ids, new, strict=True)}

    def _recorded(self, session: Session, all_digits: Collection[str]) -> dict[_Fact, int]:
        ids = known_number_ids(session, self._keyring, all_digits)
        digits_of = {number_id: digits for digits, number_id in ids.items()}
        recorded: dict[_Fact, int] = {}
        # Columns, not rows of the model: there may be as many as the file has lines, each with its history.
        columns = [getattr(_EVENTS.c, "number_id" if name == "number" else name) for name in _Fact._fields]
        for piece in slices(sorted(digits_of)):
            for row in session.execute(sa.select(_EVENTS.c.id, *columns).where(_EVENTS.c.number_id.in_(piece))):
                fact = _Fact(*row[1:])
                recorded[fact._replace(number=digits_of[row.number_id])] = row.id
        return recorded


def _fact(row: PermissionRow, party_id: int | None) -> _Fact:
    purpose = phone.mask_in_text(row.purpose) if row.purpose is not None else None
    source = phone.mask_in_text(row.source)
    return _Fact(row.digits, row.given, row.scope, party_id, purpose, row.channel, source, row.said_at)


def _tell(session: Session, values: Sequence[Mapping[str, Any]], batch_id: int, actor_id: int) -> None:
    facts = ("scope", "party_id", "said_at")
    for given in (False, True):
        record_events(
            session,
            actor_id=actor_id,
            action=action_of(given=given),
            subject="subscriber_number",
            changes=(
                (row["number_id"], {name: row[name] for name in facts} | {"batch_id": batch_id})
                for row in values
                if row["given"] is given
            ),
        )
