"""Offences and rules for the tests of the pure engine."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from supervise import clock
from supervise.contracts.rules import AggravationCode, parse_parameters
from supervise.penalties.pricing import Charge, Ground, Offence, Rule, Spared, Subject

PARTNER = Subject(contract_id=1, party_id=None)
FLAT: dict[str, Any] = {"basis": "per_offence", "amount_fen": 20000}


def rule(parameters: dict[str, Any], *, version_id: int = 1, code: str = "R") -> Rule:
    """Return a rule version."""
    return Rule(version_id, code, 1, "0" * 64, parse_parameters(parameters))


def offence(
    priced_by: Rule | dict[str, Any],
    *,
    incident: int = 1,
    finding: int | None = None,
    code: str = "after_refusal",
    on: dt.date = dt.date(2026, 9, 29),
    subject: Subject = PARTNER,
    caller_number: str | None = "02112345678",
    subscriber_id: int | None = 5,
    proven: Iterable[str] = (),
) -> Offence:
    """Return a proven offence of a call at ten in the morning; *proven* are codes of aggravations."""
    return Offence(
        finding_id=finding or incident,
        incident_id=incident,
        code=code,
        occurred_at=clock.start_of_day(on) + dt.timedelta(hours=10),
        occurred_on=on,
        subject=subject,
        rule=rule(priced_by) if isinstance(priced_by, dict) else priced_by,
        caller_number=caller_number,
        subscriber_id=subscriber_id,
        grounds=tuple(Ground(AggravationCode(one), {"says": "On record.", "facts": {}}) for one in proven),
    )


def amounts(outcomes: Iterable[Charge | Spared]) -> list[int]:
    """Return what each outcome costs."""
    return [outcome.amount_fen if isinstance(outcome, Charge) else 0 for outcome in outcomes]
