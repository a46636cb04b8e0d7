"""What a finding of an offence type must answer besides its note: the checklist of the day of the call (domain F40).

A proven finding answers every item. Proofs must be there; of what the subscriber had to be told, something was not.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.attribution.models import EvidenceItem, EvidenceKind, Finding
from supervise.complaints.models import OffenceType
from supervise.errors import InvalidInputError
from supervise.labels import N_, LabelledEnum, current_locale

#: By code of the item: whether it is there, or was told.
Answers = Mapping[str, bool]


class Gap(LabelledEnum):
    """Why answers do not prove an offence; the label stands beside the items that it is about."""

    UNKNOWN = "unknown", N_("Not on the checklist")
    UNANSWERED = "unanswered", N_("Answer this item")
    NO_PROOF = "no_proof", N_("Without this the offence is not proven")
    ALL_TOLD = "all_told", N_("Everything was told, so nothing was concealed")


_SENTENCES = {
    Gap.UNKNOWN: N_("%(offence)s has no item %(items)s on its checklist"),
    Gap.UNANSWERED: N_("%(offence)s: the checklist is incomplete, not answered: %(items)s"),
    Gap.NO_PROOF: N_("%(offence)s is not proven without: %(items)s"),
    Gap.ALL_TOLD: N_("%(offence)s is not proven: all of %(items)s was told"),
}


class ChecklistError(InvalidInputError):
    """The answers do not prove the offence."""


class Answer(NamedTuple):
    """An item as a finding answered it."""

    item: EvidenceItem
    given: bool


class Shortfall(NamedTuple):
    """What is wrong with the answers, and which items (by code) it is about."""

    gap: Gap
    codes: list[str]


def evidence_items(session: Session, offence_codes: Collection[str] | None = None) -> Sequence[EvidenceItem]:
    """Return the items of these offence types, or of all, of every period, by type and place."""
    query = select(EvidenceItem)
    if offence_codes is not None:
        query = query.where(EvidenceItem.offence_code.in_(offence_codes))
    order = (EvidenceItem.offence_code, EvidenceItem.position, EvidenceItem.valid_from, EvidenceItem.id)
    return session.scalars(query.order_by(*order)).all()


def items_on(items: Iterable[EvidenceItem], on: dt.date) -> list[EvidenceItem]:
    """Return those of *items* that hold for a call of that day."""
    return [item for item in items if item.valid_from <= on and (item.valid_to is None or on < item.valid_to)]


def shortfall(items: Sequence[EvidenceItem], answers: Answers, *, proven: bool) -> Shortfall | None:
    """Return why the offence type with these *items* is not found so by *answers*; None: it is.

    What is not proven needs no answers, but must not answer what nobody asked.
    """
    codes = [item.code for item in items]
    unknown = [code for code in answers if code not in codes]
    unanswered = [code for code in codes if code not in answers]
    missing = [item.code for item in items if item.kind is EvidenceKind.PROOF and not answers.get(item.code)]
    told = [item.code for item in items if item.kind is EvidenceKind.DISCLOSURE]
    if unknown:
        return Shortfall(Gap.UNKNOWN, unknown)
    if not proven:
        return None
    if unanswered:
        return Shortfall(Gap.UNANSWERED, unanswered)
    if missing:
        return Shortfall(Gap.NO_PROOF, missing)
    if told and all(answers[code] for code in told):
        return Shortfall(Gap.ALL_TOLD, told)
    return None


def refusal(offence: OffenceType, items: Iterable[EvidenceItem], found: Shortfall) -> ChecklistError:
    """Return the refusal that names the items in words."""
    names = {item.code: _named(item) for item in items}
    parts = ", ".join(names.get(code, code) for code in found.codes)
    return ChecklistError(_SENTENCES[found.gap], offence=_named(offence), items=parts)


def answers_of(session: Session, findings: Iterable[tuple[Finding, dt.date]]) -> dict[int, tuple[Answer, ...]]:
    """Return how each finding, given with the day of its call, answered its checklist; by the finding's id."""
    pairs = list(findings)
    codes = {finding.offence_code for finding, _day in pairs if finding.checklist}
    items = evidence_items(session, codes) if codes else ()
    return {finding.id: _answers(finding, items_on(items, day)) for finding, day in pairs}


def _answers(finding: Finding, items: Iterable[EvidenceItem]) -> tuple[Answer, ...]:
    given = finding.checklist or {}
    return tuple(
        Answer(item, given[item.code])
        for item in items
        if item.offence_code == finding.offence_code and item.code in given
    )


def _named(row: EvidenceItem | OffenceType) -> str:
    return row.name_en if current_locale() == "en" else row.name_zh
