"""Forms of the subscribers' pages."""

from collections.abc import Sequence
from typing import Any

from flask import request, url_for
from wtforms import BooleanField, HiddenField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from supervise.complaints.queries import SubscriberFilters
from supervise.labels import _, _l
from supervise.views import register_fields as fields
from supervise.views.forms import Form, MomentField
from supervise.views.intake.forms import PhoneField
from supervise.views.typed_numbers import asked, hide_numbers

Units = Sequence[tuple[int, str]]
_ID_DIGITS = 18


class FindForm(Form):
    """A search that must not stand in an address: it holds a full number."""

    number = PhoneField(_l("Full number"), validators=[Optional()])
    account_ref = StringField(_l("Account"), validators=[Optional(), Length(max=60)])
    unit_id = SelectField(_l("Region"), validators=[Optional()])
    present = BooleanField(_l("Only those who hold it now"))

    def __init__(self, units: Units, **kwargs: Any) -> None:
        super().__init__(data={"unit_id": request.args.get("unit", ""), "present": "present" in request.args}, **kwargs)
        self.unit_id.choices = [("", _("All")), *((str(unit_id), name) for unit_id, name in units)]

    def wanted(self) -> SubscriberFilters:
        """Return what the address asks for."""
        return SubscriberFilters(
            number_id=_asked_id("number_id"),
            account_ref=asked("account"),
            unit_id=_asked_id("unit"),
            present="present" in request.args,
        )

    def address(self, number_id: int | None) -> str:
        """Return the address of the list that was asked for by POST; *number_id* stands for the full number."""
        return url_for(
            ".index",
            number_id=number_id,
            account=hide_numbers((self.account_ref.data or "").strip(), "account") or None,
            unit=self.unit_id.data or None,
            present="1" if self.present.data else None,
        )


def _asked_id(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text[:_ID_DIGITS]) if text.isdecimal() else None


def _account() -> StringField:
    return StringField(_l("Account"), validators=[InputRequired(_l("Enter the account")), Length(max=60)])


class SubscriberForm(Form):
    """What is entered of a holding besides its number."""

    account_ref = _account()
    unit_id = SelectField(_l("Region"), validators=[Optional()])
    held_from = MomentField(_l("From"), validators=[InputRequired(_l("Enter the moment"))])
    held_to = fields.end_moment()

    def __init__(self, units: Units, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit_id.choices = [("", _("Not known")), *((str(unit_id), name) for unit_id, name in units)]

    @property
    def home_unit_id(self) -> int | None:
        """The unit of the home region, after validation."""
        return int(self.unit_id.data) if self.unit_id.data else None


class NewSubscriberForm(SubscriberForm):
    """Who holds a number, since when."""

    number = PhoneField(_l("Number"), validators=[InputRequired(_l("Enter the number"))])
    source = fields.source()

    def __iter__(self) -> Any:
        """Show the number before what is known of it."""
        return iter([self.number, *(field for field in super().__iter__() if field is not self.number)])


class CorrectSubscriberForm(SubscriberForm):
    """What was entered wrongly of a holding."""

    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])


class EndForm(Form):
    """When the holding ended."""

    held_to = MomentField(
        _l("Until"), description=_l("The first moment without it"), validators=[InputRequired(_l("Enter the moment"))]
    )
    version = HiddenField(validators=[InputRequired()])


class RevealForm(Form):
    """Why a full number is needed."""

    reason = StringField(validators=[InputRequired(), Length(min=4, max=200)])
