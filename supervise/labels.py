"""Words for people: gettext over Babel's catalogues, in the locale of a request, a job or a command.

English stands in the code; ``translations/zh_Hans`` is what a user sees unless they ask for English.
"""

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import Self

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

#: The first is what a user sees who asks for nothing else.
LOCALES = ("zh_Hans", "en")
DEFAULT_LOCALE = LOCALES[0]
CATALOGUES = Path(__file__).parent / "translations"

_locale: ContextVar[str] = ContextVar("locale", default=DEFAULT_LOCALE)


@functools.cache
def _catalogue(locale: str) -> NullTranslations:
    # Read from its source once for each process, so that no compiled file can be missing or stale.
    source = CATALOGUES / locale / "LC_MESSAGES" / "messages.po"
    if not source.is_file():
        return NullTranslations()
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=locale))
    compiled.seek(0)
    return Translations(compiled)


def current_locale() -> str:
    """Return the locale of this request, job or command (``zh_Hans`` or ``en``)."""
    return _locale.get()


@contextmanager
def use_locale(locale: str) -> Iterator[None]:
    """Speak *locale* inside the block.

    Raises:
        ValueError: if there is no such catalogue.
    """
    if locale not in LOCALES:
        raise ValueError(f"unknown locale {locale!r}")
    token = _locale.set(locale)
    try:
        yield
    finally:
        _locale.reset(token)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name, which extractors look for
    """Mark *message* for the catalogues; it is translated later, where it is shown."""
    return message


def translate(message: str, parameters: object = None) -> str:
    """Return stored *message* (a message id) in the current locale, with its parameters filled in."""
    text = _catalogue(_locale.get()).gettext(message) if message else ""
    return text % parameters if parameters else text


def _(message: str, **parameters: object) -> str:
    """Translate *message* now; ``%(name)s`` places take the keyword arguments."""
    return translate(message, parameters)


def ngettext(singular: str, plural: str, n: int, **parameters: object) -> str:
    """Translate by number; ``%(n)d`` is filled in."""
    text = _catalogue(_locale.get()).ngettext(singular, plural, n)
    return text % {"n": n, **parameters}


class LazyText:
    """A text of a form class, translated each time it is shown."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        return translate(self.message)

    def __html__(self) -> str:
        # Jinja escapes what has no __html__ itself; a message is our own text, but may hold < or &.
        return str(self).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def __mod__(self, parameters: object) -> str:
        return str(self) % parameters

    def format(self, *args: object, **kwargs: object) -> str:
        """Fill a ``str.format`` text, as some WTForms validators do."""
        return str(self).format(*args, **kwargs)


def _l(message: str) -> LazyText:
    return LazyText(message)


class LabelledEnum(StrEnum):
    """A stored value with the words for people: ``UPHELD = "upheld", N_("Upheld")``."""

    _label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        """Make the member; *label* is a message id, marked with ``N_``."""
        member = str.__new__(cls, value)
        member._value_ = value
        member._label = label or value  # noqa: SLF001 - it is being made
        return member

    @property
    def label(self) -> str:
        """The member's words in the current locale."""
        return translate(self._label)
