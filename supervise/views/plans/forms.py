"""Forms of the plan catalogue's pages."""

from typing import Any

from wtforms import BooleanField, DateField, HiddenField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from supervise.contracts.plan_file import split_codes
from supervise.contracts.plan_queries import PlanFilters, PlanLine
from supervise.contracts.plans import PlanTerms
from supervise.labels import _l
from supervise.parties.models import SalesChannelKind
from supervise.views import register_fields as fields
from supervise.views.forms import FilterForm, Form, MemberField, WordsField, YuanField


class PlanFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("Plan code or name"), validators=[Optional(), Length(max=60)])
    kind = MemberField(_l("May be sold on"), SalesChannelKind, everything=True, validators=[Optional()])
    present = BooleanField(_l("Only those published today"))

    def wanted(self) -> PlanFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return PlanFilters(
            text=(self.q.data or "").strip(), kind=self.accepted(self.kind), present=bool(self.present.data)
        )


class PlanFacts(Form):
    """What the catalogue says of a plan."""

    name = StringField(_l("Plan name"), validators=[InputRequired(_l("Enter the name")), Length(max=100)])
    price = YuanField(_l("Monthly price (yuan)"), validators=[InputRequired(_l("Enter the amount"))])
    published_from = DateField(_l("Published from"), validators=[InputRequired(_l("Enter the first day"))])
    published_to = DateField(
        _l("Published until"),
        description=_l("The first day without it; empty: until further notice"),
        validators=[Optional(), fields.After("published_from")],
    )
    kinds = SelectMultipleField(
        _l("Kinds of channel"),
        description=_l("With no kind and no code below, the plan may be sold everywhere"),
        choices=lambda: [(kind.value, kind.label) for kind in SalesChannelKind],
        coerce=SalesChannelKind,
        validators=[Optional()],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    channel_codes = StringField(
        _l("Channel codes"),
        description=_l("Single channels besides, separated by spaces"),
        validators=[Optional(), Length(max=1_000)],
    )

    def terms(self) -> PlanTerms:
        """Return what a valid form says."""
        return PlanTerms(
            name=(self.name.data or "").strip(),
            monthly_price_fen=self.price.fen,
            published_from=self.published_from.data,
            published_to=self.published_to.data,
            kinds=frozenset(self.kinds.data or ()),
            channel_codes=split_codes(self.channel_codes.data or ""),
        )


class PublishForm(PlanFacts):
    """A plan that is entered in the catalogue."""

    code = StringField(
        _l("Plan code"),
        description=_l("As orders name it"),
        validators=[
            InputRequired(_l("Enter the code")),
            Length(max=40),
            Regexp(r"^\S+$", message=_l("A code has no spaces")),
        ],
    )

    def __iter__(self) -> Any:
        """Show the code first."""
        return iter([self.code, *(self[name] for name in self._fields if name != "code")])


class CorrectPlanForm(PlanFacts):
    """What was entered wrongly of a plan."""

    reason = fields.reason()
    version = HiddenField(validators=[InputRequired()])


class EndPlanForm(Form):
    """The end of a publication."""

    on = fields.closing_day()
    reason = fields.reason()


def shown(line: PlanLine) -> dict[str, Any]:
    """Return what the form of a plan begins with."""
    plan = line.plan
    return {
        "name": plan.name,
        "price": plan.monthly_price_fen,
        "published_from": plan.published_from,
        "published_to": plan.published_to,
        "kinds": list(line.kinds),
        "channel_codes": " ".join(line.channel_codes),
        "version": plan.version,
    }
