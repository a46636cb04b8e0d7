"""What is known of one number's refusals and consents, as its pages show it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise.access.identity import current_user
from supervise.access.queries import display_names
from supervise.access.roles import Permission
from supervise.desk.parties import names_of
from supervise.donotcall.held import Standing, standing_of
from supervise.donotcall.models import PermissionWord
from supervise.donotcall.queries import PermissionLine, Reader, words_of_number
from supervise.views.registers import scope_of

_LINES = 200


class NumberWords(NamedTuple):
    """What holds now, and every word so far with who recorded it."""

    number_id: int
    #: Empty where only what the reader recorded is theirs to see: the whole might say otherwise.
    standing: Sequence[Standing]
    #: Names of the parties in ``standing``.
    parties: Mapping[int, str]
    lines: Sequence[PermissionLine]
    #: Names of those who recorded the lines.
    names: Mapping[int, str]
    may_record: bool


def reader_of(session: Session) -> Reader:
    """Return who looks, and what they see."""
    return Reader(scope_of(session), current_user().id)


def recordable() -> list[PermissionWord]:
    """Return what the user may record: a refusal, a consent, both or nothing."""
    me = current_user()
    needs = {
        PermissionWord.REFUSAL: Permission.RECORD_REFUSALS,
        PermissionWord.CONSENT: Permission.RECORD_CONSENTS,
    }
    return [word for word, permission in needs.items() if me.can(permission)]


def words_of(session: Session, number_id: int, *, is_whole: bool = True) -> NumberWords:
    """Return what is known of a number in reach; not *is_whole*: only what the reader recorded themselves."""
    standing = standing_of(session, number_id) if is_whole else []
    lines = words_of_number(session, reader_of(session), number_id, limit=_LINES)
    return NumberWords(
        number_id,
        standing,
        names_of(session, [one.party_id for one in standing if one.party_id is not None]),
        lines,
        display_names(session, [line.event.recorded_by for line in lines]),
        bool(recordable()),
    )
