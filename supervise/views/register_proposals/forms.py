"""Forms of the proposals' pages."""

from collections.abc import Sequence
from typing import Any

from wtforms import DateField, HiddenField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from supervise.labels import _, _l
from supervise.parties.models import Carrier, Party, ProposalState
from supervise.parties.proposals import Action
from supervise.phone import PhoneError, normalise
from supervise.views.forms import FilterForm, Form, MemberField, MomentField


class ProposalFilterForm(FilterForm):
    """The filter above the list."""

    state = MemberField(_l("State"), ProposalState, everything=True, validators=[Optional()])


class ProposalForm(Form):
    """What every proposal says."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(max=200)])


class _OwnPartyForm(ProposalForm):
    party = SelectField(_l("For"), coerce=int, validators=[InputRequired()])

    def __init__(self, parties: Sequence[Party], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.party.choices = [(party.id, f"{party.name} ({party.code})") for party in parties]


class NumberProposalForm(_OwnPartyForm):
    """A number that we hold, or take over."""

    action = SelectField(_l("What"), coerce=Action, validators=[InputRequired()])
    digits = StringField(_l("Number"), validators=[InputRequired(_l("Enter the number")), Length(max=40)])
    at = MomentField(
        _l("From"), description=_l("China time; to the second"), validators=[InputRequired(_l("Enter the moment"))]
    )
    end_at = MomentField(_l("Until"), description=_l("Empty: until further notice"), validators=[Optional()])

    def __init__(self, parties: Sequence[Party], **kwargs: Any) -> None:
        super().__init__(parties, **kwargs)
        self.action.choices = [(action.value, action.label) for action in (Action.HOLD, Action.TAKE_OVER)]

    def validate_digits(self, field: StringField) -> None:
        """Refuse what is no number, beside the field."""
        try:
            normalise(field.data)
        except PhoneError as error:
            raise ValidationError(str(error)) from error

    def validate_end_at(self, field: MomentField) -> None:
        """Refuse an empty period beside the field; the decision refuses it too."""
        if field.data and self.at.data and field.data <= self.at.data:
            raise ValidationError(_("The end must be after the start"))


class EndHoldingForm(ProposalForm):
    """A number that we give back."""

    at = MomentField(
        _l("Until"),
        description=_l("China time; the first moment without it"),
        validators=[InputRequired(_l("Enter the moment"))],
    )


class StaffProposalForm(_OwnPartyForm):
    """A worker of ours."""

    carrier = SelectField(_l("Carrier"), validators=[InputRequired()])
    staff_number = StringField(
        _l("Staff number"), validators=[InputRequired(_l("Enter the staff number")), Length(max=40)]
    )
    alias = StringField(
        _l("Alias"), description=_l("What the worker is called on the phone"), validators=[Optional(), Length(max=40)]
    )
    on = DateField(_l("From"), validators=[InputRequired(_l("Enter the first day"))])
    end_on = DateField(_l("First day without it"), validators=[Optional()])

    def __init__(self, parties: Sequence[Party], carriers: Sequence[Carrier], **kwargs: Any) -> None:
        super().__init__(parties, **kwargs)
        self.carrier.choices = [(carrier.code, carrier.name) for carrier in carriers]

    def validate_end_on(self, field: DateField) -> None:
        """Refuse an empty period beside the field; the decision refuses it too."""
        if field.data and self.on.data and field.data <= self.on.data:
            raise ValidationError(_("The end must be after the start"))


class EndStaffProposalForm(ProposalForm):
    """A worker who left."""

    on = DateField(_l("First day without it"), validators=[InputRequired(_l("Enter the first day"))])


class VersionForm(Form):
    """Which state of a proposal the user has seen."""

    version = HiddenField(validators=[InputRequired()])


class RejectForm(VersionForm):
    """Why a proposal is not followed."""

    note = StringField(_l("Why not"), validators=[InputRequired(_l("Say why")), Length(max=200)])
