"""Offence types to tick, each with its checklist beneath: fields that a class of form has for the items of a day."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from wtforms import BooleanField, Field, RadioField, SelectField
from wtforms.validators import DataRequired, Optional

from supervise.attribution.checklists import Answers, shortfall
from supervise.attribution.models import EvidenceItem, EvidenceKind
from supervise.attribution.proof_models import VerificationKind
from supervise.labels import _, _l
from supervise.views.filters import named
from supervise.views.forms import Form

#: Instead of a way to verify: the log of the call has it already.
LOGGED = "logged"
_ANSWERS = {"yes": True, "no": False}


class ChecklistForm(Form):
    """A form on which offence types are found proven; make its class with ``asking``."""

    #: The items that hold, by code of their offence type.
    checklists: ClassVar[Mapping[str, Sequence[EvidenceItem]]] = {}
    #: The field in which offence types are ticked as proven.
    ticked_in: ClassVar[str]
    verified_by = SelectField(
        _l("Verified by"),
        description=_l("The evidence is entered in the verification log; nothing is proven without"),
        choices=lambda: [
            *((kind.value, kind.label) for kind in VerificationKind),
            (LOGGED, _("As the verification log says")),
        ],
        default=VerificationKind.RECORDING_REVIEW.value,
        # Not InputRequired: what is not sent has its default.
        validators=[DataRequired()],
    )

    @property
    def how(self) -> VerificationKind | None:
        """How the calls were verified; None: their logs say it."""
        return None if self.verified_by.data == LOGGED else VerificationKind(self.verified_by.data)

    @classmethod
    def asking(cls, items: Sequence[EvidenceItem]) -> type[Self]:
        """Return this class with a field for each of *items*."""
        by_offence: dict[str, list[EvidenceItem]] = {}
        for item in items:
            by_offence.setdefault(item.offence_code, []).append(item)
        fields = {_name(item.offence_code, item.code): _field(item) for item in items}
        return type(cls.__name__, (cls,), {"checklists": by_offence, **fields})

    @property
    def found_proven(self) -> Sequence[str]:
        """The codes of the offence types that were ticked as proven."""
        return self[self.ticked_in].data or ()

    def checklist_of(self, offence_code: str) -> list[tuple[EvidenceItem, Field]]:
        """Return the items of an offence type, each with its field."""
        items = self.checklists.get(offence_code, ())
        return [(item, self[_name(offence_code, item.code)]) for item in items]

    def answers(self, offence_code: str) -> Answers:
        """Return what was answered for an offence type."""
        return {
            item.code: field.data for item, field in self.checklist_of(offence_code) if isinstance(field.data, bool)
        }

    def validate(self, extra_validators: Any = None) -> bool:
        """Check the fields, then the checklists of what was ticked: what lacks is said beside its item."""
        is_valid = bool(super().validate(extra_validators))
        for code in self.found_proven:
            found = shortfall(self.checklists.get(code, ()), self.answers(code), proven=True)
            for lacking in found.codes if found else ():
                field = self[_name(code, lacking)]
                field.errors = [*field.errors, found.gap.label if found else ""]
            is_valid = is_valid and found is None
        return is_valid


def _name(offence_code: str, item_code: str) -> str:
    return f"check-{offence_code}-{item_code}"


def _field(item: EvidenceItem) -> Any:
    if item.kind is EvidenceKind.PROOF:
        return BooleanField(named(item))
    return RadioField(
        named(item),
        choices=functools.partial(_told_or_not),
        coerce=_ANSWERS.get,
        # Unanswered is for ``validate`` to judge: only what is ticked asks for its checklist.
        validators=[Optional()],
        validate_choice=False,
    )


def _told_or_not() -> list[tuple[str, str]]:
    return [("yes", _("told")), ("no", _("not told"))]
