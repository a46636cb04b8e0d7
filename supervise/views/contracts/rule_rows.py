"""The repeated rows of a rule's form: tiers, caps and bearers; each checks itself and says its part of the rule."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import BooleanField, IntegerField, SelectField, StringField
from wtforms.validators import NumberRange, Optional

from supervise.contracts.rules import WHOLE_BP, CapPer, ShareMode
from supervise.contracts.words import percent, times
from supervise.labels import N_, _, _l
from supervise.money import FEN_MAX
from supervise.parties.models import PartyKind
from supervise.views.forms import Form, YuanField


class _BasisPointsField(StringField):  # type: ignore[misc]
    """A share or multiplier as people write it, handed over in basis points."""

    data: int | None
    sign: str
    #: Basis points of a typed 1, and the range that is accepted.
    unit: int
    least: int
    most: int
    refusal: str

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed; nothing is nothing."""
        self.data = None
        if not valuelist or not valuelist[0].strip():
            return
        try:
            bp = Decimal(valuelist[0].strip().removesuffix(self.sign).strip()) * self.unit
        except InvalidOperation:
            raise ValueError(_(self.refusal)) from None
        if not bp.is_finite() or bp != int(bp) or not self.least <= bp <= self.most:
            raise ValueError(_(self.refusal))
        self.data = int(bp)


class PercentField(_BasisPointsField):
    """A percentage with at most two decimals."""

    sign, unit, least, most = "%", WHOLE_BP // 100, 1, WHOLE_BP
    refusal = N_("Enter a percentage, such as 33.33")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else percent(self.data)


class TimesField(_BasisPointsField):
    """A multiplier from 1 to 100 with at most four decimals."""

    sign, unit, least, most = "x", WHOLE_BP, WHOLE_BP, 100 * WHOLE_BP
    refusal = N_("Enter how many times, from 1 to 100, such as 1.5")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else times(self.data)


class RowForm(Form):
    """A row inside a form; one that was left empty says nothing."""

    class Meta(Form.Meta):
        """Its form is checked as a whole."""

        csrf = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was entered in it."""
        return not any(field.data for field in self)

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Check the fields, then what they say together."""
        if not super().validate(extra_validators):
            return False
        return self.is_empty or self.holds_together()

    def holds_together(self) -> bool:
        """Say beside a field what a row that says something lacks, and whether it lacks nothing."""
        return True


class StepForm(RowForm):
    """One tier: from which offence on it costs how much."""

    from_count = IntegerField(_l("From offence number"), validators=[Optional(), NumberRange(min=1, max=1_000_000)])
    amount_fen = YuanField(_l("Amount (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)])

    def holds_together(self) -> bool:
        """A tier has both."""
        if self.from_count.data is None:
            self.from_count.errors = [_("Enter the number of the offence")]
        if self.amount_fen.data is None:
            self.amount_fen.errors = [_("Enter an amount")]
        return not self.errors

    def clause(self) -> dict[str, Any]:
        """Return the tier as the rule's schema has it."""
        return {"from_count": self.from_count.data, "amount_fen": self.amount_fen.data}


class CapForm(RowForm):
    """One cap: an amount, or a part of the month's commission, and over what it sums."""

    per = SelectField(_l("Capped"), validators=[Optional()])
    limit_fen = YuanField(_l("At most (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)])
    commission_bp = PercentField(_l("Or at most of the month's commission (percent)"), validators=[Optional()])
    release = BooleanField(_l("Offer room that a lifted penalty frees again"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.per.choices = [("", "—"), *((one.value, one.label) for one in CapPer)]

    def holds_together(self) -> bool:
        """A cap is either an amount or a percentage, and the percentage is of a month."""
        if not self.per.data:
            self.per.errors = [_("Choose what is capped")]
        if (self.limit_fen.data is None) == (self.commission_bp.data is None):
            self.limit_fen.errors = [_("Enter either an amount or a percentage")]
        elif self.commission_bp.data is not None and self.per.data and self.per.data != CapPer.MONTH.value:
            self.commission_bp.errors = [_("A percentage of the month's commission caps the calendar month")]
        return not self.errors

    def clause(self) -> dict[str, Any]:
        """Return the cap as the rule's schema has it."""
        said = {"per": self.per.data, "limit_fen": self.limit_fen.data, "commission_bp": self.commission_bp.data}
        if self.release.data:
            said["release"] = True
        return {name: value for name, value in said.items() if value is not None}


class ShareForm(RowForm):
    """One bearer: the party of a kind in the chain, its part, and the most that it can be made to pay."""

    kind = SelectField(_l("Kind of party"), validators=[Optional()])
    share_bp = PercentField(_l("Part (percent)"), validators=[Optional()])
    limit_fen = YuanField(_l("At most of a charge (yuan)"), validators=[Optional(), NumberRange(min=1, max=FEN_MAX)])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = [("", "—"), *((kind.value, kind.label) for kind in PartyKind)]

    def holds_together(self) -> bool:
        """A part is somebody's."""
        if not self.kind.data:
            self.kind.errors = [_("Choose the kind of party")]
        return not self.errors

    def check_against(self, mode: ShareMode) -> None:
        """Say beside a field what does not go with *mode*; after validation."""
        if mode is ShareMode.PERCENT and self.share_bp.data is None:
            self.share_bp.errors = [_("Enter the percentage")]
        if mode is ShareMode.EQUAL and self.share_bp.data is not None:
            self.share_bp.errors = [_("Equal parts have no percentages")]
        if mode is not ShareMode.JOINT and self.limit_fen.data is not None:
            self.limit_fen.errors = [_("Only joint liability has limits")]

    def clause(self) -> dict[str, Any]:
        """Return the part as the rule's schema has it."""
        said = {"kind": self.kind.data, "share_bp": self.share_bp.data, "limit_fen": self.limit_fen.data}
        return {name: value for name, value in said.items() if value is not None}
