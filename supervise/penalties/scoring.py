"""How a card is scored: criteria with units, a straight line from best to worst, a weighted mean, bands. Pure.

Source: docs/rules.md, rules S-7 and S-8. A criterion without a denominator is left out, and its weight with it; a card
without calls and orders is not rated: an idle party is not a good one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from supervise.labels import N_, LabelledEnum
from supervise.penalties.score_models import CardStanding

_FULL_BP = 10_000


class Criterion(LabelledEnum):
    """What a card counts."""

    OFFENCES_PER_CALLS = "offences_per_calls", N_("Offences per 10,000 answered calls")
    OFFENCES_PER_ORDERS = "offences_per_orders", N_("Offences per 1,000 orders")
    AFTER_REFUSAL = "after_refusal", N_("Offences after a refusal (per cent)")
    OBJECTIONS_LOST = "objections_lost", N_("Objections lost (per cent)")
    LATE_ANSWERS = "late_answers", N_("Late answers to inquiries (per cent)")
    REPEAT_SUBSCRIBERS = "repeat_subscribers", N_("Subscribers with two or more offences (per cent)")


#: So many times what it counts is related to.
PER: Mapping[Criterion, int] = {
    Criterion.OFFENCES_PER_CALLS: 10_000,
    Criterion.OFFENCES_PER_ORDERS: 1_000,
    Criterion.AFTER_REFUSAL: 100,
    Criterion.OBJECTIONS_LOST: 100,
    Criterion.LATE_ANSWERS: 100,
    Criterion.REPEAT_SUBSCRIBERS: 100,
}
#: Without one of these a card is not rated.
_VOLUMES = (Criterion.OFFENCES_PER_CALLS, Criterion.OFFENCES_PER_ORDERS)


class Figure(NamedTuple):
    """What was counted, and of how many; ``of`` 0: there is nothing to relate it to."""

    counted: int
    of: int


class Weight(NamedTuple):
    """What a criterion weighs, and at which value (in its own unit) or above it scores nothing."""

    weight: int
    worst: int


@dataclass(frozen=True)
class Scheme:
    """Weights and the lowest scores of the bands."""

    weights: Mapping[Criterion, Weight]
    good_from: int
    watch_from: int
    poor_from: int

    def standing(self, score: int | None) -> CardStanding:
        """Return the band of a score; None is not rated."""
        if score is None:
            return CardStanding.NOT_RATED
        for least, standing in (
            (self.good_from, CardStanding.GOOD),
            (self.watch_from, CardStanding.WATCH),
            (self.poor_from, CardStanding.POOR),
        ):
            if score >= least:
                return standing
        return CardStanding.CRITICAL


class Part(NamedTuple):
    """One criterion of a card: what was counted, what it weighs, what it scores (None: left out)."""

    criterion: Criterion
    figure: Figure
    weight: Weight
    score: int | None

    @property
    def hundredths(self) -> int | None:
        """The value in hundredths of its unit, rounded half up; None without a denominator."""
        if not self.figure.of:
            return None
        return _rounded(self.figure.counted * PER[self.criterion] * 100, self.figure.of)


def parse_weights(criteria: Mapping[str, Any]) -> dict[Criterion, Weight]:
    """Return the weights that a scheme stores; every criterion has one."""
    return {criterion: Weight(*criteria[criterion.value]) for criterion in Criterion}


def parts_of(figures: Mapping[Criterion, Figure], scheme: Scheme) -> list[Part]:
    """Return every criterion with what it scores from 0 to 100, rounded for the eye."""
    return [
        Part(criterion, figure, weight, None if basis_points is None else _rounded(basis_points, 100))
        for criterion, figure, weight, basis_points in _scored(figures, scheme)
    ]


def score_of(figures: Mapping[Criterion, Figure], scheme: Scheme) -> int | None:
    """Return the score from 0 to 100, rounded half up; None: not rated."""
    if not any(figures[criterion].of for criterion in _VOLUMES):
        return None
    counted = [(weight.weight, points) for _, _, weight, points in _scored(figures, scheme) if points is not None]
    whole = sum(weight for weight, _ in counted)
    return _rounded(sum(weight * points for weight, points in counted), whole * 100) if whole else None


def _scored(figures: Mapping[Criterion, Figure], scheme: Scheme) -> list[tuple[Criterion, Figure, Weight, int | None]]:
    rows = []
    for criterion in Criterion:
        figure, weight = figures[criterion], scheme.weights[criterion]
        points = None
        if figure.of:
            lost = figure.counted * PER[criterion] * _FULL_BP // (figure.of * weight.worst)
            points = max(0, _FULL_BP - lost)
        rows.append((criterion, figure, weight, points))
    return rows


def _rounded(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
