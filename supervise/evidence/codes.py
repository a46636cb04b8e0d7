"""Codes by which records name people and offers: staff numbers, sales channels, plans.

A code that holds somebody's telephone number stands in the records by its keyed index, as a record id does; whoever
joins a register with records gives the register's codes the same way.
"""

import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from supervise import phone
from supervise.cipher import Keyring

#: The key in ``session.info``.
KEYRING_KEY = "supervise.keyring"
#: No code with fewer characters holds a number.
NUMBER_CHARS = 10
_INDEX = re.compile("[0-9a-f]{32}")
_SHOWN = 8


def holds_number(code: str) -> bool:
    """Say whether a mobile or a landline number stands in the code."""
    return len(code) >= NUMBER_CHARS and phone.mask_in_text(code) != code


def in_records(code: str, keyring: Keyring) -> str:
    """Return the code as records hold it."""
    # The same name in records of another kind gets the same index, but nobody's number does.
    return keyring.blind_index(f"record {code}") if holds_number(code) else code


def is_index(code: str) -> bool:
    """Say whether the code of a record is the index of one that holds a number."""
    return _INDEX.fullmatch(code) is not None


def shown(code: str) -> str:
    """Return a record's code as people compare it: the beginning of an index tells two of them apart."""
    return f"{code[:_SHOWN]}…" if is_index(code) else code


def recorder(session: Session) -> Callable[[str], str]:
    """Return what gives a register's code as records hold it, by the keys that *session* was opened beside."""

    def recorded(code: str) -> str:
        return in_records(code, keyring_of(session)) if holds_number(code) else code

    return recorded


def keyring_of(session: Session) -> Keyring:
    """Return the keys that *session* was opened beside."""
    keyring = session.info[KEYRING_KEY]
    if not isinstance(keyring, Keyring):
        raise TypeError(f"not a keyring: {keyring!r}")
    return keyring
