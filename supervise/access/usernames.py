"""User names: folded once, so that ``Wang``, ``wang`` and the full-width letters are one user."""

import re
import unicodedata

from supervise.errors import InvalidInputError
from supervise.labels import N_

_NAME = re.compile(r"[\w.@-]{2,40}")


class UsernameError(InvalidInputError):
    """The name has characters or a length that user names do not have."""

    message = N_("A user name has 2 to 40 letters, digits, dots or hyphens")


def fold_username(text: str) -> str:
    """Return *text* as it is stored and compared."""
    # lower() last: casefold leaves a few letters that the CHECK username = lower(username) would change.
    return unicodedata.normalize("NFKC", text.strip()).casefold().lower()


def new_username(text: str) -> str:
    """Return the folded name for a new user.

    Raises:
        UsernameError: if it is no name.
    """
    name = fold_username(text)
    if not _NAME.fullmatch(name):
        raise UsernameError
    return name
