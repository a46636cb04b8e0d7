"""The chosen rows of a bulk form, each with the hash of what was on screen."""

import re
from typing import NamedTuple

from flask import request

from supervise.errors import InvalidInputError
from supervise.labels import N_

#: A row's id and the SHA-256 of what the page showed of it.
_PICKED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)
ROWS_MAX = 1_000


class NothingPickedError(InvalidInputError):
    """A bulk button without rows."""

    message = N_("Choose at least one row")


class TooManyPickedError(InvalidInputError):
    """One decision is one transaction, which must not hold its locks for long."""

    message = N_("At most %(limit)d rows at once; do it in parts")


class Picked(NamedTuple):
    """A chosen row as the page showed it."""

    id: int
    content_sha256: str


def picked_rows() -> list[Picked]:
    """Return the chosen rows of this request, each once.

    Raises:
        NothingPickedError: if there are none.
        TooManyPickedError: if there are more than ``ROWS_MAX``.
        InvalidInputError: for a value that our pages do not make.
    """
    rows = {}
    for value in request.form.getlist("picked"):
        match = _PICKED.fullmatch(value)
        if match is None:
            raise InvalidInputError
        rows[int(match[1])] = Picked(int(match[1]), match[2])
    _check_count(len(rows))
    return list(rows.values())


def picked_ids() -> list[int]:
    """Return the ids of the chosen rows where no hash goes along; refused as ``picked_rows`` does."""
    values = request.form.getlist("picked")
    if not all(re.fullmatch("[0-9]{1,18}", value, re.ASCII) for value in values):
        raise InvalidInputError
    ids = list(dict.fromkeys(map(int, values)))
    _check_count(len(ids))
    return ids


def _check_count(count: int) -> None:
    if count == 0:
        raise NothingPickedError
    if count > ROWS_MAX:
        raise TooManyPickedError(limit=ROWS_MAX)
