"""Irregular calls, each kind an expression over the calls of a day."""

import ibis.expr.types as ir

from supervise.attribution.watching import tables
from supervise.attribution.watching.marking import FIGURES, beyond, calls, marked
from supervise.evidence.engine import unbound
from supervise.evidence.record_types import QUALITY

_RECORD = ("platform", "record_id")
_OFFICIALS = unbound("officials", tables.OFFICIALS)
_MINUTES = 60


def after_refusal() -> ir.Table:
    """Return the calls to a subscriber whose last word before them was no, to the party or to everyone.

    As ``donotcall.held.permissions_at`` answers for one call: the words of a former holder of the number hold no more;
    where the register does not know one of the two holders, they do.
    """
    said, accounts = unbound("words", tables.WORDS), unbound("accounts", tables.ACCOUNTS)
    every = calls()
    heard = [every.subscriber_index == said.subscriber_index, said.said_at < every.at]
    spoken = every.join(said, heard).select(
        *(every[name] for name in _RECORD),
        every.at,
        every.subscriber_index,
        said.given,
        said.said_order,
        said.account_ref,
        to_us=said.word_party_id.isnull() | (said.word_party_id == every.party_id).fill_null(False),  # noqa: FBT003 - Ibis's way
    )
    spoken = spoken.filter(spoken.to_us)
    passed_on = spoken.join(
        accounts,
        [
            spoken.subscriber_index == accounts.subscriber_index,
            spoken.account_ref != accounts.account_ref,
            spoken.at >= accounts.held_from,
            spoken.at < accounts.held_to,
        ],
    ).select(*(spoken[name] for name in _RECORD), spoken.said_order)
    holding = spoken.anti_join(passed_on, [*_RECORD, "said_order"])
    last = holding.group_by(list(_RECORD)).aggregate(given=holding.given.argmax(holding.said_order))
    return marked(every.semi_join(last.filter(~last.given), list(_RECORD)))


def outside_hours() -> ir.Table:
    """Return the calls that began before the first or not before the last minute of the allowed hours."""
    every = calls().cross_join(FIGURES)
    return marked(every.filter((every.minute_of_day < every.from_minute) | (every.minute_of_day >= every.to_minute)))


def subscriber_too_often() -> ir.Table:
    """Return the calls of a party to one subscriber on a day after as many as are allowed."""
    return marked(beyond(calls(), "party_id", "subscriber_index"))


def staff_pace() -> ir.Table:
    """Return the calls that one staff number dialled in an hour of the clock after as many as are allowed."""
    every = calls()
    every = every.filter(every.staff_number.notnull()).mutate(hour=every.minute_of_day // _MINUTES)
    return marked(beyond(every, "platform", "staff_number", "hour"))


def number_burst() -> ir.Table:
    """Return the calls from one number in an hour after as many as are allowed; official numbers are made for many."""
    every = _from_unofficial(calls()).mutate(hour=lambda one: one.minute_of_day // _MINUTES)
    return marked(beyond(every, "sender", "hour"))


def number_rotation() -> ir.Table:
    """Return the day's calls of a party to a subscriber whom it has called from many numbers by then."""
    every, before = calls(), calls("calls_before")
    known = _from_unofficial(every.filter(every.party_id.notnull()))
    pair = ("party_id", "subscriber_index")
    earlier = _from_unofficial(before).semi_join(known, list(pair))
    numbers = earlier.group_by(list(pair)).aggregate(numbers=earlier.sender.nunique()).cross_join(FIGURES)
    rotating = numbers.filter(numbers.numbers >= numbers.value)
    return marked(known.semi_join(rotating, list(pair)))


def unofficial_number() -> ir.Table:
    """Return the marketing calls from another number, where the carrier has an official one to market from."""
    every = calls()
    marketing = every.filter(every.campaign.notnull()).semi_join(_OFFICIALS, "platform")
    return marked(_from_unofficial(marketing))


def no_permission() -> ir.Table:
    """Return the calls of known parties that might not call for the carrier on that day."""
    every, permitted = calls(), unbound("permitted", tables.PERMITTED)
    return marked(every.filter(every.party_id.notnull()).anti_join(permitted, "party_id"))


def answered() -> ir.Table:
    """Return the calls of known parties that were answered; a record that does not say so counts as answered."""
    every = calls()
    spoke = every.answered.fill_null(every.talk_seconds > 0).fill_null(True)  # noqa: FBT003 - Ibis's way
    return every.filter(spoke & every.party_id.notnull())


def no_recording() -> ir.Table:
    """Return the answered calls whose record names no recording."""
    every = answered()
    return marked(every.filter(every.recording_ref.isnull()))


def no_quality_check() -> ir.Table:
    """Return the answered calls that no quality check is of."""
    every, quality = answered(), unbound("quality", QUALITY.schema)
    of_call = [
        every.record_id == quality.call_record_id,
        (quality.call_platform == every.platform).fill_null(True),  # noqa: FBT003 - Ibis's way
    ]
    return marked(every.anti_join(quality, of_call))


def _from_unofficial(every: ir.Table) -> ir.Table:
    officials = _OFFICIALS.view()  # a name of its own: a caller may have joined with the table before
    return every.anti_join(officials, [every.platform == officials.platform, every.sender == officials.digits])
