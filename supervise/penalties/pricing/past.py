"""What the engine counts: earlier offences, amounts under caps, units of charge, cases of a month."""

import datetime as dt
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from supervise import clock
from supervise.contracts.rules import CapPer, Tiers, TierWindow
from supervise.penalties.pricing.facts import Figure, FigureKind, Offence, Subject

#: Calls follow each other in time: few days are asked for again and again.
_start_of_day = lru_cache(maxsize=1024)(clock.start_of_day)
month_of = lru_cache(maxsize=1024)(clock.month_of)


#: One bucket of a cap: whose, over what, which.
CapKey = tuple[Subject, CapPer, object]
#: When, and which incident: calls are counted in this order.
Call = tuple[dt.datetime, int]


class UnitKey(NamedTuple):
    """What is charged once: a number in a month, or a number's calls to one subscriber on a day (then both set)."""

    subject: Subject
    rule_code: str
    caller_number: str
    subscriber_id: int | None
    period: str


class CasesKey(NamedTuple):
    """The cases of a month that one rule counts together."""

    subject: Subject
    rule_code: str
    month: str


@dataclass
class History:
    """What was charged before, and the figures that were recorded; grows while pricing."""

    #: The charged calls, by subject and offence type, in time.
    offences: dict[tuple[Subject, str], list[Call]] = field(default_factory=lambda: defaultdict(list))
    used_fen: dict[CapKey, int] = field(default_factory=lambda: defaultdict(int))
    #: Of what was used, what was lifted again: room only in a cap that releases it.
    lifted_fen: dict[CapKey, int] = field(default_factory=lambda: defaultdict(int))
    #: The incident by which each unit was charged.
    units: dict[UnitKey, int] = field(default_factory=dict)
    #: Every proven call that a threshold counts, charged or not, in time.
    cases: dict[CasesKey, list[Call]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[tuple[Subject, str, FigureKind], Figure] = field(default_factory=dict)

    def add_offence(self, subject: Subject, code: str, occurred_at: dt.datetime, incident_id: int) -> None:
        """Count one more charged offence; one incident counts once for each offence type."""
        _enter(self.offences[subject, code], (occurred_at, incident_id))

    def add_amount(
        self,
        subject: Subject,
        incident_id: int,
        occurred_on: dt.date,
        amount_fen: int,
        *,
        subscriber_id: int | None = None,
        lifted_fen: int = 0,
    ) -> None:
        """Let an amount take room in each cap that it falls under."""
        month = month_of(occurred_on)
        for key in (
            (subject, CapPer.INCIDENT, incident_id),
            (subject, CapPer.DAY, occurred_on),
            (subject, CapPer.MONTH, month),
            (subject, CapPer.SUBSCRIBER, (subscriber_id, month)),
        ):
            self.used_fen[key] += amount_fen
            if lifted_fen:
                self.lifted_fen[key] += lifted_fen

    def add_cases(self, offences: Iterable[Offence]) -> None:
        """Count the calls of *offences* that a threshold counts; each once."""
        for offence in offences:
            if offence.rule.parameters.threshold is not None:
                _enter(self.cases[cases_key(offence)], (offence.occurred_at, offence.incident_id))

    def earlier(self, offence: Offence, tiers: Tiers) -> int:
        """Return how many offences of the subject and type came before this call in the window."""
        if tiers.window is TierWindow.CALENDAR_MONTH:
            first = offence.occurred_on.replace(day=1)
        else:
            first = offence.occurred_on - dt.timedelta(days=tiers.days or 0)
        charged = self.offences[offence.subject, offence.code]
        start = bisect_left(charged, (_start_of_day(first), 0))
        return max(0, bisect_left(charged, (offence.occurred_at, offence.incident_id)) - start)

    def used(self, offence: Offence, per: CapPer, *, release: bool) -> int:
        """Return what has been taken of the offence's bucket; with *release*, less what was lifted again."""
        key = cap_key(offence, per)
        taken = self.used_fen.get(key, 0)
        return taken - self.lifted_fen.get(key, 0) if release else taken


def _enter(calls: list[Call], call: Call) -> None:
    # Calls come in the order of time, as a rule: then the end is where it goes.
    if not calls or calls[-1] < call:
        calls.append(call)
        return
    place = bisect_left(calls, call)
    if calls[place] != call:
        insort(calls, call)


def cases_key(offence: Offence) -> CasesKey:
    """Return which cases are counted together with *offence*."""
    return CasesKey(offence.subject, offence.rule.code, month_of(offence.occurred_on))


def cap_key(offence: Offence, per: CapPer) -> CapKey:
    """Return the bucket of *offence* in a cap over *per*."""
    if per is CapPer.MONTH:
        return offence.subject, per, month_of(offence.occurred_on)
    if per is CapPer.DAY:
        return offence.subject, per, offence.occurred_on
    if per is CapPer.INCIDENT:
        return offence.subject, per, offence.incident_id
    return offence.subject, per, (offence.subscriber_id, month_of(offence.occurred_on))
