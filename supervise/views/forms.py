"""What every form shares: the user's language, and fields that hand over domain values."""

import functools
from typing import Any

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.i18n import get_translations

from supervise.labels import _, current_locale
from supervise.money import format_yuan, parse_yuan

#: WTForms' own names of our locales.
_WTFORMS_LOCALES = {"zh_Hans": "zh", "en": "en"}


@functools.cache
def _wtforms_catalogue(locale: str) -> Any:
    return get_translations([_WTFORMS_LOCALES[locale]])


class Form(FlaskForm):  # type: ignore[misc]
    """A form whose built-in messages speak the user's language."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """Translate by the request's locale instead of Flask-Babel's."""

        def get_translations(self, _form: object) -> Any:
            """Return WTForms' catalogue for the current locale."""
            return _wtforms_catalogue(current_locale())


class YuanField(StringField):  # type: ignore[misc]
    """An amount that is typed in yuan and handed over in fen; after an error it shows what was typed."""

    data: int | None

    @property
    def fen(self) -> int:
        """The amount after validation.

        Raises:
            ValueError: if the field is empty.
        """
        if self.data is None:
            raise ValueError(f"{self.name} is empty")
        return self.data

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else format_yuan(self.data, grouped=False)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the typed amount."""
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        try:
            self.data = parse_yuan(valuelist[0])
        except ValueError:
            self.data = None
            raise ValueError(_("Enter an amount in yuan, such as 1,234.50")) from None
