"""What a decision hands over to be posted, and every check that needs no database."""

import datetime as dt
import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from supervise import phone
from supervise.labels import N_
from supervise.ledger.chart import AccountCode
from supervise.ledger.errors import FutureDateError, InvalidEntryError
from supervise.money import FEN_MAX

#: Printable ASCII without spaces: a key is compared byte by byte, and searched by prefix.
_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)
_EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)*", re.ASCII)
_REASON_MAX = 500
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Line(NamedTuple):
    """An amount in fen on an account: debit positive, credit negative."""

    account: AccountCode
    dimension_id: int | None
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """A fact to be posted once.

    *key* says what happened (``penalty:approved:17``), *event* of which kind it is (``penalty.approved``),
    *effective_on* the China day it took effect. *actor_id* is whose act it is (None: a job), *approver_id*
    the second person. A draft that *reverses_id* an entry needs a *reason*.
    """

    key: str
    event: str
    effective_on: dt.date
    lines: Sequence[Line | tuple[AccountCode, int | None, int]]
    actor_id: int | None = None
    approver_id: int | None = None
    reverses_id: int | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        """Mask numbers in the reason: nothing in the ledger is ever changed."""
        if self.reason is not None:
            object.__setattr__(self, "reason", phone.mask_in_text(self.reason))


def check_draft(draft: EntryDraft, today: dt.date) -> None:
    """Refuse what is wrong whatever the database holds; triggers of migration 0002 say the same.

    Raises:
        InvalidEntryError: if the draft is malformed, out of balance or has fewer than two lines.
        FutureDateError: if the fact has not happened yet.
    """
    if not _KEY.fullmatch(draft.key) or not _EVENT.fullmatch(draft.event):
        raise InvalidEntryError(N_("A journal entry needs a key and an event"))
    if type(draft.effective_on) is not dt.date:
        raise InvalidEntryError(N_("A journal entry takes effect on a day"))
    if draft.effective_on > today:
        raise FutureDateError(day=str(draft.effective_on))
    if draft.approver_id is not None and draft.approver_id == draft.actor_id:
        raise InvalidEntryError(N_("The approver of a journal entry is a second person"))
    _check_reason(draft)
    _check_lines(draft)


def _check_reason(draft: EntryDraft) -> None:
    if draft.reason is None:
        if draft.reverses_id is not None:
            raise InvalidEntryError(N_("A reversal needs a reason"))
        return
    text = draft.reason
    # Line breaks may be typed; other control characters and lone surrogates break a database or a workbook.
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char != "\n" for char in text):
        raise InvalidEntryError(N_("The reason holds characters that cannot be stored"))
    if not text.strip() or len(text) > _REASON_MAX:
        raise InvalidEntryError(N_("A reason has 1 to %(max)d characters"), max=_REASON_MAX)


def _check_lines(draft: EntryDraft) -> None:
    total_fen = 0
    for _account, dimension_id, amount_fen in draft.lines:
        # bool is an int, and a float may be equal to one: neither is an amount.
        if type(amount_fen) is not int or type(dimension_id) not in (int, type(None)):
            raise InvalidEntryError(N_("Amounts of a journal entry are whole fen"))
        if not amount_fen or abs(amount_fen) > FEN_MAX:
            raise InvalidEntryError(N_("An amount of a journal entry is zero or too large"))
        total_fen += amount_fen
    if len(draft.lines) < 2:  # noqa: PLR2004 - double entry
        raise InvalidEntryError(N_("A journal entry needs two lines"))
    if total_fen:
        raise InvalidEntryError(N_("The lines of a journal entry do not sum to zero"))


def content_sha256(draft: EntryDraft) -> str:
    """Return the hash of all that *draft* says; a second draft with its key must say the same."""
    return content_hash(
        draft.key,
        draft.event,
        draft.effective_on.isoformat(),
        draft.lines,
        draft.actor_id,
        draft.approver_id,
        draft.reverses_id,
        draft.reason,
    )


def content_hash(*facts: object) -> str:
    """Return the hash of key, event, ISO day, lines (code, dimension, fen), actor, approver, original, reason."""
    return hashlib.sha256(_encode(facts).encode("ascii")).hexdigest()
