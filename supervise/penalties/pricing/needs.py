"""What a rule needs to know before it can price an offence: what is not recorded is a task, never a guess."""

from collections.abc import Iterator

from supervise.contracts.rules import Basis, CapPer, RuleParameters
from supervise.errors import ConflictError
from supervise.labels import N_
from supervise.penalties.pricing.facts import Figure, FigureKind, Offence
from supervise.penalties.pricing.past import History, month_of


class FigureUnknownError(ConflictError):
    """A figure of the month that the rule reads is not recorded."""


class NumberUnknownError(ConflictError):
    """The rule charges by calling number, and the report names none."""

    message = N_("%(rule)s charges by calling number; which number called is not known")


class SubscriberUnknownError(ConflictError):
    """The rule goes by subscriber, and the report names none."""

    message = N_("%(rule)s goes by subscriber; whom the call was to is not known")


_NOT_RECORDED = {
    FigureKind.COMMISSION: N_("The commission of %(month)s is not recorded"),
    FigureKind.ORDERS: N_("The number of orders of %(month)s is not recorded"),
    FigureKind.ANSWERED_CALLS: N_("The number of answered calls of %(month)s is not recorded"),
}
_BY_NUMBER = frozenset((Basis.PER_RECIPIENT, Basis.PER_NUMBER_MONTH))


def figures_needed(offence: Offence) -> Iterator[FigureKind]:
    """Yield the figures of the call's month that the rule of *offence* reads."""
    parameters = offence.rule.parameters
    for cap in parameters.caps:
        if cap.commission_bp is not None:
            yield FigureKind.COMMISSION
            break
    if parameters.threshold is not None and parameters.threshold.above_bp and parameters.threshold.base is not None:
        yield FigureKind(parameters.threshold.base.value)


def figure_of(offence: Offence, history: History, kind: FigureKind) -> Figure:
    """Return the recorded figure of the call's month.

    Raises:
        FigureUnknownError: if there is none.
    """
    figure = history.figures.get((offence.subject, month_of(offence.occurred_on), kind))
    if figure is None:
        raise FigureUnknownError(_NOT_RECORDED[kind], month=month_of(offence.occurred_on))
    return figure


def require_known(offence: Offence, history: History) -> None:
    """Refuse to price *offence* if something that its rule reads is not known.

    Raises:
        NumberUnknownError, SubscriberUnknownError, FigureUnknownError: saying what.
    """
    require_named(offence)
    for kind in figures_needed(offence):
        figure_of(offence, history, kind)


def require_named(offence: Offence) -> None:
    """Refuse to price *offence* if the number or the subscriber that its rule goes by is not known.

    Raises:
        NumberUnknownError, SubscriberUnknownError: saying what.
    """
    parameters = offence.rule.parameters
    if offence.caller_number is None and parameters.basis in _BY_NUMBER:
        raise NumberUnknownError(rule=f"{offence.rule.code} v{offence.rule.number}")
    if offence.subscriber_id is None and _goes_by_subscriber(parameters):
        raise SubscriberUnknownError(rule=f"{offence.rule.code} v{offence.rule.number}")


def _goes_by_subscriber(parameters: RuleParameters) -> bool:
    per_subscriber = any(cap.per is CapPer.SUBSCRIBER for cap in parameters.caps)
    return per_subscriber or parameters.basis is Basis.PER_RECIPIENT
