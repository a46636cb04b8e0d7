"""What one call earns its subscriber: a pure decision, without database or clock (docs/rules.md, C-1 to C-4)."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from supervise import clock
from supervise.compensation.models import CallUnit
from supervise.complaints.models import IncidentKind, Precision
from supervise.errors import ConflictError
from supervise.labels import N_, _
from supervise.money import format_yuan


class NothingOwedError(ConflictError):
    """The promise does not cover this call; the message says why."""

    message = N_("No promise covers this call")


@dataclass(frozen=True)
class Call:
    """The facts of an incident that a promise asks for."""

    kind: IncidentKind
    occurred_at: dt.datetime
    precision: Precision
    answered: bool | None


@dataclass(frozen=True)
class Promise:
    """The terms of an undertaking or of the general policy, in fen for each call."""

    reference: str
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    per_call_fen: int
    call_unit: CallUnit
    calls_per_day_max: int | None


def credit_for_call(call: Call, promise: Promise, credited_that_day: int) -> dict[str, Any]:
    """Return the explanation, with ``amount_fen``, of what *call* earns under *promise*.

    *credited_that_day* counts the credits of the same subscriber and promise on the call's China day.

    Raises:
        NothingOwedError: with the reason, if it earns nothing.
    """
    _check_period(call, promise)
    _check_call(call, promise)
    if promise.calls_per_day_max is not None and credited_that_day >= promise.calls_per_day_max:
        raise NothingOwedError(
            N_("At most %(limit)d calls a day are credited under %(promise)s"),
            limit=promise.calls_per_day_max,
            promise=promise.reference,
        )
    return {
        "rule": "C-1",
        "promise": promise.reference,
        "promise_from": clock.china_day(promise.starts_at).isoformat(),
        "call_unit": promise.call_unit.value,
        "calls_per_day_max": promise.calls_per_day_max,
        "place_that_day": credited_that_day + 1,
        "amount_fen": promise.per_call_fen,
    }


def _check_period(call: Call, promise: Promise) -> None:
    day = clock.china_day(call.occurred_at)
    starts_within_day = promise.starts_at > clock.start_of_day(day) and clock.china_day(promise.starts_at) == day
    if call.precision is Precision.DAY and starts_within_day:
        raise NothingOwedError(
            N_("%(promise)s began during the day of this call, whose time is not known"), promise=promise.reference
        )
    if call.occurred_at < promise.starts_at:
        raise NothingOwedError(
            N_("The call of %(day)s was before %(promise)s began on %(start)s; history is settled by the lump sum"),
            day=day.isoformat(),
            promise=promise.reference,
            start=clock.china_day(promise.starts_at).isoformat(),
        )
    if promise.ends_at is not None and call.occurred_at >= promise.ends_at:
        raise NothingOwedError(N_("%(promise)s had ended before this call"), promise=promise.reference)


def _check_call(call: Call, promise: Promise) -> None:
    if call.kind is not IncidentKind.CALL:
        raise NothingOwedError(N_("%(promise)s credits calls, not messages"), promise=promise.reference)
    if promise.per_call_fen == 0:
        raise NothingOwedError(N_("%(promise)s promises a lump sum only"), promise=promise.reference)
    if promise.call_unit is CallUnit.ANSWERED and call.answered is not True:
        raise NothingOwedError(
            N_("%(promise)s credits answered calls; this one was not answered, or it is not known"),
            promise=promise.reference,
        )


def explain_in_words(explanation: dict[str, Any]) -> list[str]:
    """Return the stored *explanation* as sentences in the current locale."""
    amount = format_yuan(explanation["amount_fen"])
    if explanation["rule"] == "C-2":
        return [
            _("%(promise)s promises %(amount)s yuan once for history.", promise=explanation["promise"], amount=amount)
        ]
    words = [
        _(
            "%(promise)s, in force from %(start)s, promises %(amount)s yuan for each call.",
            promise=explanation["promise"],
            start=explanation["promise_from"],
            amount=amount,
        )
    ]
    if explanation["call_unit"] == CallUnit.ANSWERED:
        words.append(_("Answered calls count; this one was answered."))
    if explanation["calls_per_day_max"] is not None:
        words.append(
            _(
                "It is call %(place)s of that day; at most %(limit)s are credited.",
                place=explanation["place_that_day"],
                limit=explanation["calls_per_day_max"],
            )
        )
    return words
