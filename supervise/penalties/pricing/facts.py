"""What the engine is given: proven offences with the rule that prices them, and the month's figures of a party."""

import datetime as dt
from typing import Any, NamedTuple

from supervise.contracts.rules import AggravationCode, RuleParameters
from supervise.labels import N_, LabelledEnum


class FigureKind(LabelledEnum):
    """What is recorded of a party for a month; the values of the last two are those of ``ThresholdBase``."""

    #: In fen; what the party earned, before anything was set off against it.
    COMMISSION = "commission", N_("Commission")
    ORDERS = "orders", N_("Orders")
    ANSWERED_CALLS = "answered_calls", N_("Calls answered")


class Figure(NamedTuple):
    """A recorded figure: which record, and how much (fen for a commission)."""

    figure_id: int
    amount: int


class Subject(NamedTuple):
    """Whose repeats, caps and cases are counted together: a contract, or under a policy one branch's party."""

    contract_id: int
    party_id: int | None


class Rule(NamedTuple):
    """A rule version as the engine reads it."""

    version_id: int
    code: str
    number: int
    content_sha256: str
    parameters: RuleParameters


class Ground(NamedTuple):
    """Dated proof that an offence was worse, as of the call; *proof* names the record and its moment."""

    code: AggravationCode
    proof: dict[str, Any]


class Offence(NamedTuple):
    """A proven finding of one call, the rule in force at the call, and whose history it belongs to."""

    finding_id: int
    incident_id: int
    code: str
    occurred_at: dt.datetime
    occurred_on: dt.date
    subject: Subject
    rule: Rule
    #: The number that called or the port that sent, and the subscriber's number (by id), as far as they are known.
    caller_number: str | None = None
    subscriber_id: int | None = None
    grounds: tuple[Ground, ...] = ()

    @property
    def order(self) -> tuple[dt.datetime, int, int]:
        """Offences are priced in the order of their calls."""
        return self.occurred_at, self.incident_id, self.finding_id
