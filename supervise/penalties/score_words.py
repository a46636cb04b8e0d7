"""A card in words: what was counted, what that comes to, and why the score is what it is."""

from supervise.labels import _
from supervise.penalties.scorecards import Card
from supervise.penalties.scoring import Criterion, Part, Scheme


def _named(part: Part) -> dict[str, str]:
    return {"counted": f"{part.figure.counted:,}", "of": f"{part.figure.of:,}"}


_COUNTED = {
    Criterion.OFFENCES_PER_CALLS: lambda part: _("%(counted)s offences in %(of)s answered calls", **_named(part)),
    Criterion.OFFENCES_PER_ORDERS: lambda part: _("%(counted)s offences at %(of)s orders", **_named(part)),
    Criterion.AFTER_REFUSAL: lambda part: _("%(counted)s of %(of)s offences after a refusal", **_named(part)),
    Criterion.OBJECTIONS_LOST: lambda part: _("%(counted)s of %(of)s decided objections rejected", **_named(part)),
    Criterion.LATE_ANSWERS: lambda part: _(
        "%(counted)s of %(of)s inquiries answered late or not at all", **_named(part)
    ),
    Criterion.REPEAT_SUBSCRIBERS: lambda part: _(
        "%(counted)s of %(of)s subscribers with two or more offences", **_named(part)
    ),
}
_MISSING = {
    Criterion.OFFENCES_PER_CALLS: lambda: _("No answered calls are recorded for the month"),
    Criterion.OFFENCES_PER_ORDERS: lambda: _("No orders are recorded for the month"),
    Criterion.AFTER_REFUSAL: lambda: _("No offence was proven"),
    Criterion.OBJECTIONS_LOST: lambda: _("No objection was decided"),
    Criterion.LATE_ANSWERS: lambda: _("No inquiry was due"),
    Criterion.REPEAT_SUBSCRIBERS: lambda: _("No offence against a known subscriber was proven"),
}


def counted_in_words(part: Part) -> str:
    """Return what was counted of a criterion, or why it is left out."""
    return _COUNTED[part.criterion](part) if part.figure.of else _MISSING[part.criterion]()


def value_of(part: Part) -> str:
    """Return the value of a criterion with two decimals, in its own unit; a dash without a denominator."""
    hundredths = part.hundredths
    return "—" if hundredths is None else f"{hundredths // 100:,}.{hundredths % 100:02d}"


def scored_in_words(part: Part) -> str:
    """Return how the value became a score."""
    if part.score is None:
        return _("left out, with its weight of %(weight)d", weight=part.weight.weight)
    return _(
        "%(score)d of 100, since %(worst)d or more scores nothing; weighs %(weight)d",
        score=part.score,
        worst=part.weight.worst,
        weight=part.weight.weight,
    )


def total_in_words(card: Card, scheme: Scheme) -> str:
    """Return why the card stands where it stands."""
    if card.score is None:
        return _("Neither answered calls nor orders are known for the month, so it is not rated.")
    return _(
        "Mean of what could be computed, by its weights: %(score)d of 100. Good from %(good)d, under watch from "
        "%(watch)d, poor from %(poor)d, critical below.",
        score=card.score,
        good=scheme.good_from,
        watch=scheme.watch_from,
        poor=scheme.poor_from,
    )
