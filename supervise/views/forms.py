"""What every form shares: the user's language, and fields that hand over domain values."""

import datetime as dt
import functools
from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import DateTimeLocalField, Field, SelectField, StringField
from wtforms.i18n import get_translations
from wtforms.validators import InputRequired, Length
from wtforms.widgets import TextInput

from supervise import clock
from supervise.labels import LabelledEnum, _, _l, current_locale
from supervise.money import format_yuan, parse_yuan
from supervise.views.typed_numbers import masked, read_numbers

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


def only_for(field: str, *answers: str) -> dict[str, str]:
    """Return what a browser needs to put a field out of reach unless the choice *field* is one of *answers*."""
    return {"data-only-with": field, "data-only-for": " ".join(answers)}


class RevealForm(Form):
    """Why something personal must be seen in full."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=200)])


class FilterForm(Form):
    """The filters above a list, read from the address."""

    class Meta(Form.Meta):
        """A GET form has nothing to forge."""

        csrf = False

    def accepted(self, field: Field) -> Any:
        """Return what *field* hands over, after validation; None for nonsense, which narrows nothing."""
        return None if field.errors else field.data


class _WordsInput(TextInput):  # type: ignore[misc]
    """The words as they may be shown, and hidden beside them the address's own: they come back with the form."""

    def __call__(self, field: Field, **kwargs: Any) -> Markup:
        """Return the inputs."""
        shown: Markup = super().__call__(field, **kwargs)
        if field.data == field.kept:
            return shown
        return shown + Markup('<input type="hidden" name="{}-kept" value="{}">').format(field.name, field.kept)


class WordsField(StringField):  # type: ignore[misc]
    """Words to search for: a full number is a token in the address, digits in ``data``, a mask on the page."""

    widget = _WordsInput()
    data: str | None
    #: The words as the address has them.
    kept: str | None = None

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the words."""
        super().process_formdata(valuelist)
        self.kept = self.data
        self.data = read_numbers(self.data, self.name) if self.data else self.data

    def _value(self) -> str:
        return masked(self.kept or self.data or "", self.name)


class MemberField(SelectField):  # type: ignore[misc]
    """A choice among the members of an enumeration, handed over as the member; *everything* offers not to choose."""

    def __init__(
        self, label: Any, kind: type[LabelledEnum], *, everything: bool = False, validators: Any = (), **kwargs: Any
    ) -> None:
        super().__init__(
            label,
            validators,
            coerce=functools.partial(_member, kind),
            choices=functools.partial(_choices, kind, everything),
            **kwargs,
        )


def _member(kind: type[LabelledEnum], value: str | None) -> LabelledEnum | None:
    return kind(value) if value else None


def _choices(kind: type[LabelledEnum], everything: bool) -> list[tuple[str, str]]:  # noqa: FBT001 - filled in by partial
    members = [(member.value, member.label) for member in kind]
    return [("", _("All")), *members] if everything else members


class MomentField(DateTimeLocalField):  # type: ignore[misc]
    """A moment that is typed by China's clock and handed over in UTC."""

    data: dt.datetime | None

    def __init__(
        self, label: Any, validators: Any = (), *, render_kw: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]
        super().__init__(label, validators, format=formats, render_kw={"step": "1", **(render_kw or {})}, **kwargs)

    @property
    def moment(self) -> dt.datetime:
        """The moment after validation.

        Raises:
            ValueError: if the field is empty.
        """
        if self.data is None:
            raise ValueError(f"{self.name} is empty")
        return self.data

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data.astimezone(clock.CHINA):%Y-%m-%dT%H:%M:%S}" if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the typed wall-clock time; an empty one is no moment."""
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        super().process_formdata(valuelist)
        self.data = clock.from_china(self.data) if self.data is not None else None


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
