"""Remarks: what an import says of a row, stored as message ids and parameters, put into words where it is shown.

They are stored in the clear and outlive the encrypted cells, so no full number may stand in them.
"""

import re
from collections.abc import Iterable, Mapping

from supervise.labels import translate
from supervise.phone import mask

Remark = tuple[str, Mapping[str, str | int]]

_DATE = re.compile(r"(?:19|20)[0-9]{2}([-/.])[0-9]{1,2}\1[0-9]{1,2}(?![0-9])(?:[ T][0-9]{1,2}:[0-9]{2})?")
#: Parameter that names the column of the file; shown before the sentence.
COLUMN = "column"
#: References of tickets (TS...) are ours and stay; everything else of seven digits may be a number.
_LONG_NUMBER = re.compile(r"(?<![0-9])(?<!TS)[0-9０-９](?:[ -]?[0-9０-９]){6,}")  # noqa: RUF001 - people type full width too


def remark(message_id: str, **parameters: str | int) -> Remark:
    """Return a remark with every number of seven or more digits masked, times and dates excepted."""
    return message_id, {
        name: _masked(value) if isinstance(value, str) and name != COLUMN else value
        for name, value in parameters.items()
    }


def _masked(text: str) -> str:
    date = _DATE.match(text)
    kept = date[0] if date else ""
    return kept + _LONG_NUMBER.sub(lambda found: mask(re.sub(r"\D", "", found[0])), text[len(kept) :])


def remark_text(stored: Remark) -> str:
    """Return a remark in the current locale: ``Call time: There is no such date``, column first."""
    message_id, parameters = stored
    text = translate(message_id, dict(parameters))
    column = parameters.get(COLUMN)
    return f"{column}: {text}" if column is not None else text


def remarks_text(stored: Iterable[Remark]) -> str:
    """Return all remarks of a row in one line."""
    return "; ".join(map(remark_text, stored))
